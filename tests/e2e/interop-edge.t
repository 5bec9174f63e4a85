#!/usr/bin/env node
'use strict';

/*
 * The edge, sluiced and stock BullMQ 6 on the queues of one tenant.  What each
 * pair does in detail is in tests/interop and tests/worker; here all three see
 * the same messages.
 */

const { execFileSync } = require('child_process');
const path = require('path');
const { run, ok, is, until, House, Worker, Graph, Edge, bullmq, closing, root,
    dir, rows, sign, ACME, GLOBEX } = require('./edge');

const AT_ONCE = 4500;     /* ms; without the marker a Worker sleeps for 5,000 */
const PREFIX = '{acme}';

const house = new House('interop');
const seen = [];

function ctl(file, ...args) {
    return execFileSync(path.join(root, 'build', 'sluicectl'),
        ['-c', file, ...args], { encoding: 'utf8' });
}

const lived = (id) => seen.filter(([, job]) => job === id)
    .map(([event]) => event);

async function watched(name) {
    const events = house.queueEvents(name, { prefix: PREFIX });
    await events.waitUntilReady();
    for (const event of ['added', 'waiting', 'active', 'completed', 'failed',
        'delayed', 'retries-exhausted'])
    {
        events.on(event, ({ jobId, returnvalue, failedReason }) =>
            seen.push([event, jobId, returnvalue || failedReason]));
    }
    return events;
}

function worker(name, fn) {
    const stock = new bullmq.Worker(name, fn, { connection: house.connection,
        prefix: PREFIX });
    stock.on('error', () => {});
    closing.push(() => stock.close());
    return stock;
}

/* a stock Worker is idle; the edge enqueues */

async function taken(edge) {
    const events = await watched('events');
    const queue = house.queue('events', { prefix: PREFIX });
    const took = [];
    const stock = worker('events', async (job) => {
        took.push([job, Date.now()]);
        return { messages: job.data.data.entry.length };
    });
    await stock.waitUntilReady();

    for (let n = 1; n <= 3; n += 1) {
        await until(async () => /cmd=bzpopmin/.test(
            await house.redis.client('LIST')), 'the Worker to sleep');
        const body = JSON.stringify({ object: 'whatsapp_business_account',
            entry: [{ id: '1', changes: [] }], n });
        const began = Date.now();
        const answer = await edge.hook('acme', body, sign(body));
        is(answer.status, 200, `stock Worker, ${n}: the edge accepts`);
        await until(() => took.length === n, 'the stock Worker');
        const [job, at] = took[n - 1];
        ok(at - began < AT_ONCE, `stock Worker, ${n}: has it at once`,
            `${at - began} ms`);
        const result = await (await queue.getJob(job.id))
            .waitUntilFinished(events, 5000);
        is(result, { messages: 1 }, `stock Worker, ${n}: waitUntilFinished`);
        await until(() => lived(job.id).length >= 4, 'the events');
        is(lived(job.id), ['added', 'waiting', 'active', 'completed'],
            `stock Worker, ${n}: QueueEvents has seen all`);
    }
    await stock.close();
}

async function sent(graph, file) {
    const events = await watched('messages');
    const queue = house.queue('messages', { prefix: PREFIX });

    const began = Date.now();
    const job = await queue.add('message', { phone_number_id: ACME,
        to: '15550000001', type: 'text', text: 'plain' });
    const bad = await job.waitUntilFinished(events, 10000).catch((e) => e);
    ok(/text/.test(bad.message), 'stock add: a text that is no object is'
        + ' refused with its member', bad.message);

    const good = await queue.add('message', { phone_number_id: ACME,
        to: '15550000002', type: 'text', text: { body: 'from Node' } });
    const value = await good.waitUntilFinished(events, 10000);
    const [request] = await graph.requests('15550000002');
    ok(request && value.provider_id === request.wamid,
        'stock add: sent; waitUntilFinished has the id of the provider', value);
    ok(Date.now() - began < 5000, 'stock add: sluiced is awake');
    await until(() => lived(good.id).includes('completed'), 'the events');
    is(lived(good.id), ['added', 'waiting', 'active', 'completed'],
        'stock add: QueueEvents has seen all');
    is(seen.find(([event, id]) => event === 'completed' && id === good.id)[2],
        value, 'stock add: completed, with the return value');
    const [row] = await until(() => {
        const list = rows('interop.db', "recipient = '15550000002'");
        return list.length && list;
    }, 'the row');
    is([row.status, row.provider_id, row.tenant], ['sent', request.wamid,
        'acme'], 'stock add: its row');

    return { events, queue, file };
}

