#!/usr/bin/env node
'use strict';

/*
 * Jobs that kill whoever runs them, among others, under a worker that is started
 * anew each time: each is counted, fails after as many stalls as are allowed,
 * and takes no other with it.
 */

const { Scene, Course, run, is, ok, until, BASE, ONLY } = require('./steps');

const JOBS = 300;
const POISON = [0, 1, 40, 150, 299];

const scene = new Scene('poison');

async function poisoned(name, concurrency, allowed) {
    const course = new Course(scene, name, { concurrency,
        max_stalled: allowed });
    const bad = new Set(POISON.map((i) => `m-${i}-poison`));
    let worker;
    let deaths = 0;

    await course.queue.addBulk(Array.from({ length: JOBS }, (_, i) => {
        const jobId = POISON.includes(i) ? `m-${i}-poison` : `m-${i}`;
        course.ids.push(jobId);
        return { name: 'message', opts: { jobId },
            data: { messaging_product: 'whatsapp', to: course.to(i),
                phone_number_id: '106540352242922', type: 'text',
                text: { body: 'hello' } } };
    }));
    const ended = async () => await course.redis.zcard(`${BASE}completed`)
        + await course.redis.zcard(`${BASE}failed`) === JOBS;
    do {
        deaths += worker !== undefined;
        worker = course.worker('send=poison');
        const { child } = worker;
        await until(async () => child.code !== undefined || await ended(),
            `${name}: the end`, 30000);
    } while (!await ended());
    const failed = await course.redis.zrange(`${BASE}failed`, 0, -1);
    is(failed.sort(), [...bad].sort(), `${name}: those that kill have failed`);
    is(await Promise.all(failed.map((id) => course.redis.hget(BASE + id,
        'stc'))), failed.map(() => String(allowed + 1)),
    `${name}: after ${allowed + 1} stalls each`);
    is(await course.redis.hget(`${BASE}${failed[0]}`, 'failedReason'),
        'job stalled more than allowable limit', `${name}: with the reason`);
    is(await course.redis.zcard(`${BASE}completed`), JOBS - POISON.length,
        `${name}: all others are completed`);
    const accepted = await scene.accepted();
    is([...bad].filter((id, i) => accepted.has(course.to(POISON[i]))), [],
        `${name}: nothing of them is sent`);
    ok(deaths > 0, `${name}: ${deaths} workers were killed`);
    console.log(`# ${name}: ${deaths} workers killed`);
    is(await worker.stop(), 0, `${name}: it ends with 0`);
}

run(async () => {
    await scene.start('--delay', '5');
    await Promise.all([['one at a time', 1, 1], ['fifty at once', 50, 1],
        ['fifty at once, two stalls', 50, 2]].filter(([name]) => !ONLY
        || name === ONLY).map((all) => poisoned(...all)));
    await scene.stop();
});
