'use strict';

/*
 * The backend of tests/interop/adapter: each case is done by stock BullMQ 6 on its
 * own scripts and on ours, and what it returns and leaves behind is compared.
 * BullMQ's own tests are run against it by `make interop-bullmq`.
 *
 *   node tests/interop/adapter.js [case ...]
 */

const path = require('path');
const { start, modules } = require('../lua/server');
const { dump, normal, differences } = require('../lua/keyspace');
const { factory } = require('./adapter/backend');
const tap = require('../lua/tap');

const bullmq = require(path.join(modules, 'bullmq6'));
const only = process.argv.slice(2);
const HOUR = 3600000;
const T = (Math.floor(Date.now() / HOUR) + 48) * HOUR;

let server;

class Place {
    constructor(backend) {
        this.backend = backend;
        this.redis = server.redis;
        this.open = [];
        this.connection = server.connection;
    }

    keep(client) {
        client.on('error', () => {});
        this.open.push(client);
        return client;
    }

    async queue(name = 'q') {
        const queue = this.keep(new bullmq.Queue(name,
            { connection: this.connection }, this.backend));
        await queue.waitUntilReady();
        await tap.until(() => this.redis.hget(`bull:${name}:meta`, 'version'),
            'the meta of the queue');
        return queue;
    }

    worker(fn, options = {}, name = 'q') {
        return this.keep(new bullmq.Worker(name, fn, { autorun: fn !== null,
            connection: this.connection, ...options }, this.backend));
    }

    events(name = 'q') {
        return this.keep(new bullmq.QueueEvents(name,
            { connection: this.connection, lastEventId: '0' }, this.backend));
    }

    flow() {
        return this.keep(new bullmq.FlowProducer(
            { connection: this.connection }, this.backend));
    }

    async close() {
        await Promise.all(this.open.map((client) => client.close()));
    }
}

/* what a call that is refused says */
const refused = (promise) => promise.then(() => null, (e) => [e.code, e.message]);
const ids = (jobs) => jobs.map((job) => job.id);
/* two times in one ms are in another order than in two */
const tick = () => new Promise((done) => { setTimeout(done, 3); });

