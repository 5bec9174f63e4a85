#!/usr/bin/env node
'use strict';

/*
 * Status webhooks from the edge to the rows: in any order, repeated, batched,
 * early, for two tenants; and the Idempotency-Key of messages.
 * (How a row merges what it is told is in tests/unit; here the whole way.)
 */

const { run, ok, is, until, House, Worker, Graph, Edge, rows, count, random,
    dir, HOOK, SEED, ACME, GLOBEX } = require('./edge');

const house = new House('statuses');
const rand = random(SEED);
const STORE = 'statuses.db';
const RANK = ['sent', 'delivered', 'read'];
let edge;
let graph;
let clock = Math.floor(Date.now() / 1000);

/* as Meta words one status */
const status = (wamid, to, what, extra = {}) => {
    clock += 1;
    return { id: wamid, status: what, timestamp: String(clock),
        recipient_id: to, ...extra };
};

/* one webhook of several changes, of several statuses each */
const webhook = (number, ...changes) => JSON.stringify({
    object: 'whatsapp_business_account', entry: changes.map((statuses, i) =>
        ({ id: String(i), changes: [{ field: 'messages', value: {
            messaging_product: 'whatsapp', metadata: {
                display_phone_number: '15551797781',
                phone_number_id: number }, statuses } }] })) });

async function told(tenant, ...changes) {
    const answer = await edge.hook(tenant, webhook(tenant === 'acme' ? ACME
        : GLOBEX, ...changes));
    if (answer.status !== 200) {
        throw new Error(`the edge: ${answer.status} ${answer.text}`);
    }
}

const drained = () => until(async () => {
    for (const tenant of ['acme', 'globex']) {
        for (const queue of ['events', 'messages']) {
            const base = `{${tenant}}:${queue}`;
            if (await house.redis.llen(`${base}:wait`)
                || await house.redis.llen(`${base}:active`)
                || await house.redis.zcard(`${base}:delayed`))
            {
                return false;
            }
        }
    }
    return true;
}, 'the queues to drain');

/* the rows that match, when as many are as they should be */
async function row(where, test = () => true) {
    let found = [];
    await until(() => {
        found = rows(STORE, where);
        return found.length > 0 && found.every(test);
    }, where).catch(() => {});
    return found;
}

async function send(to, tenant = 'acme', headers = {}) {
    const answer = await edge.message(tenant, to, headers);
    const requests = await until(async () => {
        const all = await graph.requests(to);
        return all.length && all;
    }, `${to} to be sent`);
    return { id: answer.id, wamid: requests[0].wamid };
}

const shuffled = (list) => list.map((one) => [rand(), one])
    .sort((a, b) => a[0] - b[0]).map(([, one]) => one);


/* each order of the three, each status once or twice, one webhook each */

async function orders() {
    const sends = [];
    for (let i = 0; i < 12; i += 1) {
        const to = `1555100${String(i).padStart(4, '0')}`;
        sends.push({ to, ...await send(to) });
    }
    await drained();
    for (const one of sends) {
        one.told = shuffled([...RANK, ...RANK.filter(() => rand() < 0.5)]);
    }
    /* neighbours at once: the queue of events has several in hand */
    await Promise.all(sends.map(async (one) => {
        for (const what of one.told) {
            await told('acme', [status(one.wamid, one.to, what)]);
        }
    }));
    await drained();
    for (const one of sends) {
        const found = await row(`recipient = '${one.to}'`,
            (each) => each.status === 'read');
        is(found.map((each) => [each.status, each.provider_id]),
            [['read', one.wamid]],
            `told ${one.told.join(' ')}: one row, read`);
    }
}

