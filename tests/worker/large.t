#!/usr/bin/env node
'use strict';

/*
 * Results that are many or long: webhooks of thousands of statuses, messages
 * that together are more than a connection holds, and results that Redis does
 * not take.
 */

const { execFileSync } = require('child_process');
const path = require('path');
const { run, ok, is, until, House, dir } = require('./house');

const store = path.join(dir, 'large.db');
const house = new House('large');

const count = (where) => +execFileSync('sqlite3', ['-cmd', '.timeout 5000',
    store, `select count(*) from communication_logs where ${where}`],
{ encoding: 'utf8' });

const webhook = (name, n, more = {}) => ({ object: 'x', entry: [{ changes: [{
    field: 'messages', value: { metadata: { phone_number_id: '1' }, ...more,
        statuses: Array.from({ length: n }, (_, i) => ({ id: `${name}-${i}`,
            status: 'sent', timestamp: '1700000000', recipient_id: '5' })),
    } }] }] });

const settled = (job) => until(async () => {
    const state = await job.getState();
    return (state === 'completed' || state === 'failed') && state;
}, `job ${job.id}`, 60000);

const value = async (queue, job) => (await queue.getJob(job.id)).returnvalue;

async function statuses() {
    const queue = house.queue('events');
    const worker = house.run(`store = "${store}"\n`
        + 'queue "events" { kind = events }');
    await worker.ready();

    for (const n of [1000, 1001, 7000]) {
        const job = await queue.add('webhook', webhook(`w${n}`, n));
        is(await settled(job), 'completed', `a webhook of ${n} statuses`);
        await until(() => count(`provider_id like 'w${n}-%'`) === n,
            `${n} rows`, 60000);
        ok(true, 'each of them is recorded');
        is((await value(queue, job)).statuses.length, n,
            'and in the return value');
    }

    /* 64 of them at once: no call carries more than it should */
    await house.redis.config('RESETSTAT');
    const jobs = await queue.addBulk(Array.from({ length: 64 }, (_, i) => ({
        name: 'webhook', data: webhook(`b${i}`, 400) })));
    await Promise.all(jobs.map(settled));
    await until(() => count("provider_id like 'b%'") === 64 * 400, 'rows',
        60000);
    ok(true, '64 webhooks of 400 statuses at once');

    /* what is longer than a return value may be */
    const items = Array.from({ length: 20000 }, (_, i) => ({ id: `m${i}`,
        from: 'f'.repeat(500) }));
    const long = await queue.add('webhook', webhook('long', 3,
        { messages: items }));
    is(await settled(long), 'completed', 'a result of 10 MB');
    is(await value(queue, long), { messages: [], statuses: [], other: [],
        omitted: { messages: 20000, statuses: 3 } }, 'is told by its numbers');
    is(worker.lines('result_cut').length, 1, 'and the log says so');

    is(worker.lines('script_failed').length, 0, 'no script failed');
    is(await worker.stop(), 0, 'it ends with 0');
}

/* results that together are more than a connection holds: 150 MB */
async function together() {
    const queue = house.queue('together');
    const worker = house.run('queue "together" { kind = events }');
    await worker.ready();
    const data = webhook('t', 1, { messages: Array.from({ length: 12000 },
        (_, i) => ({ id: `m${i}`, from: 'f'.repeat(500) })) });
    worker.signal('SIGTSTP');
    await worker.saw('paused');
    for (let i = 0; i < 22; i += 1) {
        await queue.add('webhook', data, { removeOnComplete: true });
    }
    worker.signal('SIGCONT');
    await until(async () => await queue.getWaitingCount()
        + await queue.getActiveCount() === 0, '22 long results', 60000);
    is([await queue.getFailedCount(), worker.lines('result_cut').length],
        [0, 0], 'results of 150 MB together are written');
    is(await worker.stop(), 0, 'it ends with 0');
}

/* long webhooks that come together are read one by one, others between them */
async function between() {
    const N = 20;
    const long = house.queue('long');
    const short = house.queue('short');
    const worker = house.run('queue "long" { kind = events }\n'
        + 'queue "short" { kind = noop concurrency = 1 keep_completed = -1 }');
    await worker.ready();
    worker.signal('SIGTSTP');
    await worker.saw('paused');
    await long.addBulk(Array.from({ length: N }, (_, i) => ({
        name: 'webhook', data: webhook(`l${i}`, 1500) })));
    for (let i = 0; i < 20; i += 1) {
        await short.addBulk(Array.from({ length: 500 }, () => ({ name: 's' })));
    }
    worker.signal('SIGCONT');
    await until(() => worker.lines('event').length === N, 'them to be read',
        60000);
    const read = worker.lines('event').map((line) => Date.parse(line.time));
    const served = await house.redis.zcount('bull:short:completed', read[0],
        read[N - 1]);
    /* none when all are read in one turn; Redis may answer later than one */
    ok(served >= N / 5, 'another queue is served between long webhooks',
        { served, ms: read[N - 1] - read[0] });
    await until(async () => await long.getCompletedCount() === N, 'the long');
    is(await worker.stop(), 0, 'it ends with 0');
}

async function payloads() {
    const queue = house.queue('payloads');
    const worker = house.run(`store = "${store}"\n`
        + 'channel "c" { base_url = "http://127.0.0.1:1" token = "T" }\n'
        + 'queue "payloads" { channel = "c" }');
    await worker.ready();
    const big = 'x'.repeat(900 * 1024);
    for (let i = 0; i < 4; i += 1) {
        await queue.add('message', { messaging_product: 'whatsapp',
            phone_number_id: '1', to: `p${i}`, type: 'text',
            text: { body: 'b' }, big, ...(i === 3 ? { more: big } : {}) },
        { attempts: 1 });
    }
    await until(() => count("recipient like 'p%'") === 4, 'rows', 60000);
    is([count("recipient like 'p%' and payload is null"),
        worker.lines('record_cut').length], [1, 1],
    'a payload of 1.8 MB is not recorded, its message is');
    is(await worker.stop(), 0, 'it ends with 0');
}

/* Redis does not take the result: dead, with the reason */
async function refused() {
    const queue = house.queue('wrong');
    const worker = house.run(`store = "${store}"\n`
        + 'queue "wrong" { kind = events lock = "1s" stalled = "1s" }');
    await worker.ready();
    await house.redis.set('bull:wrong:completed', 'no set');
    const job = await queue.add('webhook', webhook('r', 3));
    await until(async () => await queue.getFailedCount() === 1, 'the failure');
    const failed = await queue.getJob(job.id);
    ok(/^the result cannot be written: .*WRONGTYPE/.test(failed.failedReason),
        'what cannot be completed is dead, and says why', failed.failedReason);
    const [line] = worker.lines('result_not_written');
    is([line.job, line.outcome, line.records], [job.id, 'dead', 3],
        'as does the log');

    /* a stream of records that is none: nothing goes round and round */
    await house.redis.del('bull:wrong:completed');
    await house.redis.rename('bull::sluice:records', 'away');
    await house.redis.set('bull::sluice:records', 'no stream');
    for (const n of [3, 2500]) {
        const other = await queue.add('webhook', webhook('s', n));
        is(await settled(other), 'failed', `nor can ${n} records be written`);
    }
    is(worker.lines('stalled').length, 0, 'and none is recovered');
    is(await worker.stop(), 0, 'it ends with 0');
}

run(async () => {
    await house.startRedis();
    await statuses();
    await together();
    await between();
    await payloads();
    await refused();
});