async function failed(edge, graph, { events, queue, file }) {
    await graph.post('fail', { match: { to: '15550000003' }, mode: '131056',
        count: 3 });
    const answer = await edge.message('acme', '15550000003');
    const job = await until(() => queue.getJob(answer.id), 'the job');
    const error = await job.waitUntilFinished(events, 15000).catch((e) => e);
    ok(error instanceof Error && /131056/.test(error.message),
        'dead: waitUntilFinished rejects with the code', String(error));
    const list = await queue.getFailed();
    const dead = list.find((one) => one.id === answer.id);
    ok(dead && /131056/.test(dead.failedReason) && dead.attemptsMade === 3
        && dead.finishedOn > 0, 'dead: in getFailed() with failedReason',
    dead && dead.toJSON());
    is(lived(answer.id).filter((event) => event === 'active').length, 3,
        'dead: QueueEvents has seen three attempts');
    ok(seen.some(([event, id, why]) => event === 'failed' && id === answer.id
        && why === dead.failedReason), 'dead: and the failure');
    ok(ctl(file, 'dlq', 'list', 'acme/messages').includes(answer.id),
        'dead: sluicectl lists it');

    const before = seen.length;
    ctl(file, 'dlq', 'requeue', 'acme/messages', answer.id);
    await until(() => seen.slice(before).some(([event, id]) =>
        event === 'completed' && id === answer.id), 'the requeued one');
    is(seen.slice(before).filter(([, id]) => id === answer.id)
        .map(([event]) => event), ['waiting', 'active', 'completed'],
    'requeued: stock clients see it live again');
    const again = await queue.getJob(answer.id);
    is([await again.getState(), again.failedReason || null,
        (await queue.getFailed()).some((one) => one.id === answer.id)],
    ['completed', null, false], 'requeued: completed, no longer failed');
    const sends = await graph.requests('15550000003');
    is([sends.length, again.returnvalue.provider_id],
        [4, sends[3].wamid], 'requeued: sent, with the id of the provider');

    /* a stock client requeues what sluiced gave up */
    await graph.post('fail', { match: { to: '15550000004' }, mode: '131056',
        count: 3 });
    const other = await edge.message('acme', '15550000004');
    await until(async () => await queue.getJobState(other.id) === 'failed',
        'the other to fail');
    const retried = await queue.getJob(other.id);
    await retried.retry();
    await until(async () => await queue.getJobState(other.id) === 'completed',
        'the retried');
    ok(true, 'a stock retry() of it is sent by sluiced');
}

/* sluiced waits for several queues in one call: none is forgotten in it */

async function awake(edge, graph) {
    const took = [];
    for (let n = 0; n < 150; n += 1) {
        const tenant = n % 3 ? 'acme' : 'globex';
        const to = `155502${String(n).padStart(5, '0')}`;
        const began = Date.now();
        const answer = await edge.message(tenant, to);
        if (n % 2) {
            await edge.hook('acme', '{"object":"none"}');
        }
        await until(async () => (await graph.requests(to)).length === 1,
            `${answer.id} to be sent`);
        took.push(Date.now() - began);
    }
    const slow = took.filter((ms) => ms > AT_ONCE);
    is(slow, [], '150 messages of two tenants, one by one: each sent at once');
    console.log(`# the slowest took ${Math.max(...took)} ms`);
}

run(async () => {
    await house.startRedis();
    const graph = await Graph.start('--token', 'T');
    const edge = await new Edge('edge', `unix:${house.socket}`).start();
    await taken(edge);

    const file = house.write(`
store = "${dir}/interop.db"
pace = 1
schedule "messages" { retry = "50ms 100ms" }
channel "whatsapp" { base_url = "${graph.url}" token = "T" timeout = "5s" }
number "${ACME}" { rate = 1000 }
number "${GLOBEX}" { rate = 1000 }
queue "messages" { channel = "whatsapp" tenants = {"acme", "globex"} }
queue "events" { kind = events tenants = {"acme", "globex"} }
`);
    const sluiced = new Worker(file);
    await sluiced.ready();
    const place = await sent(graph, file);
    await failed(edge, graph, place);
    await awake(edge, graph);
    is(await sluiced.stop(), 0, 'sluiced ends with 0');
    is(edge.complaints(), [], 'nothing in the error log');
    is(await edge.stop(), 0, 'NGINX ends with 0');
    await graph.stop();
});
