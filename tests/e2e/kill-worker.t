#!/usr/bin/env node
'use strict';

/*
 * kill -9 of sluiced in the middle of 1,000 messages, which an application
 * posted through the edge.  None is lost, each has one row, and what the
 * stand-in for the Graph API saw twice was open at the kill: the job was in
 * `active` under a lease of the dead one when Redis had read all that it had
 * sent, so what Redis has a result of is never sent again.
 *
 * An answer that was not yet read, or whose result was not yet at Redis, cannot
 * be avoided by any worker, for the two are two steps; how often it occurs, and
 * how old the oldest was, is printed.
 *
 *   FAULT_SENDS=1000 FAULT_ROUNDS=3 FAULT_SEED=N
 */

const { run, ok, is, until, House, Worker, Graph, Edge, rows, count, random,
    dir, SEED, ACME } = require('./edge');

const SENDS = Number(process.env.FAULT_SENDS) || 1000;
const ROUNDS = Number(process.env.FAULT_ROUNDS) || 3;
const FLIGHT = 50;
const DELAY = 20;         /* ms until the stand-in answers */

const house = new House('kill');
const rand = random(SEED);
let graph;
let edge;

const settings = (round) => `
store = "${dir}/kill-${round}.db"
pace = 1
claim_ttl = "1h"
channel "whatsapp" { base_url = "${graph.url}" token = "T" timeout = "10s" }
number "${ACME}" { rate = 100000 }
queue "messages" { channel = "whatsapp" tenants = {"acme"}
                   concurrency = ${FLIGHT} lock = "1s" stalled = "500ms"
                   keep_completed = -1 }
queue "events" { kind = events tenants = {"acme"}
                 lock = "1s" stalled = "500ms" }
`;

const to = (i) => `1555${String(i).padStart(7, '0')}`;

/* each page of what the stand-in was asked for */
async function requests() {
    const all = [];
    for (;;) {
        const after = all.length ? all[all.length - 1].seq : 0;
        const page = (await graph.get(`requests?limit=5000&after=${after}`))
            .requests;
        if (page.length === 0) {
            return all;
        }
        all.push(...page);
    }
}

async function post() {
    const ids = [];
    let next = 0;
    await Promise.all(Array.from({ length: 20 }, async () => {
        while (next < SENDS) {
            const i = next;
            next += 1;
            const answer = await edge.message('acme', to(i));
            if (answer.status !== 200) {
                throw new Error(`the edge: ${answer.status} ${answer.text}`);
            }
            ids[i] = answer.id;
        }
    }));
    return ids;
}

/* all that the dead one has written is in Redis when its clients are gone */
const forgotten = (pid, clients) => until(async () => {
    const list = await house.redis.client('LIST');
    return !clients.some((id) => list.includes(`id=${id} `));
}, `Redis to see the end of ${pid}`);

/* the connections that came with a sluiced; nobody else connects meanwhile */
async function connections(since) {
    const list = await house.redis.client('LIST');
    return [...list.matchAll(/^id=(\d+) /gm)].map(([, id]) => id)
        .filter((id) => !since.includes(id));
}

