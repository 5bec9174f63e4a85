#!/usr/bin/env node
'use strict';

/*
 * Job schedulers of stock BullMQ, served by sluiced: each iteration is followed
 * by the next, whoever takes it, once.
 */

const { run, ok, is, until, House, bullmq } = require('./house');

const house = new House('schedulers');
const EVERY = 150;

/* the times of the iterations that were completed, in order */
const times = async (queue) => (await queue.getJobs(['completed']))
    .map((job) => +job.id.split(':').pop()).sort((a, b) => a - b);

const current = async (queue, id) => house.redis.zscore(
    `bull:${queue.name}:repeat`, id);

async function every() {
    const queue = house.queue('every');
    await queue.upsertJobScheduler('s:1', { every: EVERY, limit: 6 },
        { name: 'tick', data: { x: 1 } });
    const worker = house.run('queue "every" { kind = noop }');
    await worker.ready();
    await until(async () => (await times(queue)).length === 6, 'six iterations');
    const at = await times(queue);
    ok(at.every((t) => (t - at[0]) % EVERY === 0), 'they lie as the first', at);
    is(new Set(at).size, 6, 'each once');
    is((await queue.getJobs(['completed'])).map((job) => job.data.x),
        [1, 1, 1, 1, 1, 1], 'the data of the template');
    is(await queue.getJobCounts('wait', 'delayed', 'active'),
        { wait: 0, delayed: 0, active: 0 }, 'the limit ends it');
    is(worker.lines('job_refused').length, 0, 'none is refused');
    is(await worker.stop(), 0, 'it ends with 0');
}

async function turns() {
    const queue = house.queue('turns');
    await queue.upsertJobScheduler('s', { pattern: '* * * * * *', tz: 'UTC' },
        { name: 'tick' });
    let done = 0;
    for (let turn = 0; turn < 2; turn += 1) {
        const worker = house.run('queue "turns" { kind = noop }');
        await worker.ready();
        await until(async () => (await times(queue)).length > done, 'ours');
        is(await worker.stop(), 0, 'ours ends');
        done = (await times(queue)).length;
        const stock = new bullmq.Worker('turns', async () => {},
            { connection: house.connection });
        await until(async () => (await times(queue)).length > done, 'stock');
        await stock.close();
        done = (await times(queue)).length;
        ok(await current(queue, 's') > Date.now() - 10000, 'and goes on');
    }
    const at = await times(queue);
    ok(at.every((t) => t % 1000 === 0) && new Set(at).size === at.length,
        'full seconds, each once', at);
    is(+await house.redis.hget('bull:turns:repeat:s', 'ic'), at.length + 1,
        'one more than were run');
}

async function unreadable() {
    const queue = house.queue('unreadable');
    await queue.upsertJobScheduler('s', { every: 60000 }, { name: 'tick' });
    const [job] = await queue.getJobs(['wait', 'delayed']);
    await house.redis.hset(`bull:unreadable:${job.id}`, 'opts',
        '{"repeat":{"pattern":"99 * * * *","count":1}}');
    const worker = house.run('queue "unreadable" { kind = noop }');
    const [line] = await worker.saw('scheduler_stopped');
    ok(/^pattern, minute/.test(line.reason) && line.scheduler === 's',
        'a pattern that cannot be read is told by name', line);
    await until(async () => (await times(queue)).length === 1, 'the job');
    ok(true, 'its job is run');
    await queue.upsertJobScheduler('t', { every: 60000, startDate:
        Date.now() + 1000 }, { name: 'tick' });
    const next = +await current(queue, 't') + 60000;
    await house.redis.hset(`bull:unreadable:repeat:t:${next}`, 'name', 'x');
    const [, other] = await worker.saw('scheduler_stopped', 2);
    ok(other.scheduler === 't' && /there already/.test(other.reason),
        'so is a job that is in the way', other);
    is(await worker.stop(), 0, 'it ends with 0');
}

run(async () => {
    await house.startRedis();
    for (const test of [every, turns, unreadable]) {
        await test();
    }
});
