#!/usr/bin/env node
'use strict';

/*
 * Stock BullMQ and ours, both as producers and as workers, on one queue: jobs
 * with delays and priorities, failures and retries, while the workers of either
 * side are killed.  At the end each job is in one place, and a stock QueueEvents
 * has seen one end of each.
 *
 *   MIXED_JOBS=2000   of each major (make fault: 100000)
 *   MIXED_KILLS=2     how often a worker is killed (make fault: 20)
 *   FAULT_SEED=N
 */

const http = require('http');
const path = require('path');

const [, , role, major, socket, url] = process.argv;
const { modules } = require('../lua/server');

/* a stock worker in a process of its own, which may be killed */
if (role === 'worker') {
    const { Worker, UnrecoverableError } = require(path.join(modules,
        `bullmq${major}`));
    const worker = new Worker('q', async (job) => {
        const answer = await fetch(`${url}/v26.0/1/messages`, {
            method: 'POST', body: JSON.stringify(job.data) });
        if (answer.status === 400) {
            throw new UnrecoverableError('not deliverable');
        }
        if (answer.status !== 200) {
            throw new Error(`answer ${answer.status}`);
        }
        return { id: (await answer.json()).messages[0].id };
    }, { connection: { path: socket, maxRetriesPerRequest: null },
        concurrency: 20, lockDuration: 1000, stalledInterval: 500,
        maxStalledCount: 1000 });
    worker.on('error', () => {});
} else {
    main();
}

