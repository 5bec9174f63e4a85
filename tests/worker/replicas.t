#!/usr/bin/env node
'use strict';

/*
 * wait_replicas: a result counts when the replicas have it.  A replica that
 * stands still; masters of a cluster that are replaced.  sentinel.t has the
 * same behind sentinels.
 */

const http = require('http');
const path = require('path');
const { run, ok, is, until, House, Graph, message, bullmq, closing, dir }
    = require('./house');
const { Node, Cluster } = require('./nodes');

const JOBS = +process.env.SLUICE_REPLICAS_JOBS || 300;
const socketPath = path.join(dir, 'replicas.sock');
let graph;

const settings = (queues, timeout = '2s') => `
pace = 1
connections = 200
redis_timeout = "${timeout}"
wait_replicas = 1
channel "whatsapp" { base_url = "${graph.url}" token = "T" timeout = "10s" }
number "106540352242922" { rate = 100000 }
${queues}
`;

const messages = (more) => `queue "messages" {
    channel = "whatsapp" concurrency = 5 lock = "2s" stalled = "500ms" ${more}
}`;

const to = (round, i) => `1${round}${String(i).padStart(7, '0')}`;

const add = (queue, round, n = JOBS) => queue.addBulk(Array.from({ length: n },
    (_, i) => ({ name: 'message', data: message(to(round, i)) })));

const sent = async () => (await graph.get('requests?limit=1')).total;

/* of one round: how many were never sent, how many more than once */
async function lost(round, n = JOBS) {
    const count = await graph.seen();
    let never = 0;
    let twice = 0;
    for (let i = 0; i < n; i += 1) {
        never += !count.has(to(round, i));
        twice += count.get(to(round, i)) > 1;
    }
    return { never, twice };
}

async function emptied(queues) {
    await until(async () => {
        for (const queue of queues) {
            const now = await queue.getJobCounts('wait', 'active', 'delayed');
            if (now.wait + now.active + now.delayed) {
                return false;
            }
        }
        return true;
    }, 'empty queues', 60000);
}

const link = (node) => until(async () => /state=online,offset=[1-9]/.test(
    await node.redis.info('replication')), 'a replica', 30000);

function open(name, options) {
    const queue = new bullmq.Queue(name, options);
    queue.on('error', () => {});
    closing.push(() => queue.close());
    return queue;
}

function ask(method, where, body) {
    return new Promise((done, fail) => {
        const request = http.request({ socketPath, method, path: where,
            headers: { authorization: 'Bearer K' } }, (answer) => {
            answer.resume();
            answer.on('end', () => done(answer.statusCode));
        });
        request.on('error', fail);
        request.end(body && JSON.stringify(body));
    });
}

const calls = async (node, name) => +(new RegExp(`cmdstat_${name}:calls=(\\d+)`)
    .exec(await node.redis.info('commandstats')) || [0, 0])[1];

const connects = async (node) => +/total_connections_received:(\d+)/
    .exec(await node.redis.info('stats'))[1];


