'use strict';

/*
 * Our scripts and stock BullMQ 6 and 5 on the same queues, both ways.
 *
 *   node tests/interop/stock.js
 */

const path = require('path');
const { start, modules } = require('../lua/server');
const { Sluice } = require('../lua/scripts');
const tap = require('../lua/tap');

const PROMPT = 4500;    /* ms; who is not woken sleeps for 5 s */

let server;
let redis;
let open = [];


class Place {
    constructor(major) {
        this.major = major;
        this.lib = require(path.join(modules, `bullmq${major}`));
        this.sluice = new Sluice(redis, major);
    }

    keep(client) {
        client.on('error', () => {});
        open.push(client);
        return client;
    }

    async queue(name = 'q') {
        const queue = this.keep(new this.lib.Queue(name, {
            connection: server.connection }));
        await queue.waitUntilReady();
        await tap.until(() => redis.hget(`bull:${name}:meta`, 'version'),
            'the meta of the stock queue');
        return queue;
    }

    async events(name = 'q') {
        const events = this.keep(new this.lib.QueueEvents(name, {
            connection: server.connection, lastEventId: '0' }));
        await events.waitUntilReady();
        return events;
    }

    worker(fn, options = {}, name = 'q') {
        const worker = this.keep(new this.lib.Worker(name, fn, {
            connection: server.connection, ...options }));
        worker.done = [];
        worker.on('completed', (job) => worker.done.push(job.name));
        return worker;
    }

    is(got, expected, name) {
        return tap.is(got, expected, `v${this.major}: ${name}`);
    }

    ok(pass, name, detail) {
        return tap.ok(pass, `v${this.major}: ${name}`, detail);
    }
}

/* a stock worker that sleeps on the marker, with nothing in it */
async function asleep(count = 1) {
    await tap.until(async () => {
        const list = await redis.client('LIST');
        return (list.match(/ flags=\w*b/g) || []).length >= count
            && !await redis.exists('bull:q:marker');
    }, 'the stock workers to sleep');
}


async function promptly(p) {
    await p.queue();
    const seen = [];
    for (let i = 0; i < 3; i += 1) {
        p.worker(async (job) => {
            seen.push([job.name, Date.now()]);
            await tap.until(() => seen.length % 3 === 0, 'the others', 3000);
            return job.data;
        });
    }
    const within = async (act, n, name, after = 0) => {
        await asleep(3);
        const begun = Date.now();
        await act();
        await tap.until(() => seen.length === n, name, 20000);
        const took = seen[n - 1][1] - begun - after;
        p.ok(took < PROMPT, `${name}: at once`, took);
    };
    await within(() => p.sluice.add({ name: 'a' }, { name: 'b' },
        { name: 'c', data: '{"n":1}' }), 3,
    'three sleeping workers take three jobs of ours');
    await within(() => p.sluice.add({ name: 'd', priority: 3 },
        { name: 'e', lifo: true }, { name: 'f', priority: 1 }), 6,
    'prioritized and lifo ones');
    await within(() => p.sluice.add({ name: 'g', delay: 400 },
        { name: 'h', delay: 400 }, { name: 'i', delay: 400 }), 9,
    'delayed ones when they are due', 400);
    p.is(seen.map(([name]) => name).slice(6).sort(), ['g', 'h', 'i'],
        'each of them');
}


/* jobs of ours that come back to the line wake a stock worker */
async function back(p) {
    await p.queue();
    const take = async (n = 1) => {
        await p.sluice.add(...Array(n).fill({ opts: '{"attempts":5}' }));
        const { jobs } = await p.sluice.take(n);
        await redis.del('bull:q:marker');
        return jobs.map((j) => j.id);
    };
    const ways = {
        'retried at once': async () => {
            const [id] = await take();
            return () => p.sluice.retry({ id, reason: 'x' });
        },
        'retried later': async () => {
            const [id] = await take();
            return () => p.sluice.retry({ id, reason: 'x', delay: 200 });
        },
        released: async () => {
            const [id] = await take();
            return () => p.sluice.retry({ id, mode: 'release' });
        },
        requeued: async () => {
            const [id] = await take();
            await p.sluice.finish([{ id, reason: 'x' }]);
            return () => p.sluice.requeue('failed', [id]);
        },
        recovered: async () => {
            const [id] = await take();
            await redis.del(`bull:q:${id}:lock`, 'bull:q:stalled-check');
            await p.sluice.recover(1);
            await tap.until(async () => !await redis.exists(
                'bull:q:stalled-check'), 'the interval');
            return () => p.sluice.recover(600000);
        },
        'left by a take of ours': async () => {
            await take(1);
            const sluice = new Sluice(redis, p.major);
            return async () => {
                const all = redis.multi();
                sluice.redis = all;
                sluice.add({}, {});
                all.del('bull:q:marker');
                sluice.call('take', [sluice.base],
                    [p.major, ...Sluice.takeArguments(1, 'tok')]);
                await all.exec();
            };
        },
    };
    for (const [name, prepare] of Object.entries(ways)) {
        await redis.flushall();
        const act = await prepare();
        const worker = p.worker(async () => 1, { skipStalledCheck: true });
        await asleep();
        const begun = Date.now();
        await act();
        await tap.until(() => worker.done.length === 1, name, 20000);
        p.ok(Date.now() - begun < PROMPT, `${name}: a stock worker has it`,
            Date.now() - begun);
        await worker.close();
    }
}


