/*
 * Messages of the worker to the stand-in for the Graph API, which answers each
 * after a second: sends a second, the time of all three processes, and the
 * memory of the worker, idle and then.  At 5,000 sends a second as many are with
 * the stand-in; the worker may have some more in hand, for those on their way
 * to it and back.
 */

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const {
    ROOT, cpu, freePort, npm, start, startRedis, stop, until,
} = require('./house');

const FLIGHT = 6500;
const DELAY = 1000;      /* ms until the stand-in answers */
const BATCH = 1000;
const FILES = 20000;     /* descriptors of either side */
const QUEUE = 'messages';

const settings = (socket, port) => `
redis = "unix:${socket}"
pace = 1
connections = ${FLIGHT}
log { level = warn }

channel "w" { base_url = "http://127.0.0.1:${port}" token = "T" }
number "1" { rate = 100000 }

queue "${QUEUE}" {
    channel = "w"
    concurrency = ${FLIGHT}
    keep_completed = -1
    keep_completed_age = 0s
}
`;

const more = (command) => ['-c', `ulimit -n ${FILES}; exec "$0" "$@"`,
    ...command];

/* kB */
const memory = (pid, what) => Number(new RegExp(`${what}:\\s*(\\d+)`).exec(
    fs.readFileSync(`/proc/${pid}/status`, 'latin1'))[1]);

const message = (i) => ({ name: 'message', data: {
    messaging_product: 'whatsapp', phone_number_id: '1',
    to: String(15550000000 + i), type: 'text', text: { body: 'hello' },
} });

const round = async (dir, redis, api, port, queue, jobs) => {
    const key = `bull:${QUEUE}:completed`;

    await redis.client.flushall('SYNC');
    await queue.pause();

    for (let i = 0; i < jobs; i += BATCH) {
        await queue.addBulk(Array.from({ length: Math.min(BATCH, jobs - i) },
            (_, k) => message(i + k)));
    }

    const file = path.join(dir, 'sends.conf');

    fs.writeFileSync(file, settings(redis.socket, port));

    const child = start(dir, 'sends', 'sh',
        more([path.join(ROOT, 'build', 'sluiced'), '-c', file]));

    await until('sluiced', async () => (await redis.client.client('LIST'))
        .includes('name=sluiced'), child);

    const idle = memory(child.pid, 'VmRSS');
    const pids = { cpu: child.pid, redis: redis.pid, api: api.pid };
    const before = Object.entries(pids).map(([name, pid]) => [name, cpu(pid)]);
    let flight = 0;

    await queue.resume();

    await until(`${jobs} sends`, async () => {
        flight = Math.max(flight,
            await redis.client.llen(`bull:${QUEUE}:active`));

        return await redis.client.zcard(key) === jobs;
    }, child, 60000 + jobs * 2);

    const done = await redis.client.zrange(key, 0, -1, 'WITHSCORES');

    const ms = Number(done[done.length - 1]) - Number(done[1]);
    const figures = {
        rate: jobs / ((ms + DELAY) / 1000),
        flight,
        ...Object.fromEntries(before.map(([name, was]) =>
            [name, (cpu(pids[name]) - was) / jobs])),
        idle: idle / 1024,
        peak: memory(child.pid, 'VmHWM') / 1024,
    };

    await stop(child);

    return figures;
};

/* -> [figures, ...] */
const sends = async (dir, { rounds, jobs, say }) => {
    const redis = await startRedis(dir);
    const port = await freePort();
    const api = start(dir, 'graph-api', 'sh',
        more([path.join(ROOT, 'build', 'graph-api'), '--listen',
              `127.0.0.1:${port}`, '--no-status', '--delay', String(DELAY)]));
    const { Queue } = npm('bullmq6');
    const queue = new Queue(QUEUE, { connection: { path: redis.socket } });
    const all = [];

    queue.on('error', () => {});
    await until('graph-api', () => fetch(
        `http://127.0.0.1:${port}/standin/health`).then((a) => a.ok,
        () => false), api);

    for (let i = 0; i < rounds; i++) {
        const figures = await round(dir, redis, api, port, queue, jobs);

        all.push(figures);
        say(`sends ${i + 1}/${rounds}: ${Math.round(figures.rate)}/s, `
            + `${figures.cpu.toFixed(0)} µs, ${figures.peak.toFixed(0)} MB`);
    }

    await queue.close();
    await stop(api);

    return all;
};

module.exports = { sends };
