#!/usr/bin/env node
'use strict';

/*
 * kill -9 of a Redis with appendfsync always, and its restart, under a load of
 * webhooks and messages: each 200 is in Redis, everything else was a 503 with
 * Retry-After, and the edge and sluiced go on by themselves.
 *
 *   FAULT_KILLS=4 FAULT_SEED=N
 */

const { run, ok, is, until, House, Graph, Edge, Load, counted, jobs, random,
    rows, count, dir, SEED, ACME } = require('./edge');

const KILLS = Number(process.env.FAULT_KILLS) || 4;
const AWAY = 1500;        /* ms that Redis stays away at most */

const house = new House('restart');
const rand = random(SEED);

const to = (id) => `1555${String(id).padStart(7, '0')}`;

const message = (edge, id, agent) => {
    const body = JSON.stringify({ messaging_product: 'whatsapp', to: to(id),
        type: 'text', text: { body: 'hello' } });
    return edge.ask('POST', `/v26.0/${ACME}/messages`, body,
        { Authorization: 'Bearer acme-api-key', 'Idempotency-Key': `k${id}` },
        agent);
};

const rest = (ms) => new Promise((done) => { setTimeout(done, ms); });

function refusals(load, what) {
    is(load.others(200, 503), [], `${what}: nothing but 200 and 503`);
    const away = load.others(200);
    ok(away.length > 0, `${what}: some came while Redis was away`);
    is(away.filter(([, answer]) =>
        !/^[1-9][0-9]*$/.test(answer.headers['retry-after'] || '')), [],
    `${what}: each 503 has Retry-After`);
    is(away.filter(([, answer]) => answer.headers['content-type']
        !== 'application/problem+json'), [], `${what}: and is a problem`);
    is(load.broken, [], `${what}: each is answered`);
}

run(async () => {
    console.log(`# FAULT_SEED=${SEED}`);
    const always = ['--appendfsync', 'always'];
    await house.startRedis(...always);
    const edge = await new Edge('edge', `unix:${house.socket}`,
        { options: 'timeout=2s' }).start();
    const graph = await Graph.start('--delay', '20', '--token', 'T');
    const worker = house.run(`
store = "${dir}/restart.db"
pace = 1
redis_timeout = "2s"
channel "whatsapp" { base_url = "${graph.url}" token = "T" timeout = "5s" }
number "${ACME}" { rate = 100000 }
queue "messages" { channel = "whatsapp" tenants = {"acme"}
                   lock = "5s" stalled = "1s" keep_completed = -1 }
`);
    await worker.ready();

    const hooks = new Load(edge, 16, counted);
    const sends = new Load(edge, 4, async (...all) => {
        const answer = await message(...all);
        await rest(answer.status === 200 ? 4 : 40);    /* as many as are sent */
        return answer;
    });
    const took = [];
    await hooks.more(300);

    for (let n = 0; n < KILLS; n += 1) {
        await house.stopRedis('SIGKILL');
        await until(() => hooks.others(200).length > took.length,
            'a refusal');
        await rest(rand() * AWAY);
        await house.startRedis(...always);
        const began = Date.now();
        const posted = hooks.ids(200).length;
        const sent = (await graph.get('requests?limit=1')).total;
        await until(() => hooks.ids(200).length > posted + 100, 'the edge');
        took.push(Date.now() - began);
        await until(async () => (await graph.get('requests?limit=1')).total
            > sent + 10, 'sluiced to send', 20000);
        await rest(rand() * 300);
    }

    await Promise.all([hooks.stop(), sends.stop()]);
    console.log(`# the edge had 100 more within ${took.join(', ')} ms`);
    is(edge.processes().length, 2, 'the processes of NGINX live');
    refusals(hooks, 'webhooks');
    refusals(sends, 'messages');

    const there = await jobs(house.redis);
    const set = new Set(there);
    const accepted = hooks.ids(200);
    is(accepted.filter((id) => !set.has(id)), [],
        `each webhook answered 200 is in Redis (${accepted.length})`);
    is(there.length, set.size, 'each once');
    const refused = new Set(hooks.ids(503));
    is(there.filter((id) => !refused.has(id)).length, accepted.length,
        'others are of a 503 whose answer of Redis was lost');

    /* what was taken by a call whose reply was lost stalls, and comes back */
    const ids = sends.ids(200);
    const counts = () => Promise.all(['wait', 'active', 'delayed', 'completed',
        'failed'].map((name) => house.redis[/^[wa]/.test(name) ? 'llen'
        : 'zcard'](`{acme}:messages:${name}`)));
    await until(async () => (await counts()).slice(0, 3).join() === '0,0,0',
        'all messages', 40000).catch(() => {});
    is((await counts()).slice(0, 3).concat((await counts())[4]), [0, 0, 0, 0],
        'no message waits, none has failed');
    const done = new Set(await house.redis.zrange('{acme}:messages:completed',
        0, -1));
    is(ids.filter((id) => !done.has(`m-k${id}`)), [],
        `each message answered 200 is done (${ids.length})`);

    const seen = new Map();
    for (const one of (await graph.requests())) {
        seen.set(one.to, (seen.get(one.to) || 0) + 1);
    }
    is(ids.filter((id) => !seen.has(to(id))), [], 'and was sent');
    is([...seen].filter(([, times]) => times > 1), [], 'none was sent twice');
    is(seen.size, done.size, 'what was sent is done');

    await until(() => count('restart.db', "status = 'sent'") === done.size,
        'the rows').catch(() => {});
    is(rows('restart.db').map((row) => row.status).sort().join(),
        Array(done.size).fill('sent').join(), 'each has its row');
    is(worker.lines('result_refused').length, 0, 'no result was refused');
    /* a process that was told to wait by a loading Redis waits for a while */
    let health;
    await until(async () => {
        health = await edge.get('/sluice/health');
        return health.status === 200;
    }, 'the edge to be ready').catch(() => {});
    is(health.status, 200, 'the edge is ready');
    is(edge.complaints(/connect\(\) to unix:.* failed \((2|111)/), [],
        'no alert, no crit but a socket that is not there');
    is(await worker.stop(), 0, 'sluiced ends with 0');
    is(await edge.stop(), 0, 'NGINX ends with 0');
    await graph.stop();
});