async function taken(p) {
    const queue = await p.queue();
    const events = await p.events();
    const seen = [];
    for (const e of ['added', 'waiting', 'active', 'completed', 'failed',
        'delayed', 'retries-exhausted', 'drained', 'stalled', 'duplicated'])
    {
        events.on(e, (a) => seen.push(a && a.jobId ? `${e} ${a.jobId}` : e));
    }
    const job = await queue.add('n', { text: 'hä\u20ac' }, { attempts: 1 });
    const reply = await p.sluice.take(5, 'tok', { worker: 'sluiced' });
    const got = reply.jobs[0];
    p.is([reply.status, got.id, got.name, got.data, JSON.parse(got.opts)
        .attempts], ['idle', '1', 'n', '{"text":"hä\u20ac"}', 1],
    'a stock job is taken');
    p.is(await queue.getJobState('1'), 'active', 'stock sees it active');
    p.is((await queue.getJob('1')).processedBy, 'sluiced', 'and by whom');
    p.is(await queue.remove('1'), 0, 'and cannot remove it');
    const result = job.waitUntilFinished(events, 10000);
    await p.sluice.finish([{ id: '1', value: '{"wamid":"w1"}' }], 1);
    p.is(await result, { wamid: 'w1' }, 'waitUntilFinished resolves');
    await tap.until(() => seen.includes('drained'), 'the event drained');
    p.is(seen.splice(0), ['added 1', 'waiting 1', 'active 1', 'completed 1',
        'drained'], 'QueueEvents sees each step');
    const done = await queue.getJob('1');
    p.is([done.returnvalue, done.attemptsMade, done.attemptsStarted,
        typeof done.finishedOn], [{ wamid: 'w1' }, 1, 1, 'number'],
    'the job as stock reads it');

    const bad = await queue.add('n', {}, { attempts: 2, backoff: 50 });
    await p.sluice.take();
    await p.sluice.retry({ id: bad.id, delay: 30, reason: 'first',
        stacktrace: '["Error: first"]' });
    p.is(await queue.getJobCounts('delayed', 'active', 'completed'),
        { delayed: 1, active: 0, completed: 1 }, 'the counts');
    await tap.until(async () => (await p.sluice.take()).jobs[0], 'the retry');
    const rejected = bad.waitUntilFinished(events, 10000).then(() => 'resolved',
        (e) => e.message);
    await p.sluice.finish([{ id: bad.id, reason: 'code 131056',
        stacktrace: '["Error: second"]' }]);
    p.is(await rejected, 'code 131056', 'waitUntilFinished rejects');
    await tap.until(() => seen.includes('drained'), 'the event drained');
    p.is(seen.splice(0), ['added 2', 'waiting 2', 'active 2', 'delayed 2',
        'waiting 2', 'active 2', 'failed 2', 'retries-exhausted 2', 'drained'],
    'QueueEvents sees each step of a failure');
    const failed = (await queue.getFailed())[0];
    p.is([failed.failedReason, failed.stacktrace, failed.attemptsMade],
        ['code 131056', ['Error: first', 'Error: second'], 2],
        'the failed job as stock reads it');

    await failed.retry();
    p.is(await queue.getJobState('2'), 'waiting', 'stock retries it');
    const again = p.worker(async () => { throw new Error('stock'); });
    await tap.until(async () => await queue.getFailedCount() === 1,
        'the stock failure');
    await again.close();
    p.is(await p.sluice.requeue('failed', ['2'], 1), [1], 'we requeue');
    const fresh = (await p.sluice.take()).jobs[0];
    p.is([fresh.id, fresh.atm, fresh.ats], ['2', '', '1'],
        'its attempts are forgotten');

    await queue.add('n', {}, { deduplication: { id: 'D' } });
    const owner = (await p.sluice.take()).jobs[0];
    p.is(owner.deid, 'D', 'a deduplicated job is taken');
    await p.sluice.finish([{ id: owner.id }]);
    const next = await queue.add('n', {}, { deduplication: { id: 'D' } });
    p.ok(next.id !== owner.id, 'and its key is free afterwards', next.id);
    await redis.set('bull:q:de:D', next.id, 'PX', 60000);
    await p.sluice.take();
    await p.sluice.finish([{ id: next.id }]);
    p.is(await redis.get('bull:q:de:D'), next.id, 'unless it has a time');
}


