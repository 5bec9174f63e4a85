#!/usr/bin/env node
'use strict';

/*
 * Two workers of one queue, of which one stands still for longer than its
 * leases, at each step of the path of a job: the other takes over what it had,
 * and it finds its results refused.  What it had not sent before it does not
 * send afterwards.
 *
 *   FAULT_STOP=60000    how long it stands still at least, ms
 */

const fs = require('fs');
const { Scene, Course, run, is, ok, until, rest, random, BASE, EVENTS, TIMES,
    ONLY } = require('./steps');

const STOP = Number(process.env.FAULT_STOP) || 0;

/* with one job at a time: is the message in hand sent twice, and its result,
 * which comes late, refused? */
const steps = {
    'take-reply': [false, false],
    job: [false, false],
    'admit-call': [false, false],
    'admit-reply': [false, false],
    send: [false, false],
    verdict: [true, true],
    'finish-call': [true, true],
    'finish-reply': [false, false],
    'extend-reply': [null, null],
};

const scene = new Scene('leases');

const state = (pid) => fs.readFileSync(`/proc/${pid}/stat`, 'latin1')
    .split(') ')[1][0];
const stands = (worker) => until(() => state(worker.pid) === 'T',
    'it to stand still', 30000);

/* after a minute its connection has timed out: it does not know who wrote it */
const late = (worker) => ['result_refused', 'lease_lost',
    'result_written_before'].flatMap((event) => worker.lines(event));

/* until others have done what it had in hand */
async function taken(course) {
    const had = await course.redis.lrange(`${BASE}active`, 0, -1);
    had.forEach((id) => course.open.set(id, (course.open.get(id) || 0) + 1));
    await until(async () => (await Promise.all(had.map((id) =>
        course.redis.zscore(`${BASE}completed`, id)))).every((at) => at),
    `${course.name}: another to take over`, 30000);
    await rest(STOP);
    course.kills += 1;
}

async function still(step) {
    const course = new Course(scene, `stands still at ${step}`,
        { concurrency: 1 });
    const first = course.worker(`${step}:2`, { SLUICE_FAULT_STOP: '1' });
    const second = course.worker();
    let stopped = false;

    await Promise.all([first.ready(), second.ready()]);
    const fed = course.feed(2, 0, () => stopped);
    await stands(first);
    stopped = true;
    await fed;
    await taken(course);
    first.signal('SIGCONT');
    await course.add(20);
    await course.finished();
    await course.recorded();
    is([await first.stop(), await second.stop()], [0, 0],
        `${course.name}: both end with 0`);
    return { step, course, first };
}

/* both under load, stopped again and again; "one": with the same token */
async function load(name, env = {}, kill = false) {
    const course = new Course(scene, name);
    const events = Math.ceil(EVENTS / 4) || 600;
    const times = Math.ceil(TIMES / 10) || 2;
    const pair = [course.worker('', env), course.worker('', env)];
    let ended = false;

    const fed = course.feed(200, events, () => ended);
    for (let n = 0; n < times; n += 1) {
        const goal = events * (n + random(100) / 100) / (times + 1);
        await until(async () => await course.redis.zcard(`${BASE}completed`)
            >= goal, `${name}: ${goal} jobs`, 60000 + events * 10);
        pair[n % 2].signal(kill ? 'SIGKILL' : 'SIGSTOP');
        await (kill ? pair[n % 2].child.ended : stands(pair[n % 2]));
        await taken(course);
        if (kill) {
            pair[n % 2] = course.worker('', env);
        } else {
            pair[n % 2].signal('SIGCONT');
        }
    }
    ended = true;
    await fed;
    await course.finished();
    await course.recorded();
    is([await pair[0].stop(), await pair[1].stop()], [0, 0],
        `${name}: both end with 0`);
    return { course };
}

run(async () => {
    await scene.start('--delay', '5');
    const one = { SLUICE_FAULT_UUID: '00000000-0000-4000-8000-000000000000' };
    const all = [
        ...Object.keys(steps).map((step) => [step, () => still(step)]),
        ['stop', () => load('one of two stands still')],
        ['token', () => load('one of two stands still, one token', one)],
        ['token', () => load('one of two is killed, one token', one, true)],
    ].filter(([name]) => !ONLY || name === ONLY);
    const done = await Promise.all(all.map(([, fn]) => fn()));
    const accepted = await scene.accepted();
    for (const { step, course, first } of done) {
        const doubled = await course.check(accepted);
        const [again, refused] = steps[step] || [null, null];
        if (again !== null) {
            is(doubled, +again, `${course.name}: sent twice`);
            ok(!refused || late(first).length > 0,
                `${course.name}: the late result is refused`);
        }
    }
    await scene.stop();
});
