#!/usr/bin/env node
'use strict';

/*
 * 20,000 delayed jobs that are all due when a worker comes (make fault: ten times
 * FAULT_EVENTS, 1,000,000): in the order of their times, a bounded number a call,
 * in the memory that a worker has, and another queue is served meanwhile.  What
 * they cost is said beside what jobs cost that were not delayed.
 */

const fs = require('fs');
const { Sluice } = require('../lua/scripts');
const { Scene, Course, run, is, ok, until, rest, BASE, EVENTS }
    = require('./steps');

const N = EVENTS * 10 || 20000;
const A_CALL = 1000;       /* jobs that become due in one call, at most */
const MEMORY = 8192;       /* KB that the worker may grow by */
const FIRST = Date.now() - 86400000;

const scene = new Scene('due');

/* a walk through 0..N-1 that is not their order */
const step = 7919;
const due = (i) => FIRST + ((i * step) % N);

const peak = (pid) => +/VmHWM:\s*(\d+)/.exec(
    fs.readFileSync(`/proc/${pid}/status`, 'utf8'))[1];

async function fill(course, n, job) {
    const sluice = new Sluice(course.redis, 6, BASE);
    for (let i = 0; i < n; i += 1000) {
        await sluice.add(...Array.from({ length: Math.min(1000, n - i) },
            (_, k) => ({ id: `e-${i + k}`, ...job(i + k) })));
    }
    return sluice;
}

/* seconds of Redis' CPU, and of the clock */
async function spent(redis) {
    const info = await redis.info('cpu');
    const of = (name) => +new RegExp(`used_cpu_${name}:(.*)`).exec(info)[1];
    return [of('user') + of('sys'), Date.now() / 1000];
}

/* how long n jobs take: until fn() is over */
async function cost(course, n, fn) {
    const before = await spent(course.redis);
    await fn();
    const [cpu, seconds] = (await spent(course.redis)).map((now, i) =>
        now - before[i]);
    console.log(`# ${course.name}: ${Math.round(n / seconds)} a second, ${
        Math.round(cpu * 1e6 / n)} us of Redis each`);
}

/* to compare with: as many at most that were never delayed */
async function plain() {
    const n = Math.min(N, 100000);
    const course = new Course(scene, `${n} not delayed`, { kind: 'noop' });
    await fill(course, n, () => ({}));
    const worker = course.worker();
    await worker.ready();
    await cost(course, n, () => course.finished(n));
    is(await worker.stop(), 0, 'it ends with 0');
}

async function all() {
    const course = new Course(scene, `${N} due at once`, { kind: 'noop' },
        'queue "other" { tenants = {"t"} kind = noop keep_completed = -1 }');
    const other = new Sluice(course.redis, 6, '{t}:other:');
    const left = () => course.redis.zcard(`${BASE}delayed`);

    const sluice = await fill(course, N, (i) => ({ timestamp: due(i) - 1000,
        delay: 1000, opts: '{"delay":1000}' }));
    is(await left(), N, `${N} delayed jobs`);
    const { jobs: [job] } = await sluice.take(1);
    await sluice.finish([job]);
    ok(N - await left() <= A_CALL, `${A_CALL} a call become due at most`);

    const worker = course.worker();
    await worker.ready();
    const before = peak(worker.pid);
    let added = 0;
    const done = cost(course, N, () => course.finished(N));
    let ended = false;
    done.then(() => { ended = true; });
    while (!ended) {
        await other.add({ id: `e-o${added}` });
        added += 1;
        await rest(10);
    }
    await done;
    const served = await course.redis.zcard('{t}:other:completed');
    ok(served >= added * 0.8, 'another queue is served meanwhile',
        { served, added });
    await until(async () => await course.redis.zcard('{t}:other:completed')
        === added, 'the other queue');
    const more = peak(worker.pid) - before;
    ok(more < MEMORY, 'in the memory that a worker has', { more });

    const order = Array.from({ length: N }, (_, i) => i)
        .sort((a, b) => due(a) - due(b));
    let last = 0;
    let wrong = 0;
    for (let i = 0; i < N; i += 1000) {
        const list = course.redis.pipeline();
        order.slice(i, i + 1000).forEach((k) =>
            list.hget(`${BASE}e-${k}`, 'processedOn'));
        for (const [, at] of await list.exec()) {
            wrong += +at < last;
            last = +at;
        }
    }
    is(wrong, 0, 'in the order of their times');
    console.log(`# ${N} jobs, ${added} of another queue meanwhile, ${served
    } of them done; ${more} KB more`);
    is(await worker.stop(), 0, 'it ends with 0');
}

run(async () => {
    await scene.start();
    await plain();
    await all();
    await scene.stop();
});