async function stalled(p) {
    const queue = await p.queue();
    await p.sluice.add({ name: 'ours' });
    await p.sluice.take(1, 'dead', { lock: 50 });
    await tap.until(async () => !await redis.exists('bull:q:1:lock'),
        'our lock');
    const worker = p.worker(async () => 'saved', { stalledInterval: 100 });
    await tap.until(() => worker.done.length === 1,
        'a stock worker to recover our job');
    p.is((await queue.getJob('1')).stalledCounter, 1,
        'stock recovers a job of ours');

    await worker.close();

    const checker = p.worker(null, { autorun: false, stalledInterval: 100 });
    await checker.startStalledCheckTimer();
    await p.sluice.add({ name: 'held' });
    await p.sluice.take(1, 'alive', { lock: 2000 });
    const over = Date.now() + 2500;
    let checks = 0;
    checker.on('stalled', () => { checks += 1; });
    const last = () => redis.get('bull:q:stalled-check');
    let was = null;
    let turns = 0;
    await tap.until(async () => {
        await p.sluice.extend(30000, ['2', 'alive']);
        const now = await last();
        turns += now && now !== was ? 1 : 0;
        was = now || was;
        return turns > 5 && Date.now() > over;
    }, 'some stalled checks');
    p.is([checks, await queue.getJobState('2')], [0, 'active'],
        'a renewed one is left alone');
    await checker.close();

    await redis.flushall();
    await queue.add('theirs', {});
    const dead = p.worker(null, { autorun: false, lockDuration: 50 });
    await dead.getNextJob('tok');
    await redis.del('bull:q:stalled-check');
    const moved = await tap.until(async () => {
        const ids = await p.sluice.recover(20, 0);
        return ids.length && ids;
    }, 'the recovery');
    p.is(moved, ['1'], 'we recover a job of stock');
    p.is((await p.sluice.take()).jobs[0].defa,
        'job stalled more than allowable limit', 'and see that it is over');
    await p.sluice.retry({ id: '1', mode: 'release' });
    const end = p.worker(async () => 'never');
    await tap.until(async () => await queue.getFailedCount() === 1,
        'the stock failure');
    p.is((await queue.getFailed())[0].failedReason,
        'job stalled more than allowable limit', 'as does stock');
    await end.close();
}


async function schedulers(p) {
    const queue = await p.queue();
    await queue.upsertJobScheduler('s1', { every: 200 }, { name: 'tick' });
    await p.sluice.add({ name: 'behind' });
    const passed = [];
    const refusal = await tap.until(async () => {
        const reply = await p.sluice.take(5);
        passed.push(...reply.jobs.map((job) => job.name));
        for (const { id } of reply.jobs) {
            await p.sluice.retry({ id, mode: 'release' });
        }
        return reply.status === 'refused' && reply;
    }, 'the scheduler\'s job');
    p.is(passed[0], 'behind', 'what is behind a scheduler\'s job is taken');
    const [id] = refusal.value.split(' ');
    p.ok(/^repeat:s1:\d+ is an iteration of a job scheduler$/
        .test(refusal.value), 'a scheduler\'s job is refused', refusal);
    p.is((await p.sluice.finish([{ id }])).codes, [-2], 'it is not ours to finish');
    p.is(await p.sluice.retry({ id }), [-2], 'nor to retry');
    const worker = p.worker(async () => 1);
    await tap.until(() => worker.done.filter((n) => n === 'tick').length > 2,
        'three iterations');
    p.ok(worker.done.includes('behind'), 'the scheduler goes on');
    await worker.close();
}


