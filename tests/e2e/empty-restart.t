#!/usr/bin/env node
'use strict';

/*
 * Redis comes back without its data: what is lost is what it had, and the edge
 * and sluiced go on by themselves.
 */

const fs = require('fs');
const path = require('path');
const { run, ok, is, until, House, Graph, Edge, dir, message }
    = require('./edge');

const JOBS = +process.env.SLUICE_EMPTY_JOBS || 200;
const house = new House('empty');
const to = (round, i) => `1555${round}${String(i).padStart(6, '0')}`;

const server = `
    location /counted { sluice_verify none;
                        sluice_enqueue counted tenant=acme id=$arg_id; }
    location /table   { sluice_verify none; sluice_tenant $arg_tenant;
                        sluice_enqueue counted tenant=$sluice_tenant id=$arg_id; }
    location = /sluice/status { sluice_status; }
    location = /sluice/health { sluice_health; }
`;

let serial = 0;
const post = async (edge, where = '/counted?') => (await edge.ask('POST',
    `${where}&id=${serial += 1}`, '{}')).status;

const table = () => house.redis.multi().hset('sluice:tenants', 'globex', '{}')
    .incr('{sluice:tenants}:version').exec();

run(async () => {
    const none = ['--appendonly', 'no'];
    await house.startRedis(...none);
    await table();
    const edge = await new Edge('edge', `unix:${house.socket}`,
        { server, options: 'timeout=2s', more: 'sluice_tenants zone=t:1m;' })
        .start();
    const graph = await Graph.start('--delay', '20');
    const worker = house.run(`
pace = 1
redis_timeout = "2s"
channel "whatsapp" { base_url = "${graph.url}" token = "T" timeout = "5s" }
number "106540352242922" { rate = 100000 }
queue "messages" { channel = "whatsapp" tenants = {"acme"} concurrency = 5
                   lock = "2s" stalled = "500ms" }
queue "counted" { tenants = {"*"} kind = noop keep_completed = -1 }
`);
    await worker.ready();
    const queue = house.queue('messages', { prefix: '{acme}' });
    const add = (round, n) => queue.addBulk(Array.from({ length: n }, (_, i) =>
        ({ name: 'message', data: message(to(round, i)) })));
    const done = (tenant) => house.redis.zcard(`{${tenant}}:counted:completed`);

    for (let i = 0; i < 50; i += 1) {
        await until(async () => await post(edge) === 200, 'a job');
    }
    await until(() => post(edge, '/table?tenant=globex')
        .then((status) => status === 200), 'the table');
    await until(async () => await done('acme') === 50
        && await done('globex') === 1, 'all jobs');
    await add(0, JOBS);
    await until(async () => (await graph.get('requests?limit=1')).total > 40,
        'some messages');

    await house.stopRedis('SIGKILL');
    fs.rmSync(path.join(dir, 'empty.redis'), { recursive: true });
    const sent = (await graph.get('requests?limit=1')).total;
    is(await post(edge), 503, 'Redis is away: 503');
    await house.startRedis(...none);
    const began = Date.now();

    await until(async () => await post(edge) === 200, 'the edge');
    const back = Date.now() - began;
    await until(async () => await done('acme') >= 1, 'a job in a queue that'
        + ' Redis has not heard of before');
    ok(true, 'the edge and sluiced go on with queues of any tenant');
    is(await house.redis.sismember('sluice:queues', '{acme}:counted'), 1,
        'the queue is registered again');
    await add(1, 20);
    await until(async () => [...(await graph.seen()).keys()].filter((who) =>
        who.startsWith('15551')).length === 20, 'new messages');
    const count = await graph.seen();
    const old = [...count].filter(([who]) => who.startsWith('15550'));
    console.log(`# of ${JOBS} messages ${sent} were sent before, ${old.length
        - sent} in hand after, ${JOBS - old.length} lost; the edge was back in`
        + ` ${back} ms`);
    ok(old.length <= sent + 5, 'what waited in Redis is lost, with any client');
    is([...count].filter(([, n]) => n > 1), [], 'none is sent twice');

    /* the last table that is known stays */

    await until(() => /\[(error|warn)\].*tenants/.test(
        fs.readFileSync(edge.log, 'utf8')), 'the log to tell');
    is(await post(edge, '/table?tenant=globex'), 200,
        'a tenant that Redis has lost stays known');
    await until(async () => await done('globex') >= 1, 'its job');

    /* FLUSHALL: no connection is lost, and no script */

    await house.redis.flushall();
    is(await post(edge), 200, 'emptied: 200');
    await until(async () => await done('acme') === 1, 'its job');
    await house.redis.script('FLUSH');
    await house.redis.flushall();
    is(await post(edge), 200, 'and without scripts');
    await until(async () => await done('acme') === 1, 'its job, too');
    console.log('# in the registry after FLUSHALL: '
        + `${await house.redis.scard('sluice:queues')}`);

    is(edge.complaints(/connect\(\) to unix:.* failed \((2|111)/), [],
        'no alert');
    is(await worker.stop(), 0, 'sluiced ends with 0');
});
