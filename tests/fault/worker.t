#!/usr/bin/env node
'use strict';

/*
 * kill -9 of sluiced at each step of the path of a job (worker/fault.h), again
 * and again, with one job at a time and with fifty.  With one, what the stand-in
 * is asked twice is known: nothing, or the one message that was being sent.
 */

const { Scene, Course, run, is, ok, rest, random, BASE, EVENTS, TIMES, ONLY }
    = require('./steps');

const TOGETHER = 20;      /* courses at once: they wait for leases */

/* with one job at a time the message in hand is sent again: */
const NEVER = 0;
const MAYBE = 1;
const ALWAYS = 2;

/*
 * once: the step comes once in so many jobs at least (with fifty at once)
 * fail: the first attempt of every message fails
 * signal: what makes the worker come there
 * any: with fifty at once, the tenant is not listed
 * idle: the step comes when nothing is in hand: one at a time and fed, a worker
 *       takes the next job with the end of the one before
 */
const steps = {
    'take-call': { again: NEVER, once: 50, idle: true },
    'take-reply': { again: NEVER, once: 50, idle: true },
    job: { again: NEVER },
    'admit-call': { again: NEVER, once: 50 },
    'admit-reply': { again: NEVER, once: 50 },
    send: { again: NEVER },
    verdict: { again: ALWAYS },
    'finish-call': { again: ALWAYS, once: 50 },
    'finish-reply': { again: NEVER, once: 50 },
    'retry-call': { again: NEVER, once: 50, fail: true },
    'retry-reply': { again: NEVER, once: 50, fail: true },
    'extend-reply': { again: MAYBE, once: 1e9 },
    'recover-reply': { again: MAYBE, once: 1e9 },
    'recorder-read': { again: MAYBE, once: 200, any: true },
    'store-write': { again: MAYBE, once: 200, any: true },
    'store-commit': { again: MAYBE, once: 200, any: true },
    'store-written': { again: MAYBE, once: 200, any: true },
    'recorder-forget': { again: MAYBE, once: 200, any: true },
    'recorder-forgotten': { again: MAYBE, once: 200, any: true },
    reload: { again: MAYBE, once: 1e9, signal: 'SIGHUP' },
    reloaded: { again: MAYBE, once: 1e9, signal: 'SIGHUP' },
    drain: { again: MAYBE, once: 1e9, signal: 'SIGTERM' },
    drained: { again: NEVER, once: 1e9, signal: 'SIGTERM' },
    release: { again: MAYBE, once: 1e9, signal: 'SIGINT' },
};

const scene = new Scene('worker');

/* one life with a fault: until it is killed there */
async function life(course, step, { once = 1, signal }, each) {
    const most = Math.max(1, Math.floor(each / once));
    const worker = course.worker(`${step}:${1 + random(most)}`);
    if (signal) {
        await worker.ready();
        await rest(random(50));
        worker.signal(signal);
    }
    await course.dies(worker);
    await course.note();
}

async function course(name, one) {
    const { step, concurrency, events, times } = one;
    const any = steps[step].any && concurrency > 1;
    const all = new Course(scene, name, { concurrency,
        ...(any && { tenants: '*' }) }, any ? 'sweep = 1s' : '');
    const each = events / (times + 1);
    const handful = concurrency === 1 ? 4 : 200;
    let killed = false;

    const fed = all.feed(handful, events, () => killed, async (first, n) => {
        for (let i = first; i < first + n && steps[step].fail; i += 1) {
            await scene.graph.post('fail', { mode: '500',
                match: { to: all.to(i) } });
        }
    });
    const once = steps[step].idle ? events : 5;
    for (let n = 0; n < times; n += 1) {
        await life(all, step, { ...steps[step],
            ...(concurrency === 1 && !(steps[step].once > 1e8)
                ? { once } : {}) }, each);
    }
    killed = true;

    const worker = all.worker();
    await fed;
    await all.finished();
    await all.recorded();
    is(await worker.stop(), 0, `${name}: it ends with 0`);
    return { ...one, all };
}