/* a flow of stock's: our children and their parent, and the other way round */
async function flows(p) {
    const queue = await p.queue();
    const flow = p.keep(new p.lib.FlowProducer({
        connection: server.connection }));
    const kids = new Sluice(redis, p.major, 'bull:kids:');
    const kin = await p.queue('kids');
    const tree = (opts = {}, more = {}) => flow.add({ name: 'parent',
        queueName: 'q', data: {}, opts: more, children: [1, 2].map((c) => ({
            name: `child${c}`, queueName: 'kids', data: { c }, opts })) });

    const worker = p.worker(async (job) => Object.values(await job
        .getChildrenValues()).sort());
    await tree();
    await asleep();
    const { jobs } = await kids.take(5, 'tok');
    p.is(jobs.map((job) => [job.name, /^bull:q:/.test(job.parentKey)]),
        [['child1', true], ['child2', true]], 'we take the children');
    p.is(await queue.getWaitingChildrenCount(), 1, 'their parent waits');
    const begun = Date.now();
    await kids.finish(jobs.map((job) => ({ id: job.id, value: String(
        JSON.parse(job.data).c * 10) })));
    await tap.until(() => worker.done.length === 1, 'the parent');
    p.ok(Date.now() - begun < PROMPT, 'a stock worker has it at once');
    const [done] = await queue.getCompleted();
    p.is(done.returnvalue, [10, 20], 'with the values of its children');

    await tree({ failParentOnFailure: true });
    const [one, two] = (await kids.take(5, 'tok')).jobs;
    await kids.finish([{ id: one.id, reason: 'no number' }]);
    await tap.until(async () => await queue.getFailedCount() === 1,
        'the parent to fail');
    const [failed] = await queue.getFailed();
    p.is(failed.failedReason, `child bull:kids:${one.id} failed`,
        'a child that we fail fails its parent');
    p.is(Object.keys((await failed.getDependencies()).unprocessed || {}),
        ['0'], 'the other is still to come');
    await kids.finish([{ id: two.id }]);

    await tree({ ignoreDependencyOnFailure: true });
    const pair = (await kids.take(5, 'tok')).jobs;
    await kids.finish(pair.map((job, i) => (i ? { id: job.id, value: '7' }
        : { id: job.id, reason: 'no number' })));
    await tap.until(() => worker.done.length === 2, 'the parent');
    const last = (await queue.getCompleted()).find((job) => job.id !== done.id);
    p.is(Object.values(await last.getIgnoredChildrenFailures()), ['no number'],
        'stock reads a failure that is ignored');
    await worker.close();

    await tree();
    p.is((await p.sluice.take(5)).status, 'idle', 'a parent waits for stock');
    const nurse = p.worker(async (job) => job.data.c * 10, {}, 'kids');
    const parent = await tap.until(async () => (await p.sluice.take(5))
        .jobs[0], 'the parent');
    p.is(Object.values(await redis.hgetall(`bull:q:${parent.id}:processed`))
        .sort(), ['10', '20'], 'then it is ours, with their values');
    await nurse.close();

    /* children of its own, while it runs */
    const added = await kin.add('late', {}, { parent: { id: parent.id,
        queue: 'bull:q' } });
    p.is((await p.sluice.finish([{ id: parent.id }])).codes, [-4],
        'it is not completed before its children');
    p.is(await p.sluice.retry({ id: parent.id, mode: 'children' }), [0],
        'but waits again');
    p.is(await queue.getJobState(parent.id), 'waiting-children', 'stock agrees');
    p.is(await added.remove().then(() => queue.getJobState(parent.id)),
        'waiting', 'until stock removes the last');
    const again = (await p.sluice.take()).jobs[0];
    p.is((await p.sluice.finish([{ id: again.id }])).codes, [0], 'and is over');
    p.is(await redis.exists(`bull:q:${parent.id}:dependencies`), 0,
        'nothing is left of it');
}


/* what came last while its owner was active follows it */
async function kept(p) {
    const queue = await p.queue();
    const events = await p.events();
    const seen = [];
    for (const e of ['added', 'completed', 'deduplicated']) {
        events.on(e, ({ jobId }) => seen.push(`${e} ${jobId}`));
    }
    const options = { deduplication: { id: 'K', keepLastIfActive: true } };
    await queue.add('n', { i: 1 }, options);
    await p.sluice.take();
    await queue.add('n', { i: 2 }, options);
    await queue.add('n', { i: 3 }, options);
    const worker = p.worker(async (job) => job.data.i);
    await asleep();
    await p.sluice.finish([{ id: '1' }]);
    await tap.until(() => worker.done.length === 1, 'the one that was kept');
    p.is((await queue.getJob('3')).returnvalue, 3,
        'a stock worker has what was kept for after our job');
    await tap.until(() => seen.includes('completed 3'), 'the events');
    p.is(seen, ['added 1', 'deduplicated 1', 'deduplicated 1', 'added 3',
        'completed 1', 'completed 3'], 'in their order');
    p.ok((await queue.add('n', {}, options)).id !== '3', 'the key is free');
}