async function still() {
    const house = new House('still');
    const master = await Node.start('still', []);
    const copy = await Node.start('still', [`replicaof 127.0.0.1 ${master.port}`]);
    await link(master);
    house.url = `redis://127.0.0.1:${master.port}`;
    const queue = open('messages', { connection: { port: master.port } });
    const worker = house.run(settings(`${messages('prefix = "bull"')}
        queue "n" { kind = noop prefix = "bull" }
        admin { listen = "unix:${socketPath}" key = "K" }`, '10s'));
    await worker.saw('redis_ready', 3);

    await add(queue, 0, 100);
    await emptied([queue]);
    is(await lost(0, 100), { never: 0, twice: 0 }, 'each message is sent once');
    is(await copy.redis.zcard('bull:messages:completed'), 100,
        'the replica has the results');
    is(await ask('POST', '/queue/n/job/delayed', { name: 'x', delay: 1e7 }), 201,
        'a job by the REST API');
    is(await copy.redis.zcard('bull:n:delayed'), 1, 'the replica has it');

    const noop = open('n', { connection: { port: master.port } });
    await master.redis.config('RESETSTAT');
    await noop.addBulk(Array.from({ length: 5000 },
        () => ({ name: 'n', data: {} })));
    await until(async () => {
        const now = await noop.getJobCounts('wait', 'active', 'completed');
        return now.completed && now.wait + now.active === 0;
    }, 'jobs');
    const waits = await calls(master, 'wait');
    ok(waits > 0 && waits < 1000, `many results share a WAIT: ${waits} for 5000`);

    /* nothing is sent that the replica does not know of, for however long */

    copy.child.kill('SIGSTOP');
    const before = await sent();
    await add(queue, 1, 50);
    await worker.saw('replicas_missing');
    is(await ask('POST', '/queue/n/job/delayed', { name: 'y', delay: 1e7 }), 503,
        'the REST API says that it is not known');
    for (let i = 0; i < 4; i += 1) {
        await noop.add('n', {});
        await until(async () => {
            const now = await noop.getJobCounts('wait', 'active');
            return now.wait + now.active === 0;
        }, 'the next result');
    }
    ok(true, 'the master has results, though no replica has');
    await until(async () => await calls(master, 'wait') > waits + 6,
        'longer than leases', 20000);
    is(await sent(), before, 'without a replica nothing is sent');
    is(await ask('GET', '/queue/messages'), 200, 'reading needs no replica');
    copy.child.kill('SIGCONT');
    await worker.saw('replicas_back');
    await emptied([queue]);
    is(await lost(1, 50), { never: 0, twice: 0 }, 'then each is sent once');
    is(worker.lines('stalled').length + worker.lines('lease_lost').length, 0,
        'the leases were kept');

    /*
     * Who may not wait for them does not work.  What it costs to find out is
     * less each time: the fifth connect of a link comes 3.1 s later or more.
     */

    const began = Date.now();
    const first = await connects(master);
    const ready = worker.lines('redis_ready').length;
    const refused = () => worker.lines('redis_away').filter((line) =>
        /cannot wait for replicas: NOPERM/.test(line.error));
    const links = () => new Set(refused().map((line) => line.link)).size;
    await master.redis.acl('SETUSER', 'default', '-wait');
    await add(queue, 2, 5);
    await until(() => refused().length > 0, 'the reason');
    await until(async () => await connects(master) - first
        > 5 * links(), 'some more connections', 60000);
    const took = Date.now() - began;
    ok(took > 3000, `they come at growing intervals: ${took} ms`);
    ok(refused().length <= links() * (1 + took / 60000),
        'it is said once, and once a minute', refused());
    is(worker.lines('redis_ready').length, ready, 'until then none is ready');
    await master.redis.acl('SETUSER', 'default', '+wait');
    await emptied([queue]);
    is(await lost(2, 5), { never: 0, twice: 0 }, 'NOPERM: told, and sent once after');
    await until(() => worker.lines('redis_ready').length >= ready + links(),
        'each link to be ready', 60000);
    is(await worker.stop(), 0, 'TERM');
}


async function cluster() {
    const house = new House('nodes');
    const nodes = await Cluster.start('nodes', 2, 2);
    house.url = nodes.url;
    const tenants = ['a', 'b', 'c', 'd', 'e', 'f'];
    const queues = tenants.map((tenant) => open('messages',
        { connection: nodes.redis, prefix: `{${tenant}}` }));
    const worker = house.run(settings(
        messages(`tenants = {${tenants.join(', ')}}`)));
    await worker.saw('redis_ready', 2);

    const each = Math.ceil(JOBS / 2 / tenants.length);
    const before = await sent();
    await Promise.all(queues.map((queue, i) => queue.addBulk(Array.from(
        { length: each }, (_, j) => ({ name: 'message',
            data: message(to(5, i * each + j)) })))));
    for (const master of nodes.masters) {
        await master.redis.wait(1, 5000);
    }
    await until(async () => await sent() > before + 20, 'some');

    /* each way that there is; the last asks nobody, as when a master is gone */

    for (const [i, how] of [[], ['TAKEOVER']].entries()) {
        const replica = nodes.nodes[2 + i];
        await replica.redis.cluster('FAILOVER', ...how);
        await until(async () => await replica.role() === 'master',
            'another master', 20000);
    }
    await emptied(queues);
    const result = await lost(5, each * tenants.length);
    console.log(`# CLUSTER FAILOVER, and TAKEOVER: ${result.never} never sent,`
        + ` ${result.twice} sent twice of ${each * tenants.length}`);
    is(result, { never: 0, twice: 0 },
        'a cluster: masters are replaced, each message is sent once');
    ok(nodes.nodes.length === 4 && worker.child.code === undefined,
        'sluiced goes on');
    await worker.stop();
}


run(async () => {
    graph = await Graph.start('--delay', '20');
    await still();
    await cluster();
});
