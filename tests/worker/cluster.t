#!/usr/bin/env node
'use strict';

/*
 * sluiced and sluicectl with a Redis Cluster: tenants over all nodes, slots
 * that move under load, a master that is killed.
 */

const { spawnSync } = require('child_process');
const path = require('path');
const { run, ok, is, until, House, Graph, twice, message, bullmq, closing, root,
    once } = require('./house');
const { Cluster } = require('./nodes');
const Redis = require('../interop/node_modules/ioredis');

const TENANTS = 20;
const EACH = +process.env.SLUICE_CLUSTER_JOBS || 20;
const slotOf = require('../interop/node_modules/cluster-key-slot');

const house = new House('cluster');
const tenants = Array.from({ length: TENANTS }, (_, i) => `t${i}`);
let cluster;
let graph;

const settings = (more = '', queues = '') => `
pace = 1
claim_ttl = "1h"
connections = 200
redis_timeout = "2s"
store = "${path.join(require('./house').dir, 'cluster.sqlite')}"
channel "whatsapp" { base_url = "${graph.url}" token = "T" timeout = "10s" }
number "106540352242922" { rate = 100000 }
queue "messages" {
    channel = "whatsapp"
    tenants = {${tenants.join(', ')}}
    concurrency = 3
    ${more}
}
${queues}
`;

const queues = new Map();

function queue(tenant) {
    if (!queues.has(tenant)) {
        const one = new bullmq.Queue('messages',
            { connection: cluster.redis, prefix: `{${tenant}}`,
                sharedConnection: true });
        one.on('error', () => {});
        queues.set(tenant, one);
        closing.push(() => one.close());
    }
    return queues.get(tenant);
}

const to = (tenant, round, i) => `1${String(tenants.indexOf(tenant))
    .padStart(3, '0')}${round}${String(i).padStart(5, '0')}`;

/* those of `over` ms are due one after the other within that time */
async function add(round, each = EACH, over = 0) {
    await Promise.all(tenants.map((tenant) => queue(tenant).addBulk(
        Array.from({ length: each }, (_, i) => ({ name: 'message',
            data: message(to(tenant, round, i)),
            opts: { delay: Math.floor(i * over / each) } })))));
}

async function done() {
    let n = 0;
    let failed = 0;
    for (const tenant of tenants) {
        const now = await queue(tenant).getJobCounts('completed', 'failed');
        n += now.completed;
        failed += now.failed;
    }
    return { n, failed };
}

async function finished(n, ms = 60000) {
    await until(async () => {
        const now = await done();
        return now.n + now.failed >= n;
    }, `${n} messages`, ms);
}

function ctl(...args) {
    const result = spawnSync(path.join(root, 'build', 'sluicectl'),
        ['-r', cluster.url, ...args], { encoding: 'utf8' });
    return { code: result.status, out: result.stdout, err: result.stderr };
}

function refused() {
    house.url = cluster.url;
    const file = house.write(settings('', 'queue "plain" { kind = noop }'),
        'plain.conf');
    const result = once(['-c', file, '-t']);
    ok(result.code !== 0 && /plain\.conf:\d+: .*"plain".*"bull".*hash tag/
        .test(result.err), 'a prefix without a hash tag: an error with its line',
        result.err);
}

async function all(worker) {
    await add(0);
    await finished(TENANTS * EACH);
    const homes = new Set();
    for (const tenant of tenants) {
        homes.add((await cluster.owner(slotOf(`{${tenant}}`))).port);
    }
    is(homes.size, 3, 'the tenants are on all nodes');
    const count = await graph.seen();
    is([count.size, twice(count).length], [TENANTS * EACH, 0],
        'each message is sent, and sent once');
    is(worker.lines('stalled').length, 0, 'no lease was lost');
}

async function moved(worker) {
    const before = worker.lines('redis_refuses').length;
    await add(1, EACH, EACH * 150);
    let stop = false;
    let moves = 0;
    const moving = (async () => {
        for (let i = 0; !stop; i += 1) {
            await cluster.move(slotOf(`{${tenants[i % TENANTS]}}`),
                cluster.masters[(i + Math.floor(i / TENANTS)) % 3]);
            moves += 1;
        }
    })();
    await finished(2 * TENANTS * EACH);
    console.log(`# ${moves} slots moved`);
    stop = true;
    await moving;
    const count = await graph.seen();
    is([count.size, twice(count).length], [2 * TENANTS * EACH, 0],
        'slots move under load: each message is sent, and sent once');
    is((await done()).failed, 0, 'none failed');
    ok(worker.lines('redis_refuses').length > before,
        'calls met slots in motion and were made again');
    is(worker.child.code, undefined, 'sluiced goes on');
}