/* a key with a ttl of either side holds for the other, and can be lifted */
async function deduplicated(p) {
    const queue = await p.queue();
    const events = await p.events();
    const seen = [];
    events.on('deduplicated', (e) => seen.push([e.jobId, e.deduplicationId,
        e.deduplicatedJobId]));
    const opts = '{"attempts":0,"de":{"id":"k","ttl":60000}}';
    const ours = (id, key = 'k') => p.sluice.add({ id, opts,
        dedupe: `60000:${key}` });

    await ours('e-1');
    p.is(await queue.getDeduplicationJobId('k'), 'e-1',
        'getDeduplicationJobId finds ours');
    const job = await queue.getJob('e-1');
    p.is([job.deduplicationId, job.opts.deduplication], ['k',
        { id: 'k', ttl: 60000 }], 'the job says its key');
    const stock = await queue.add('s', {}, { deduplication: { id: 'k' } });
    p.is(stock.id, 'e-1', 'a stock add with the key is ours');
    p.is(await ours('e-2'), [['e-1']], 'and so is another of ours');
    await tap.until(() => seen.length === 2, 'the events');
    p.is([seen[0].slice(0, 2), seen[1]], [['e-1', 'k'], ['e-1', 'k', 'e-2']],
        'QueueEvents tells of both');

    const worker = p.worker(async () => 1, { removeOnComplete: { count: 0 } });
    await tap.until(() => worker.done.length === 1, 'a stock worker');
    await tap.until(async () => !await redis.exists('bull:q:e-1'),
        'the job to be removed');
    p.is(await ours('e-3'), [['e-1']],
        'the key outlives the job that a stock worker removes');
    p.is((await queue.add('s', {}, { deduplication: { id: 'k' } })).id, 'e-1',
        'for stock clients too');
    await worker.close();

    p.is(await queue.removeDeduplicationKey('k'), 1,
        'removeDeduplicationKey lifts ours');
    p.is(await ours('e-4'), [1], 'then the next is the first');
    await (await queue.getJob('e-4')).remove();
    p.is(await ours('e-5'), [1], 'a job removed by hand takes its key along');

    const first = await queue.add('s', {}, { deduplication: { id: 'other',
        ttl: 60000 } });
    p.is(await ours('e-6', 'other'), [[first.id]], 'we respect a stock key');
    const simple = await queue.add('s', {}, { deduplication: { id: 'plain' } });
    p.is(await ours('e-7', 'plain'), [[simple.id]], 'and one without a ttl');
    const { jobs } = await p.sluice.take(9);
    await p.sluice.finish(jobs.map((j) => ({ id: j.id })), 0);
    p.is(await ours('e-8', 'plain'), [1], 'which ends with its job');
    p.is((await ours('e-9', 'other'))[0], [first.id], 'the other does not');
}


async function paused(p) {
    const queue = await p.queue();
    await queue.add('a', {});
    await p.sluice.add({ name: 'b' });
    await queue.pause();
    await p.sluice.add({ name: 'c' }, { name: 'p', priority: 1 });
    await queue.add('d', {});
    await p.sluice.add({ name: 'e' });
    p.is((await p.sluice.take(9)).status, 'paused', 'we take nothing');
    const counts = await queue.getJobCounts('wait', 'paused', 'prioritized');
    p.is(Object.values(counts).reduce((x, y) => x + y, 0), 6,
        'stock counts them all');
    const worker = p.worker(async () => 1);
    await queue.resume();
    await tap.until(() => worker.done.length === 6, 'all six', 20000);
    p.is(worker.done, ['a', 'b', 'c', 'd', 'e', 'p'],
        'pause and resume lose nothing, nor the order');
    p.is(await redis.exists('bull:q:paused'), 0, 'and leave nothing');
}


tap.run(async () => {
    server = await start('stock');
    redis = server.redis;
    try {
        for (const major of [6, 5]) {
            for (const part of [promptly, back, taken, stalled, schedulers,
                flows, kept, deduplicated, paused])
            {
                await redis.flushall();
                await part(new Place(major));
                await Promise.all(open.map((c) => c.close(true)));
                open = [];
            }
        }
    } finally {
        await server.stop();
    }
});
