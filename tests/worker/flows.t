#!/usr/bin/env node
'use strict';

/* Flows and kept jobs of stock clients, worked by sluiced. */

const path = require('path');
const { run, ok, is, until, House, Graph, message } = require('./house');
const { FlowProducer, Worker } = require(path.join(__dirname, '..', 'interop',
    'node_modules', 'bullmq6'));

const KIDS = 'queue "kids" { kind = noop metrics = 60 }';
const PARENTS = 'queue "parents" { kind = noop }';

class Flows {
    constructor(house) {
        this.house = house;
        this.parents = house.queue('parents');
        this.kids = house.queue('kids');
        this.flow = new FlowProducer({ connection: house.connection });
    }

    tree(children, opts = {}) {
        return this.flow.add({ name: 'parent', queueName: 'parents', data: {},
            opts, children: children.map((o, c) => ({ name: 'child',
                queueName: 'kids', data: { c }, opts: o })) });
    }

    stock(name, fn) {
        const worker = new Worker(name, fn, { connection:
            this.house.connection });
        worker.on('error', () => {});
        return worker;
    }

    ends(job, state = 'completed') {
        return until(async () => await job.getState() === state,
            `${job.name} to be ${state}`);
    }
}

/* children here, parents there */
async function children(f) {
    const worker = f.house.run(KIDS);
    const seen = [];
    const stock = f.stock('parents', async (job) => {
        seen.push(Object.values(await job.getChildrenValues()));
    });
    await worker.ready();
    const trees = await Promise.all(Array.from({ length: 100 },
        () => f.tree([{}, {}, {}])));
    await until(() => seen.length === 100, 'the parents');
    ok(seen.every((values) => values.length === 3
        && values.every((v) => v === null)),
    'a stock worker has each parent, with the values of its children');
    await f.ends(trees[0].job);
    is(await f.parents.getWaitingChildrenCount(), 0, 'none waits on');
    is((await f.kids.getMetrics('completed')).meta.count, 300,
        'the children are in the metrics');

    const { job } = await f.tree([{}], { delay: 200 });
    await f.ends(job);
    ok(true, 'a parent with a delay is done after it');
    await stock.close();
    is(await worker.stop(), 0, 'it ends with 0');
    is(worker.lines('result_refused').length, 0, 'every result was accepted');
}

/* and the other way round */
async function parents(f) {
    const worker = f.house.run(PARENTS);
    await worker.ready();
    const fails = f.stock('kids', async (job) => {
        if (job.data.c === 0) {
            throw new Error('no');
        }
    });
    const failed = await f.tree([{ failParentOnFailure: true }, {}]);
    await f.ends(failed.job, 'failed');
    const [kid] = failed.children.map((c) => c.job.id);
    is((await f.parents.getJob(failed.job.id)).failedReason,
        `child bull:kids:${kid} failed`, 'a child of stock fails its parent');
    const ignored = await f.tree([{ ignoreDependencyOnFailure: true }, {}]);
    await f.ends(ignored.job);
    ok(true, 'or is ignored');
    const waits = await f.tree([{}, {}]);
    await f.ends(waits.children[1].job);
    await f.ends(waits.children[0].job, 'failed');
    is(await waits.job.getState(), 'waiting-children', 'or is waited for');
    await fails.close();
    is(await worker.stop(), 0, 'it ends with 0');
}

async function all(f) {
    const worker = f.house.run(`${KIDS}\n${PARENTS}`);
    await worker.ready();
    const { job } = await f.tree([{}, { removeOnComplete: true }, {}]);
    await f.ends(job);
    is(Object.keys((await job.getDependencies()).processed).length, 3,
        'parents and children, all by sluiced');
    const options = { deduplication: { id: 'K', keepLastIfActive: true } };
    await f.kids.add('kept', { i: 0 }, options);
    for (let i = 1; i < 200; i += 1) {
        await f.kids.add('kept', { i }, options);
    }
    await until(async () => !await f.house.redis.exists('bull:kids:de:K')
        && !await f.house.redis.exists('bull:kids:dn:K'), 'the last');
    /* one that comes while its owner waits is swallowed, as with stock */
    const done = (await f.kids.getCompleted(0, -1)).filter((j) => j.name
        === 'kept').map((j) => j.data.i);
    ok(done.includes(0) && new Set(done).size === done.length,
        'jobs of a deduplication id are done once', done);
    is(await f.kids.getJobCountByTypes('waiting', 'active', 'delayed'), 0,
        'and none is left');
    is(await worker.stop(), 0, 'it ends with 0');
}

/* children that are added while their parent runs, which is a message */
async function late(f) {
    const graph = await Graph.start();
    const worker = f.house.run(`channel "w" { token = t base_url = "${
        graph.url}" }\nqueue "parents" { kind = send channel = w }`);
    await worker.ready();

    /* a message on its way, with a child; it has no answer before `then` */
    const parent = async (to, opts) => {
        graph.child.kill('SIGSTOP');
        const job = await f.parents.add('parent', message(to), opts);
        await f.ends(job, 'active');
        const child = await f.kids.add('child', {}, { parent: { id: job.id,
            queue: 'bull:parents' }, failParentOnFailure: true });
        return [job, child];
    };
    const fails = (reason) => f.stock('kids', async () => {
        if (reason) {
            throw new Error(reason);
        }
        return 7;
    });

    const [waits, child] = await parent('15550000001');
    graph.child.kill('SIGCONT');
    await f.ends(waits, 'waiting-children');
    is(worker.lines('children_unfinished').map((line) => line.job), [waits.id],
        'a parent whose child is not done waits for it');
    let kids = fails();
    await f.ends(child);
    await f.ends(waits);
    is([(await graph.requests('15550000001')).length, Object.values(
        await waits.getChildrenValues())], [1, [7]],
    'and is done after it, sent once');
    await kids.close();

    for (const [to, keep] of [['15550000002', false], ['15550000003', true]]) {
        const [dead, failed] = await parent(to, { removeOnFail: keep });
        kids = fails('no');
        await f.ends(failed, 'failed');
        graph.child.kill('SIGCONT');
        await f.ends(dead, keep ? 'unknown' : 'failed');
        if (!keep) {
            const now = await f.parents.getJob(dead.id);
            const text = `Cannot complete job ${dead.id} because it has at`
                + ' least one failed child';
            is([now.failedReason, now.stacktrace.length, now.attemptsMade],
                [text, 1, 1], 'a child that failed fails it');
        } else {
            ok(true, 'and it is kept, or not, as failed ones are');
        }
        await kids.close();
    }
    is(worker.lines('result_refused').length, 0, 'every result was accepted');
    is(await worker.stop(), 0, 'it ends with 0');
    await graph.stop();
}

run(async () => {
    const house = new House('flows');
    await house.startRedis();
    const f = new Flows(house);
    await children(f);
    await parents(f);
    await all(f);
    await late(f);
    await f.flow.close();
});
