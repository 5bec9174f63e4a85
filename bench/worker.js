/*
 * The worker against a stock BullMQ Worker: a backlog of jobs that need
 * nothing, added beforehand by a stock Queue, at several concurrencies.  The
 * queue is paused while it is filled; the clock runs from the first job's
 * finish to the last one's, as BullMQ's own `completed` set tells them.
 */

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const {
    ROOT, cpu, npm, start, startRedis, until,
} = require('./house');
const webhook = require('./webhook');

const CONCURRENCY = [1, 50, 500];
const BATCH = 1000;
const SAMPLE = 5000;

/* nothing is removed, by either side: BullMQ's default */
const settings = (socket, queue, concurrency) => `
redis = "unix:${socket}"

queue "${queue}" {
    prefix = "bull"
    kind = noop
    bullmq = 6
    concurrency = ${concurrency}
    keep_completed = -1
    keep_completed_age = 0s
}
`;

const starters = {
    bullmq: (dir, redis, queue, concurrency) => {
        const child = start(dir, queue, process.execPath,
            [path.join(__dirname, 'peer_worker.js')], {
                NODE_ENV: 'production',
                REDIS_SOCKET: redis.socket,
                QUEUE: queue,
                CONCURRENCY: String(concurrency),
            });

        return { child, ready: () => fs.readFileSync(child.log).length > 0 };
    },

    sluiced: (dir, redis, queue, concurrency) => {
        const file = path.join(dir, `${queue}.conf`);

        fs.writeFileSync(file, settings(redis.socket, queue, concurrency));

        const child = start(dir, queue, path.join(ROOT, 'build', 'sluiced'),
            ['-c', file]);

        return {
            child,
            ready: () => fs.readFileSync(child.log, 'utf8')
                .includes('redis_ready'),
        };
    },
};

const fill = async (queue, jobs) => {
    await queue.pause();

    for (let left = jobs; left > 0; left -= BATCH) {
        await queue.addBulk(Array.from({ length: Math.min(left, BATCH) },
            () => ({ name: 'meta', data: webhook.json })));
    }
};

const edgeOf = async (redis, key, index) =>
    Number((await redis.client.zrange(key, index, index, 'WITHSCORES'))[1]);

/* ms from a job's take to its finish, of at most SAMPLE jobs, sorted */
const inHand = async (redis, queue, key) => {
    const ids = await redis.client.zrange(key, 0, SAMPLE - 1);
    const times = await Promise.all(ids.map((id) => redis.client.hmget(
        `bull:${queue}:${id}`, 'processedOn', 'finishedOn')));

    return times.map(([from, to]) => to - from).sort((a, b) => a - b);
};

const round = async (variant, redis, jobs) => {
    const { queue, child } = variant;
    const key = `bull:${variant.queueName}:completed`;

    await redis.client.flushall('SYNC');
    await fill(queue, jobs);

    const before = { worker: cpu(child.pid), redis: cpu(redis.pid) };

    await queue.resume();
    await until(`${variant.name}: ${jobs} jobs`,
        async () => await redis.client.zcard(key) === jobs, child,
        30000 + jobs * 2);

    const after = { worker: cpu(child.pid), redis: cpu(redis.pid) };
    const ms = await edgeOf(redis, key, -1) - await edgeOf(redis, key, 0);
    const left = await queue.getJobCounts();

    if (left.completed !== jobs || left.active + left.waiting + left.failed) {
        throw new Error(`${variant.name}: ${JSON.stringify(left)}`);
    }

    const held = await inHand(redis, variant.queueName, key);

    return {
        rate: jobs / (Math.max(ms, 1) / 1000),
        p50: held[Math.floor(held.length * 0.5)],
        p99: held[Math.floor(held.length * 0.99)],
        worker: (after.worker - before.worker) / jobs,
        redis: (after.redis - before.redis) / jobs,
    };
};

/* -> { variants, all: { name: [figures, ...] } } */
const worker = async (dir, { rounds, jobs, aof, say }) => {
    const redis = await startRedis(dir, aof);
    const { Queue } = npm('bullmq6');
    const variants = [];
    const all = {};

    for (const concurrency of CONCURRENCY) {
        for (const kind of Object.keys(starters)) {
            const queueName = `${kind}-${concurrency}`;
            const queue = new Queue(queueName, {
                connection: { path: redis.socket },
            });

            queue.on('error', () => {});
            await queue.waitUntilReady();

            const { child, ready } = starters[kind](dir, redis, queueName,
                concurrency);

            await until(queueName, ready, child);
            variants.push({ name: queueName, kind, concurrency, queueName,
                            queue, child });
            all[queueName] = [];
        }
    }

    for (const variant of variants) {
        await round(variant, redis, Math.min(jobs, 5000));
    }

    for (let i = 0; i < rounds; i++) {
        for (const variant of variants) {
            /* one at a time is several times slower */
            const n = variant.concurrency === 1 ? Math.ceil(jobs / 5) : jobs;
            const figures = await round(variant, redis, n);

            all[variant.name].push(figures);
            say(`worker ${i + 1}/${rounds} ${variant.name}: `
                + `${Math.round(figures.rate)}/s`);
        }
    }

    for (const variant of variants) {
        await variant.queue.close();
    }

    return { variants, all };
};

module.exports = { worker, CONCURRENCY };