async function tool() {
    const file = house.write(settings(), 'ctl.conf');
    const list = spawnSync(path.join(root, 'build', 'sluicectl'),
        ['-c', file, '--json', 'queues'], { encoding: 'utf8' });
    is(JSON.parse(list.stdout).length, TENANTS,
        'sluicectl lists the queues of all nodes');
    const added = ctl('add', 't3/messages', 'message', '--data',
        JSON.stringify(message('15550000001')));
    is(added.code, 0, 'sluicectl adds to the node of the tenant', added.err);
    await finished(2 * TENANTS * EACH + 1);
    const plain = ctl('jobs', 'bull:messages');
    ok(plain.code === 2 && /hash tag/.test(plain.err),
        'a prefix without a hash tag is refused', plain);
}

async function killed(worker) {
    const n = (await done()).n;
    const before = (await graph.seen()).size;
    await add(2, EACH, EACH * 100);
    await until(async () => (await graph.seen()).size > before + 50,
        'some to be sent');
    await cluster.masters[0].kill();
    await until(async () => await cluster.replica.role() === 'master',
        'the replica to be master', 30000);
    await finished(n, 60000);
    /* what the replica did not have yet is lost: it is counted, not hidden */
    await until(async () => {
        const counts = await Promise.all(tenants.map((tenant) =>
            queue(tenant).getJobCounts('wait', 'active', 'delayed')));
        return counts.every((one) => one.wait + one.active + one.delayed === 0);
    }, 'all queues to be empty', 60000);
    const count = await graph.seen();
    let missing = 0;
    for (const tenant of tenants) {
        for (let i = 0; i < EACH; i += 1) {
            missing += !count.has(to(tenant, 2, i));
        }
    }
    const again = twice(count).length;
    console.log(`# a master killed: ${missing} never sent, ${again} sent twice`
        + ` of ${TENANTS * EACH}`);
    is(missing, 0, 'a master is killed: each message is sent');
    ok(worker.child.code === undefined, 'sluiced goes on');
    await add(3, 2);
    await until(async () => {
        const now = await graph.seen();
        return tenants.every((tenant) => now.has(to(tenant, 3, 1)));
    }, 'work on all nodes', 30000);
    ok(true, 'and works for all tenants with the new master');
}

async function recorded() {
    const file = path.join(require('./house').dir, 'cluster.conf');
    const want = Math.min((await graph.seen()).size, 1000);
    await until(() => {
        const log = spawnSync(path.join(root, 'build', 'sluicectl'),
            ['-c', file, '--json', 'log', '--limit', '1000'],
            { encoding: 'utf8' });
        try {
            return JSON.parse(log.stdout).length >= want;
        } catch (e) {
            return false;
        }
    }, `${want} records in the store`, 20000);
    ok(true, 'the records of all nodes are in the store');
}

/* more slots than there are connections that wait for markers */
async function turns() {
    const names = Array.from({ length: 80 }, (_, i) => `p${i}`);
    house.url = cluster.url;
    const worker = house.run(`queue "turns" { kind = noop
        tenants = {${names.join(', ')}} }`);
    const alive = cluster.nodes.filter((node) => node.child.code === undefined);
    await until(async () => {
        let waiting = 0;
        for (const node of alive) {
            const info = await node.redis.info('clients');
            waiting += +/blocked_clients:(\d+)/.exec(info)[1];
        }
        return waiting === 64;
    }, '64 that wait', 30000);
    for (let round = 1; round <= 2; round += 1) {
        const list = names.map((name) => new bullmq.Queue('turns', {
            connection: cluster.redis, prefix: `{${name}}`,
            sharedConnection: true }));
        await Promise.all(list.map((one) => one.add('n', {})));
        await until(async () => (await Promise.all(list.map((one) =>
            one.getCompletedCount()))).every((n) => n === round),
        'a job of each', 30000);
        await Promise.all(list.map((one) => one.close()));
        ok(true, `80 slots, round ${round}: each job is done`);
    }
    /* the others would be found without, too, but seconds later */
    const asked = async () => {
        let n = 0;
        for (const node of alive) {
            const info = await node.redis.info('commandstats');
            n += +(/_zpopmin:calls=(\d+)/.exec(info) || [])[1] || 0;
        }
        return n;
    };
    const begun = await asked();
    await until(async () => await asked() > begun + 6 * 16,
        'the other 16 to be asked in turns');
    is(await worker.stop(), 0, '80 slots: it ends with 0');
}

run(async () => {
    graph = await Graph.start('--delay', '40');
    cluster = await Cluster.start('cluster', 3, 1);
    refused();
    const worker = house.run(settings('lock = "3s" stalled = "1s"'));
    await worker.saw('redis_ready', 3);
    await all(worker);
    await moved(worker);
    await tool();
    await recorded();
    await killed(worker);
    await worker.stop();
    await turns();
});