const cases = {
    async line(p) {
        const q = await p.queue();
        const out = [];
        for (const opts of [{}, { lifo: true }, { priority: 3 }, { priority: 2 },
            { delay: HOUR }, { jobId: 'A' }, { jobId: 'A', priority: 1 },
            { attempts: 3, backoff: 1000, removeOnComplete: { age: 60,
                count: 5 }, keepLogs: 7, stackTraceLimit: 2, sizeLimit: 99 },
            { jobId: 'B', delay: HOUR, priority: 4, lifo: true }])
        {
            await tick();
            out.push((await q.add('n', { text: 'a/b\u00e9', list: [] }, opts))
                .id);
        }
        out.push(ids(await q.addBulk([{ name: 'x', data: 1 }, { name: 'y',
            data: [2], opts: { priority: 1 } }, { name: 'z', data: null,
            opts: { jobId: 'A' } }])));
        out.push(ids(await q.addBulk([{ name: 'x', data: 1 }, { name: 'y',
            data: 2, opts: { deduplication: { id: 'D' } } }, { name: 'y',
            data: 3, opts: { deduplication: { id: 'D' } } }])));
        out.push(await q.getJobCounts(), ids(await q.getJobs()),
            await Promise.all(['1', '3', '5', 'A', 'none'].map((id) =>
                q.getJobState(id))));
        return out;
    },

    async attempts(p) {
        const q = await p.queue();
        const w = p.worker(null, { removeOnComplete: { count: 2 } });
        for (let i = 0; i < 4; i += 1) {
            await q.add('n', { i }, { attempts: 3, backoff: { type: 'fixed',
                delay: HOUR }, stackTraceLimit: 2 });
        }
        await q.add('last', {}, { attempts: 2 });
        const one = await w.getNextJob('t1');
        await one.updateProgress({ half: true });
        await one.updateData({ other: [1, 'x'] });
        const out = [await one.log('a'), await one.log('b'),
            await one.extendLock('t1', 60000), await one.extendLock('t2', 1)];
        out.push(await refused(one.moveToCompleted(1, 'other', false)));
        const [data, second] = await one.moveToCompleted({ ok: 'yes' }, 't1');
        out.push(data.name, data.attemptsStarted, second);
        const two = await q.getJob(second);
        /* on another line the stack is another text */
        const failing = new bullmq.UnrecoverableError('never');
        failing.stack = 'Error: never\n at x';
        out.push(await two.moveToFailed(failing, 't1', false));
        const later = new Error('again');
        later.stack = 'Error: again\n at y';
        const three = await w.getNextJob('t3');
        await three.moveToFailed(later, 't3', false);
        await tick();
        const four = await w.getNextJob('t4');
        await four.moveToDelayed(Date.now() + HOUR, 't4');
        const five = await w.getNextJob('t5');
        await five.moveToFailed(later, 't5', false);
        const again = await w.getNextJob('t6');
        out.push(again.id, again.attemptsMade, again.attemptsStarted,
            again.stacktrace, await refused(again.moveToWait('t5')));
        await again.moveToWait('t6');
        out.push(await refused(two.promote()), await refused(two.changeDelay(1)));
        await two.retry('failed', { resetAttemptsMade: true,
            resetAttemptsStarted: true });
        out.push(await q.getJobCounts(), await one.getState(),
            await two.getState(), (await q.getJobLogs(one.id)).logs);
        return out;
    },

    async deduplication(p) {
        const q = await p.queue();
        const w = p.worker(null);
        const add = async (deduplication, opts = {}) => (await q.add('n', {},
            { deduplication: { id: 'D', ...deduplication }, ...opts })).id;
        const out = [await add({}), await add({}), await q.getDeduplicationJobId(
            'D')];
        await (await w.getNextJob('t')).moveToCompleted(1, 't', false);
        out.push(await add({ ttl: HOUR }), await add({ ttl: HOUR }));
        await (await q.getJob(out[3])).remove();
        out.push(await add({ replace: true }, { delay: HOUR }),
            await add({ replace: true }, { delay: HOUR }));
        out.push(await q.removeDeduplicationKey('D'));
        await q.drain(true);
        out.push(await add({ keepLastIfActive: true, ttl: HOUR }));
        const job = await w.getNextJob('t');
        out.push(await add({ keepLastIfActive: true }));
        await job.moveToCompleted(1, 't', false);
        out.push(ids(await q.getWaiting()));
        return out;
    },

    async flow(p) {
        const q = await p.queue();
        const parents = await p.queue('p');
        const w = p.worker(null);
        const above = p.worker(null, {}, 'p');
        const flow = p.flow();
        const child = (jobId, opts) => ({ name: 'c', queueName: 'q',
            data: { jobId }, opts: { jobId, ...opts } });
        const { job } = await flow.add({ name: 'p', queueName: 'p',
            opts: { jobId: 'P', priority: 2 }, children: [child('C1'),
                child('C2', { ignoreDependencyOnFailure: true }), { ...child(
                    'C3'), children: [child('C4')] }] });
        const out = [(await flow.getFlow({ queueName: 'p', id: 'P' })).children
            .length, await job.getState()];
        const end = async (fail) => {
            const one = await w.getNextJob('t');
            const error = new Error('no');
            error.stack = 'no';
            await (fail ? one.moveToFailed(error, 't', false)
                : one.moveToCompleted({ of: one.id }, 't', false));
            return one.id;
        };
        out.push(await end(), await end(true), await job.getDependenciesCount(),
            await end(), await job.getState(), await end(), await job.getState());
        const taken = await above.getNextJob('t');
        out.push(await taken.getChildrenValues(),
            await taken.getIgnoredChildrenFailures());
        await flow.add(child('C5', { parent: { id: 'P', queue: 'bull:p' },
            failParentOnFailure: true }));
        out.push(await refused(taken.moveToCompleted(1, 't', false)),
            await taken.moveToWaitingChildren('t'), await end(true),
            await job.getState(), (await above.getNextJob('t')).deferredFailure);
        out.push(await refused(flow.add(child('C6', { parent: { id: 'none',
            queue: 'bull:p' } }))));
        out.push(await q.getJobCounts(), await parents.getJobCounts());
        return out;
    },

    async admin(p) {
        const q = await p.queue();
        const w = p.worker(null);
        await q.pause();
        await q.addBulk([1, 2, 3].map((i) => ({ name: 'n', data: i })));
        await q.add('n', 4, { priority: 5 });
        for (let i = 0; i < 4; i += 1) {
            await tick();
            await q.add('later', i, { delay: HOUR });
        }
        const out = [await q.isPaused(), await w.getNextJob('t') === undefined];
        await q.resume();
        const job = await q.getJob('5');
        await job.changeDelay(2 * HOUR);
        await (await q.getJob('1')).changePriority({ priority: 6 });
        await (await q.getJob('3')).changePriority({ priority: 5, lifo: true });
        out.push((await q.getJob('1')).priority, ids(await q.getPrioritized()));
        await (await q.getJob('6')).promote();
        out.push(ids(await q.getWaiting()), ids(await q.getPrioritized()));
        for (let i = 0; i < 2; i += 1) {
            const one = await w.getNextJob('t');
            const error = new Error('no');
            error.stack = 'no';
            await (i === 1 ? one.moveToCompleted(1, 't', false)
                : one.moveToFailed(error, 't', false));
            await tick();
        }
        out.push(ids(await q.getFailed()), await q.getJobCounts());
        await q.retryJobs({ count: 1 });
        await q.retryJobs({ state: 'completed' });
        await q.promoteJobs();
        out.push(await q.getJobCounts(), await q.remove('1'),
            await q.remove('none'), (await q.clean(0, 2, 'wait')).length,
            await q.clean(HOUR, 9, 'completed'), await q.getJobCounts());
        const active = await w.getNextJob('t');
        /* stock's promoteJobs() has left it as it was */
        await p.redis.hset(`bull:q:${active.id}`, 'delay', 0);
        out.push(await q.remove(active.id), await refused(q.obliterate()));
        await q.drain();
        return [...out, await q.getJobCounts()];
    },

    async obliterate(p) {
        const q = await p.queue();
        await q.addBulk([1, 2, 3].map((i) => ({ name: 'n', data: i,
            opts: { delay: i === 3 ? HOUR : 0 } })));
        await p.worker(null).getNextJob('t');
        await q.obliterate({ force: true, count: 1 });
        return q.getJobCounts();
    },

    async scheduler(p) {
        const q = await p.queue();
        const w = p.worker(null);
        const every = { every: HOUR, startDate: T + 1000 };
        const yearly = { pattern: '0 0 1 1 *', tz: 'UTC', limit: 2 };
        const out = [(await q.upsertJobScheduler('e', every, { name: 'tick',
            data: { x: 1 }, opts: { attempts: 2 } })).id];
        out.push((await q.upsertJobScheduler('y', yearly)).id);
        for (const job of await q.getDelayed()) {
            await job.promote();
        }
        for (let i = 0; i < 2; i += 1) {
            out.push((await w.getNextJob('t')).id);
        }
        out.push(await q.getJobSchedulers(), ids(await q.getDelayed()),
            await refused(q.remove((await q.getDelayed())[0].id)));
        out.push(await q.removeJobScheduler('e'), await q.removeJobScheduler('e'),
            await q.getJobSchedulersCount());
        return out;
    },

    async limits(p) {
        const q = await p.queue();
        const w = p.worker(null, { limiter: { max: 2, duration: HOUR },
            metrics: { maxDataPoints: 10 } });
        await q.addBulk([1, 2, 3, 4].map((i) => ({ name: 'n', data: i })));
        const one = await w.getNextJob('t');
        await one.moveToCompleted(1, 't', false);
        const two = await w.getNextJob('t');
        const out = [two.id, await w.getNextJob('t') === undefined,
            await q.getRateLimitTtl(2) > 0, (await q.getMetrics('completed'))
                .meta.count];
        await q.removeRateLimitKey();
        await q.setGlobalConcurrency(1);
        const other = p.worker(null);
        out.push(await q.isMaxed(), await other.getNextJob('t') === undefined);
        await q.setGlobalConcurrency(2);
        out.push((await other.getNextJob('t')).id);
        await q.removeGlobalConcurrency();
        await q.rateLimit(HOUR);
        await q.setGlobalRateLimit(1, HOUR);
        const third = p.worker(null);
        out.push(await third.getNextJob('t') === undefined,
            await q.getRateLimitTtl() > 0);
        return out;
    },

    async stalled(p) {
        const q = await p.queue();
        const w = p.worker(null, { maxStalledCount: 1 });
        await q.add('n', 1, { priority: 2 });
        const out = [];
        for (let i = 0; i < 2; i += 1) {
            const job = await w.getNextJob('t');
            out.push(job.deferredFailure, job.attemptsStarted);
            await p.redis.del('bull:q:1:lock');
            for (let j = 0; j < 2; j += 1) {
                out.push(await w.backend.moveStalledJobsToWait());
                await p.redis.del('bull:q:stalled-check');
            }
        }
        const job = await w.getNextJob('t');
        return [...out, job.deferredFailure, job.stalledCounter];
    },
};