async function partial() {
    const cases = [[['delivered', 'sent'], 'delivered'],
        [['read', 'sent', 'delivered'], 'read'],
        [['sent', 'sent', 'sent'], 'sent'],
        [['failed', 'sent'], 'failed']];
    for (const [i, [list, end]] of cases.entries()) {
        const to = `15552000${String(i).padStart(3, '0')}`;
        const one = await send(to);
        await drained();
        for (const what of list) {
            await told('acme', [status(one.wamid, to, what, what === 'failed'
                ? { errors: [{ code: 131026, title: 'Message undeliverable',
                    message: 'Message undeliverable' }] } : {})]);
        }
        await drained();
        const found = await row(`recipient = '${to}'`,
            (each) => each.status === end);
        is(found.map((each) => each.status), [end],
            `told ${list.join(' ')}: ${end}`);
        if (end === 'failed') {
            ok(found[0].code === 131026 && /undeliverable/.test(found[0].error),
                'a failure brings its code and its words', found[0]);
        }
    }
}

async function batched() {
    const sends = [];
    for (let i = 0; i < 20; i += 1) {
        const to = `1555300${String(i).padStart(4, '0')}`;
        sends.push({ to, ...await send(to) });
    }
    await drained();
    const all = shuffled(sends.flatMap((one) => [...RANK, 'delivered']
        .map((what) => status(one.wamid, one.to, what))));
    const changes = [];
    while (all.length) {
        changes.push(all.splice(0, 1 + Math.floor(rand() * 9)));
    }
    await told('acme', ...changes);
    const found = await until(() => {
        const list = rows(STORE, "recipient like '1555300%'");
        return list.every((one) => one.status === 'read') && list;
    }, 'the batch').catch(() => rows(STORE, "recipient like '1555300%'"));
    is([found.length, found.filter((one) => one.status === 'read').length],
        [20, 20], `80 statuses in one webhook of ${changes.length
        } entries: 20 rows, read`);
}

/* statuses outrun the record: sluiced has sent, and has not said so yet */

async function early() {
    const to = '15554000001';
    await graph.post('fail', { match: { to }, mode: 'slow', ms: 1200,
        count: 1 });
    const answer = await edge.message('acme', to);
    const [open] = await until(async () => {
        const list = (await graph.get('open')).requests
            .filter((one) => one.to === to);
        return list.length && list;
    }, 'the message to be on its way');
    is(rows(STORE, `recipient = '${to}' and status = 'sent'`), [],
        'early: the message has no record yet');
    const callback = { biz_opaque_callback_data: `{acme}:messages:${
        answer.id}` };
    await told('acme', [status(open.wamid, to, 'delivered', callback)]);
    await until(() => rows(STORE, `provider_id = '${open.wamid}'`).length,
        'the status to be a row');
    is((await graph.get('open')).requests.length, 1,
        'early: its answer is still to come');
    await drained();
    await told('acme', [status(open.wamid, to, 'sent', callback)]);
    await drained();
    const found = await row(`provider_id = '${open.wamid}'`,
        (one) => one.attempts === 1);
    const everyone = rows(STORE, `recipient = '${to}'`);
    is([everyone.length, found.length, found[0] && found[0].status,
        found[0] && found[0].attempts], [1, 1, 'delivered', 1],
    'early: one row, which stays delivered when its record comes');
    ok(found[0] && found[0].message_id.endsWith(answer.id)
        && /hello/.test(found[0].payload || ''),
    'early: with our id and the payload', found[0]);
}

/* of a message that somebody else has sent */
async function strange() {
    const wamid = 'wamid.STRANGE';
    await told('acme', [status(wamid, '15555000001', 'read')]);
    await told('acme', [status(wamid, '15555000001', 'sent')]);
    const found = await row(`provider_id = '${wamid}'`);
    await drained();
    is(found.map((one) => [one.status, one.tenant]), [['read', 'acme']],
        'a message of somebody else: a row by its id');
}