async function round(n, takeover, told) {
    const name = `${n}, ${takeover ? 'a second one takes over' : 'restarted'}${
        told ? ', with statuses' : ''}`;
    await house.redis.flushall();
    await graph.post('reset', {});
    await graph.post('statuses', told ? {} : { emit: [] });
    const ids = await post();
    is(new Set(ids).size, SENDS, `${name}: ${SENDS} accepted by the edge`);

    const text = settings(n);
    const file = house.write(text);
    const before = await connections([]);
    const point = 1 + Math.floor(rand() * (SENDS - 2 * FLIGHT));
    const first = new Worker(file);
    await first.ready();
    const own = await connections(before);
    const second = takeover ? new Worker(file) : null;
    if (second) {
        await second.ready();
    }

    await until(async () => (await graph.get('requests?limit=1')).total
        >= point, `${point} requests`, 60000);

    /* anywhere between a request and its result, not only at a request */
    await new Promise((done) => { setTimeout(done, rand() * DELAY * 5); });
    await first.stop('SIGKILL');
    const killed = Date.now();
    await forgotten(first.pid, own);

    /* what either has in hand, and the token of its lease: <process>:<call> */
    const active = await house.redis.lrange('{acme}:messages:active', 0, -1);
    const leases = active.length ? await house.redis.mget(active.map((id) =>
        `{acme}:messages:${id}:lock`)) : [];
    const owners = new Map(active.map((id, i) =>
        [id, (leases[i] || '').split(':')[0]]));

    const worker = second || new Worker(file);
    await until(async () => await house.redis.zcard('{acme}:messages:completed')
        + await house.redis.zcard('{acme}:messages:failed') >= SENDS,
    'all of them', 60000 + SENDS * 10);
    is(await house.redis.zcard('{acme}:messages:failed'), 0,
        `${name}: none failed`);

    const seen = new Map();       /* to -> what the stand-in was asked */
    for (const one of await requests()) {
        seen.set(one.to, [...(seen.get(one.to) || []), one]);
    }
    is(seen.size, SENDS, `${name}: none is lost`);

    /* the dead one's leases are those that ran out */
    const stalled = new Set(worker.lines('stalled').map((line) => line.job));
    const dead = new Set(active.filter((id) => stalled.has(id))
        .map((id) => owners.get(id)));
    ok(dead.size < 2, `${name}: only leases of the dead one ran out`,
        [...dead]);
    const place = new Map(ids.map((id, i) => [id, to(i)]));
    const held = active.filter((id) => dead.has(owners.get(id)))
        .map((id) => place.get(id)).filter((who) => seen.has(who));

    /* to -> ms from the answer to the kill, 0 for none */
    const open = new Map(held.map((who) => {
        const [{ answered }] = seen.get(who);
        return [who, !answered || answered > killed ? 0
            : 1 + killed - answered];
    }));
    const twice = [...seen].filter(([, list]) => list.length > 1)
        .map(([who]) => who);
    is(twice.filter((who) => !open.has(who)), [],
        `${name}: sent twice was only what was open at the kill`);
    const late = twice.map((who) => open.get(who)).filter((ms) => ms > 0);
    ok(twice.length <= FLIGHT, `${name}: and no more than are in flight`,
        twice.length);
    is([...seen].filter(([, list]) => list.length > 2), [],
        `${name}: nothing three times`);
    console.log(`# killed at ${point}, ${open.size} open; sent twice ${
        twice.length}, ${late.length} of them answered up to ${
        Math.max(0, ...late)} ms before`);

    /* what was sent before has a row of its own when its statuses come */
    const states = told ? ['read'] : ['sent'];
    const done = (list) => list.filter((row) => states.includes(row.status));
    await until(() => count(`kill-${n}.db`, `status = '${states}'`)
        >= SENDS + (told ? twice.length : 0), 'the rows', 60000)
        .catch(() => {});
    const log = rows(`kill-${n}.db`);
    const ours = log.filter((row) => !/^wamid/.test(row.message_id));
    is([ours.length, new Set(ours.map((row) => row.message_id)).size,
        new Set(ours.map((row) => row.recipient)).size], [SENDS, SENDS, SENDS],
    `${name}: one row each in communication_logs`);
    is(done(ours).length, SENDS, `${name}: each is ${states}`);
    is(log.filter((row) => /^wamid/.test(row.message_id)
        && !twice.includes(row.recipient)), [],
    `${name}: other rows are of what was sent before`);
    is(await worker.stop(), 0, `${name}: it ends with 0`);
}

run(async () => {
    console.log(`# FAULT_SEED=${SEED}`);
    await house.startRedis();
    edge = await new Edge('edge', `unix:${house.socket}`).start();
    graph = await Graph.start('--delay', String(DELAY), '--app-secret',
        'acme-app-secret', '--status-delay', '20', '--webhook',
        `unix:${edge.socket}:/hooks/meta/acme`);
    for (let n = 1; n <= ROUNDS; n += 1) {
        await round(n, false, false);
    }
    await round(ROUNDS + 1, false, true);
    await round(ROUNDS + 2, true, false);
    await round(ROUNDS + 3, true, true);
    is(edge.complaints(), [], 'nothing in the error log');
    await edge.stop();
    await graph.stop();
});