/* real workers: what they did is compared, not in which order */
async function live(p) {
    const q = await p.queue();
    q.setMaxListeners(100);
    const events = p.events();
    const seen = {};
    for (const name of ['completed', 'failed', 'retries-exhausted']) {
        events.on(name, () => { seen[name] = (seen[name] || 0) + 1; });
    }
    await events.waitUntilReady();
    const done = [];
    const worker = p.worker(async (job) => {
        if (job.data % 3 === 0 && job.attemptsMade < 2) {
            throw new Error('not yet');
        }
        if (job.data % 10 === 7) {
            throw new Error('never');
        }
        await job.updateProgress(job.data);
        return { double: 2 * job.data };
    }, { concurrency: 5 });
    worker.on('completed', (job, value) => done.push([job.data, value.double,
        job.attemptsMade]));
    const jobs = await q.addBulk(Array.from({ length: 60 }, (_, i) => ({
        name: 'n', data: i, opts: { attempts: 3, delay: i % 4 === 0 ? 20 : 0,
            priority: i % 5, backoff: i % 2 ? { type: 'fixed', delay: 10 }
                : 0 } })));
    const ends = await Promise.all(jobs.map((job) => job.waitUntilFinished(events,
        30000).then((v) => v, (e) => e.message)));
    await tap.until(() => (seen.completed || 0) + (seen.failed || 0) === 60
        && done.length === seen.completed, 'the events');
    return [ends, done.sort((a, b) => a[0] - b[0]), seen,
        await q.getJobCounts()];
}