async function tenants() {
    const key = { 'Idempotency-Key': 'order-4711' };
    const one = await send('15556000001', 'acme', key);
    const two = await send('15556000002', 'globex', key);
    is([one.id, two.id], ['m-order-4711', 'm-order-4711'],
        'two tenants may have one Idempotency-Key');
    ok(one.wamid !== two.wamid, 'both are sent');
    await drained();

    /* a status of globex that names acme's message moves nothing of acme's */
    await told('globex', [status(one.wamid, '15556000001', 'read')]);
    await told('globex', [status(two.wamid, '15556000002', 'delivered')]);
    await drained();
    await row(`provider_id = '${two.wamid}'`,
        (each) => each.status === 'delivered');
    const found = rows(STORE, "message_id like '%m-order-4711'");
    is(found.map((each) => [each.tenant, each.recipient, each.status]).sort(),
        [['acme', '15556000001', 'sent'], ['globex', '15556000002',
            'delivered']], 'two rows, each moved by its own tenant only');

    /* the same key again: at once, later, and when the job is gone */
    const more = await Promise.all(Array.from({ length: 10 }, () =>
        edge.message('acme', '15556000003', { 'Idempotency-Key': 'twice' })));
    is(new Set(more.map((each) => `${each.status} ${each.id}`)).size, 1,
        'ten posts with one key: one answer');
    await until(async () => (await graph.requests('15556000003')).length,
        'the message');
    await drained();
    is((await edge.message('acme', '15556000003',
        { 'Idempotency-Key': 'twice' })).status, 200, 'later: accepted alike');
    const queue = house.queue('messages', { prefix: '{acme}' });
    await (await queue.getJob('m-twice')).remove();
    const again = await edge.message('acme', '15556000003',
        { 'Idempotency-Key': 'twice' });
    is(again.id, 'm-twice', 'when its job was removed: accepted');
    await until(async () => await queue.getJobState('m-twice') === 'completed',
        'the job');
    is((await graph.requests('15556000003')).length, 1,
        'with one Idempotency-Key it is sent once');
    is((await row("message_id like '%m-twice'")).length, 1, 'and is one row');
}

/* by the stand-in itself: all of a message's life, as Meta tells it */
async function life() {
    await graph.post('statuses', { emit: ['read', 'sent', 'delivered',
        'delivered'], batch: 5, delay: 5 });
    const many = 100;
    await Promise.all(Array.from({ length: many }, (_, i) =>
        edge.message('acme', `1555700${String(i).padStart(4, '0')}`)));
    const where = "recipient like '1555700%'";
    await until(() => count(STORE, `${where} and status = 'read'`)
        === many, 'all to be read').catch(() => {});
    is([rows(STORE, where).length, rows(STORE, `${where} and status = 'read'`)
        .length], [many, many],
    'the stand-in tells out of order and twice: each one row, read');
    await graph.post('statuses', { emit: [] });
}

run(async () => {
    console.log(`# FAULT_SEED=${SEED}`);
    await house.startRedis();
    edge = await new Edge('edge', `unix:${house.socket}`).start();
    graph = await Graph.start('--token', 'T', '--app-secret',
        'acme-app-secret', '--webhook', `unix:${edge.socket}:${HOOK}/acme`);
    await graph.post('statuses', { emit: [] });
    const worker = new Worker(house.write(`
store = "${dir}/${STORE}"
pace = 1
channel "whatsapp" { base_url = "${graph.url}" token = "T" timeout = "5s" }
number "${ACME}" { rate = 1000 }
number "${GLOBEX}" { rate = 1000 }
queue "messages" { channel = "whatsapp" tenants = {"acme", "globex"} }
queue "events" { kind = events tenants = {"acme", "globex"} }
`));
    await worker.ready();
    for (const test of [orders, partial, batched, early, strange, tenants,
        life])
    {
        await test();
    }
    is(await house.redis.zcard('{acme}:events:failed'), 0,
        'no webhook has failed');
    is(await worker.stop(), 0, 'sluiced ends with 0');
    is(edge.complaints(), [], 'nothing in the error log');
    is(await edge.stop(), 0, 'NGINX ends with 0');
    await graph.stop();
});