function main() {
    const { Sluice } = require('../lua/scripts');
    const { run, ok, is, until, House, start, closing, message }
        = require('../worker/house');
    const SEED = +(process.env.FAULT_SEED || Date.now() % 1e9);
    const JOBS = Number(process.env.MIXED_JOBS) || 2000;
    const KILLS = Number(process.env.MIXED_KILLS) || 2;
    const BATCH = 200;
    const DELAY = 3;        /* ms until the provider answers */
    const random = require('../lua/random_number')(SEED);
    const house = new House('mixed');
    const asked = new Map();       /* to -> how often */
    const sent = new Map();        /* to -> how often it was accepted */

    /* the provider: a tenth cannot be reached, another fails once */
    const dead = (to) => to.endsWith('7');
    const sink = http.createServer((request, answer) => {
        let text = '';
        request.on('data', (data) => { text += data; });
        request.on('end', () => setTimeout(() => {
            const { to } = JSON.parse(text);
            const n = (asked.get(to) || 0) + 1;
            asked.set(to, n);
            answer.setHeader('content-type', 'application/json');
            if (dead(to)) {
                answer.statusCode = 400;
                answer.end('{"error":{"code":131026,"message":"no"}}');
            } else if (to.endsWith('3') && n === 1) {
                answer.statusCode = 500;
                answer.end('{"error":{"code":1,"message":"again"}}');
            } else {
                sent.set(to, (sent.get(to) || 0) + 1);
                answer.end(`{"messages":[{"id":"wamid.${to}"}]}`);
            }
        }, DELAY));
    });

    const to = (i) => `1${String(i).padStart(9, '0')}`;
    const options = (i) => ({ attempts: 20,
        backoff: { type: 'fixed', delay: 20 },
        ...(i % 5 === 1 ? { delay: 1 + random(500) } : {}),
        ...(i % 7 === 2 ? { priority: 1 + random(3) } : {}) });

    /* by turns */
    async function produce(queue, ours) {
        for (let i = 0; i < JOBS; i += BATCH) {
            const list = Array.from({ length: Math.min(BATCH, JOBS - i) },
                (_, k) => ({ i: i + k, opts: options(i + k) }));
            if (i / BATCH % 2) {
                await queue.addBulk(list.map((one) => ({ name: 'stock',
                    data: message(to(one.i)), opts: one.opts })));
            } else {
                await ours.add(...list.map((one) => ({ id: `m-${one.i}`,
                    name: 'ours', data: JSON.stringify(message(to(one.i))),
                    opts: JSON.stringify(one.opts), delay: one.opts.delay,
                    priority: one.opts.priority })));
            }
        }
    }

    async function mixed(bullmq) {
        const say = (what) => `${what}, BullMQ ${bullmq}, ${JOBS} jobs`;
        const lib = require(path.join(modules, `bullmq${bullmq}`));
        const connect = { connection: house.connection };
        const queue = new lib.Queue('q', { ...connect, streams: {
            events: { maxLen: 40 * JOBS } } });
        const events = new lib.QueueEvents('q', { ...connect,
            lastEventId: '0' });
        for (const client of [queue, events]) {
            client.on('error', () => {});
            closing.push(() => client.close());
            await client.waitUntilReady();
        }
        await until(() => house.redis.hget('bull:q:meta', 'opts.maxLenEvents'),
            'the meta of the stock queue');
        asked.clear();
        sent.clear();

        const ends = new Map();    /* id -> how it ended, as events told */
        for (const end of ['completed', 'failed']) {
            events.on(end, ({ jobId }) => ends.set(jobId,
                [...(ends.get(jobId) || []), end]));
        }

        const here = `http://127.0.0.1:${sink.address().port}`;
        const file = house.write(`
pace = 1
channel "w" { base_url = "${here}" token = "T" }
number "106540352242922" { rate = 100000 }
queue "q" { channel = "w" prefix = "bull" bullmq = ${bullmq} concurrency = 6
            lock = "1s" stalled = "500ms" max_stalled = 1000
            keep_completed = -1 keep_completed_age = "0s" }
`);
        const starters = [
            () => start(path.join(__dirname, '..', '..', 'build', 'sluiced'),
                ['-c', file]),
            () => start(process.execPath, [__filename, 'worker', bullmq,
                house.socket, here]),
        ];
        const workers = starters.map((fn) => fn());

        const made = produce(queue, new Sluice(house.redis, bullmq));
        const over = async () => await house.redis.zcard('bull:q:completed')
            + await house.redis.zcard('bull:q:failed');
        for (let n = 0; n < KILLS; n += 1) {
            const goal = JOBS * (n + random(100) / 100) / (KILLS + 1);
            await until(async () => await over() >= goal, `${goal} jobs`,
                60000 + JOBS * 10);
            workers[n % 2].kill('SIGKILL');
            await workers[n % 2].ended;
            workers[n % 2] = starters[n % 2]();
        }
        await made;
        await until(async () => await over() === JOBS, say('the end'),
            60000 + JOBS * 10);

        const unreachable = Array.from({ length: JOBS }, (_, i) => to(i))
            .filter(dead).length;
        const states = ['wait', 'paused', 'active', 'delayed', 'prioritized',
            'waiting-children', 'completed', 'failed'];
        is(await queue.getJobCounts(...states), { wait: 0, paused: 0, active: 0,
            delayed: 0, prioritized: 0, 'waiting-children': 0,
            completed: JOBS - unreachable, failed: unreachable },
        say('each is completed, or failed for good'));
        const [completed, failed] = await Promise.all(['completed', 'failed']
            .map((name) => house.redis.zrange(`bull:q:${name}`, 0, -1)));
        const all = new Map([...completed.map((id) => [id, 'completed']),
            ...failed.map((id) => [id, 'failed'])]);
        is(all.size, JOBS, say('each in one place'));
        await until(() => ends.size === JOBS, 'all events', 60000)
            .catch(() => {});
        is([...all].filter(([id, end]) => String(ends.get(id)) !== end)
            .slice(0, 5).map(([id]) => [id, ends.get(id)]), [],
        say('a stock QueueEvents saw one end of each, that one'));
        is((await house.redis.keys('bull:q:*:lock')).length, 0,
            say('no lock is left'));

        let doubled = 0;
        const odd = [];
        const by = [0, 0];
        for (const id of completed) {
            const [data, stc, ats, value] = await house.redis.hmget(
                `bull:q:${id}`, 'data', 'stc', 'ats', 'returnvalue');
            const times = sent.get(JSON.parse(data).to) || 0;
            doubled += times > 1;
            by[/provider_id/.test(value) ? 0 : 1] += 1;
            if (times === 0 || times > 1 + +stc || !ats) {
                odd.push([id, times, stc, ats]);
            }
        }
        is(odd.slice(0, 5), [],
            say('none is lost; sent twice only what stalled'));
        ok(by[0] > 0 && by[1] > 0, say('both sides worked'), by);
        console.log(`# BullMQ ${bullmq}: ${JOBS} jobs, ${by[0]} completed by ours, ${
            by[1]} by stock, ${failed.length} failed; ${KILLS} kills, ${doubled
        } sent twice`);

        workers.forEach((worker) => worker.kill('SIGTERM'));
        is(await workers[0].ended, 0, say('sluiced ends with 0'));
        workers[1].kill('SIGKILL');
        await workers[1].ended;
        await events.close();
        await queue.close();
        await house.redis.flushall();
    }

    run(async () => {
        console.log(`# FAULT_SEED=${SEED}`);
        await house.startRedis();
        await new Promise((done) => { sink.listen(0, '127.0.0.1', done); });
        await mixed(6);
        await mixed(5);
        sink.close();
    });
}