/* a delay is up to a time, or of a clock */
function timeless(left) {
    for (const { type, value } of Object.values(left)) {
        for (const fields of type === 'hash' ? [value, value.opts || {}] : []) {
            if (fields.delay > HOUR / 2) {
                fields.delay = '<delay>';
            }
            if (fields.timestamp) {
                fields.timestamp = '<ms>';
            }
        }
    }
    return left;
}

async function run(fn, backend, keys) {
    await server.redis.flushall();
    const place = new Place(backend);
    let result;
    try {
        result = await fn(place);
    } catch (e) {
        result = e.stack;
    }
    const left = keys
        ? timeless(normal(await dump(server.redis), new Set([T + 1000]))) : {};
    await place.close();
    return [JSON.stringify(result), left];
}

tap.run(async () => {
    server = await start('adapter');
    const ours = factory(bullmq);
    try {
        for (const [name, fn] of [...Object.entries(cases), ['live', live]]) {
            if (only.length > 0 && !only.includes(name)) {
                continue;
            }
            const [want, stock] = await run(fn, undefined, fn !== live);
            const [got, left] = await run(fn, ours, fn !== live);
            tap.ok(got === want, `${name}: results`,
                `got      ${got}\nexpected ${want}`);
            if (fn !== live) {
                const found = differences(left, stock);
                tap.ok(found === '', `${name}: keys`, found);
            }
        }
    } finally {
        await server.stop();
    }
});