/* an iteration is followed by the next, once, whoever ends in between */
async function scheduler(step) {
    const all = new Course(scene, step, { kind: 'noop' });
    const times = Math.ceil(TIMES / 10) || 2;
    const limit = (times + 1) * 10;

    await all.queue.upsertJobScheduler('s', { every: 20, limit }, {});
    for (let n = 0; n < times; n += 1) {
        await life(all, step, {}, 8);
    }
    const worker = all.worker();
    await all.finished(limit);
    is(await worker.stop(), 0, `${step}: it ends with 0`);
    const ids = await all.redis.zrange(`${BASE}completed`, 0, -1);
    all.is([ids.length, new Set(ids).size], [limit, limit],
        `${limit} iterations, each once, killed ${times} times`);
    all.is(await all.queue.getJobCounts('wait', 'active', 'delayed', 'failed'),
        { wait: 0, active: 0, delayed: 0, failed: 0 }, 'and none else');
    ok(all.open.size > 0, `${step}: it was killed with one in hand`);
}

/* records that do not fit into one call go ahead of their result */
async function webhooks(step) {
    const all = new Course(scene, step, { kind: 'events' });
    const times = Math.ceil(TIMES / 10) || 2;
    const statuses = 2500;
    const webhook = (name) => ({ object: 'x', entry: [{ changes: [{
        field: 'messages', value: { metadata: { phone_number_id: '1' },
            statuses: Array.from({ length: statuses }, (_, i) => ({
                id: `${name}-${i}`, status: 'sent', timestamp: '1700000000',
                recipient_id: '5' })) } }] }] });

    all.ids = Array.from({ length: 2 * times + 4 }, (_, i) => `e-${i}`);
    await all.queue.addBulk(all.ids.map((jobId) => ({ name: 'webhook',
        data: webhook(jobId), opts: { jobId } })));
    for (let n = 0; n < times; n += 1) {
        await life(all, step, {}, 2);
    }
    const worker = all.worker();
    await all.finished();
    await all.recorded();
    is(await worker.stop(), 0, `${step}: it ends with 0`);
    await all.keys();
    const rows = all.ids.length * statuses;
    all.is(all.rows("status = 'sent'"), rows,
        `${rows} statuses in the store, killed ${times} times`);
}

/* so many at a time */
async function together(list, fn) {
    const left = [...list];
    const done = [];
    await Promise.all(Array.from({ length: TOGETHER }, async () => {
        while (left.length) {
            done.push(await fn(left.shift()));
        }
    }));
    return done;
}

run(async () => {
    await scene.start('--delay', '5');
    const kills = Math.ceil(TIMES / 10);
    const list = Object.keys(steps).flatMap((step) => [
        { step, concurrency: 1, events: 40, times: Math.max(2, kills / 4) },
        { step, concurrency: 50,
            events: Math.ceil(EVENTS / Object.keys(steps).length) || 300,
            times: kills || 1 },
    ]).filter(({ step }) => !ONLY || step === ONLY);
    const done = await together(list, (one) =>
        course(`${one.step}, ${one.concurrency} at once`, one));
    const others = { 'iterate-call': scheduler, 'iterate-reply': scheduler,
        'records-call': webhooks, 'records-reply': webhooks };
    await together(Object.keys(others).filter((step) => !ONLY || step === ONLY),
        (step) => others[step](step));
    const accepted = await scene.accepted();
    for (const { step, concurrency, all } of done) {
        const more = await all.check(accepted);
        const { again } = steps[step];
        if (concurrency === 1) {
            ok(again === NEVER ? more === 0
                : again === ALWAYS ? more === all.kills : more <= all.kills,
            `${all.name}: sent again ${['nothing', 'one a kill at most',
                'one a kill'][again]}`, { more, kills: all.kills });
        }
    }
    await scene.stop();
});
