#!/usr/bin/env node
'use strict';

/* Records of queues of any tenant: into the store, whoever left them. */

const { execFileSync, spawn } = require('child_process');
const path = require('path');
const { run, ok, is, until, House, Graph, message, dir, root, once, closing }
    = require('./house');
const { Cluster } = require('./nodes');
const { Sluice } = require('../lua/scripts');

const AT = 1790000000000;
const file = path.join(dir, 'many.sqlite');

const names = (n, prefix = 't') => Array.from({ length: n },
    (_, i) => `${prefix}${i}`);
const stream = (tenant) => `{${tenant}}::sluice:records`;

function sql(text, store = file) {
    return execFileSync('sqlite3', ['-cmd', '.timeout 5000', store, text],
        { encoding: 'utf8' }).trim();
}

const rows = (where) => +sql(
    `select count(*) from communication_logs where ${where}`);

const settings = (graph, more = 'sweep = 1h', store = file) => `${more}
pace = 1
store = "${store}"
channel "whatsapp" { base_url = "${graph.url}" token = "T" }
number "106540352242922" { rate = 100000 }
queue "messages" { tenants = {"*"} channel = "whatsapp" }
queue "events" { tenants = {"*"} kind = events }
queue "messages of listed" { name = "messages" tenants = {"listed"}
    channel = "whatsapp" }
`;

/* as our producers do: the registry first */
async function send(house, tenant, n, first = 0) {
    const scripts = Object.assign(Object.create(house.scripts),
        { base: `{${tenant}}:messages:` });
    await house.redis.sadd('sluice:queues', `{${tenant}}:messages`);
    await scripts.add(...Array.from({ length: n }, (_, i) => ({
        id: `m-${tenant}-${first + i}`, name: 'message',
        data: JSON.stringify(message(`1555${first + i}`)) })));
}

/* empty, and nothing of it is pending */
const drained = async (house, tenant) =>
    await house.redis.xlen(stream(tenant)) === 0
    && (await house.redis.xpending(stream(tenant), 'sluice'))[0] === 0;

const empty = (house, tenants) => until(async () => {
    for (const tenant of tenants) {
        if (!await drained(house, tenant)) {
            return false;
        }
    }
    return true;
}, 'empty streams', 30000);

/* somebody holds the store's write lock */
async function lock() {
    const child = spawn('sqlite3', [file], { stdio: ['pipe', 'pipe',
        'inherit'] });
    closing.push(() => child.kill('SIGKILL'));
    let held = false;
    child.stdout.on('data', () => { held = true; });
    child.stdin.write('BEGIN IMMEDIATE;\nselect 1;\n');
    await until(() => held, 'the lock');
    return () => new Promise((done) => {
        child.on('exit', done);
        child.stdin.end('COMMIT;\n');
    });
}

const statuses = (tenant, n) => JSON.stringify({ object: 'whatsapp_business'
    + '_account', entry: [{ id: '1', changes: [{ field: 'messages', value: {
    metadata: { phone_number_id: '106540352242922' },
    statuses: Array.from({ length: n }, (_, i) => ({ id: `w-${tenant}-${i}`,
        status: 'delivered', timestamp: `${AT / 1000}`,
        recipient_id: `1555${i}` })) } }] }] });

async function written(house, graph) {
    const all = [...names(300), 'listed'];
    const worker = house.run(settings(graph));
    await worker.ready();
    for (const tenant of all) {
        await send(house, tenant, 2);
    }
    await until(() => rows("status = 'sent'") === 602, '602 rows', 30000);
    ok(true, 'messages of 300 tenants that were not known are recorded');
    await empty(house, all);
    ok(true, 'and their streams are empty');
    is(sql('select count(distinct tenant) from communication_logs'), '301',
        'each under its tenant');

    const log = execFileSync(path.join(root, 'build', 'sluicectl'), ['-c',
        worker.file, '--json', 'log', '--tenant', 't7'], { encoding: 'utf8' });
    is(JSON.parse(log).map((row) => [row.tenant, row.message_id, row.status])
        .sort(), [['t7', 'm-t7-0', 'sent'], ['t7', 'm-t7-1', 'sent']],
    'sluicectl log shows them');

    /* a webhook with more statuses than one call of records has */
    await house.redis.sadd('sluice:queues', '{hook}:events');
    await Object.assign(Object.create(house.scripts), { base: '{hook}:events:' })
        .add({ id: 'e-1', data: statuses('hook', 2500) });
    await until(() => rows("tenant = 'hook'") === 2500, '2500 statuses', 30000);
    await empty(house, ['hook']);
    ok(true, 'a webhook of 2500 statuses, too');

    const clients = (await house.redis.client('LIST')).trim().split('\n');
    ok(clients.length < 10, 'there is no connection for each stream',
        clients.length);

    /* a stream that was deleted, and one that is none */
    await house.redis.del(stream('t1'));
    await house.redis.set(stream('t2'), 'x');
    await send(house, 't1', 1, 2);
    await send(house, 't3', 1, 2);
    await until(() => rows("message_id in ('m-t1-2', 'm-t3-2')") === 2,
        'the record of a new stream');
    ok(true, 'a stream that was deleted is made anew');

    await house.redis.flushall();
    await send(house, 't1', 1, 3);
    await send(house, 'new', 1, 3);
    await until(() => rows("message_id in ('m-t1-3', 'm-new-3')") === 2,
        'records after a FLUSHALL', 30000);
    ok(true, 'and all, when Redis was emptied');
    return worker;
}

async function killed(house, graph, worker) {
    const release = await lock();
    const all = names(100, 'k');
    for (const tenant of all) {
        await send(house, tenant, 1);
    }
    await until(async () => {
        for (const tenant of all) {
            if (await house.redis.zcard(`{${tenant}}:messages:completed`)
                === 0) {
                return false;
            }
        }
        return true;
    }, 'the jobs of all', 30000);
    ok(true, 'a store that is busy holds no job up');
    await worker.saw('store_failed');
    await worker.stop('SIGKILL');
    await release();

    let left = 0;
    for (const tenant of all) {
        left += await house.redis.xlen(stream(tenant));
    }
    is(left, 100, 'killed: their records are in Redis');

    const next = house.run(settings(graph));
    await until(() => rows("tenant like 'k%'") === 100, 'the 100 rows', 30000);
    ok(true, 'and are found by the next, by the registry');
    await empty(house, all);
    is(sql("select count(*) from communication_logs where tenant like 'k%'"
        + ' and attempts = 1'), '100', 'each once');
    is(next.lines('queue_opened').length, 0, 'no queue was opened for that');
    await next.stop();
}

/* thousands, of which nobody here has written any */
async function thousands(house, graph) {
    const all = names(3000, 'm');
    const calls = house.redis.pipeline();
    for (const tenant of all) {
        calls.sadd('sluice:queues', `{${tenant}}:messages`);
        calls.xadd(stream(tenant), '*', 'r', JSON.stringify({ at: AT,
            id: `m-${tenant}`, tenant, status: 'sent' }));
    }
    calls.set(stream('listed'), 'no stream');
    await calls.exec();
    await house.redis.config('RESETSTAT');
    const worker = house.run(settings(graph, 'sweep = 1s'));
    await until(() => rows("tenant like 'm%'") === 3000, '3000 rows', 60000);
    await empty(house, all);
    ok(true, 'records in 3000 streams that somebody left are found');
    const [, reads] = /cmdstat_xreadgroup:calls=(\d+)/.exec(
        await house.redis.info('commandstats'));
    ok(reads < 3000 * 4, 'by a few reads of each', reads);
    await house.redis.config('RESETSTAT');
    await worker.saw('redis_ready', 2);
    await house.redis.xadd(stream('m5'), '*', 'r', JSON.stringify({ at: AT,
        id: 'm-late', tenant: 'm5', status: 'sent' }));
    await until(() => rows("message_id = 'm-late'") === 1, 'a late one', 30000);
    ok(true, 'and one that comes without a word');
    const [, later] = /cmdstat_xreadgroup:calls=(\d+)/.exec(
        await house.redis.info('commandstats'));
    ok(later < 200, 'what is empty is not read', later);

    await house.redis.del(stream('listed'));
    await worker.saw('records_back');
    is(worker.lines('records_failed').length, 1,
        'one that cannot be read is told of once, not between all others');

    /* other settings: no store, and then again */
    house.write(settings(graph, 'sweep = 1s').replace(/^store.*$/m, ''));
    worker.signal('SIGHUP');
    await worker.saw('reloaded', 1);
    await house.redis.xadd(stream('m6'), '*', 'r', JSON.stringify({ at: AT,
        id: 'm-off', tenant: 'm6', status: 'sent' }));
    await send(house, 'm7', 1);
    await until(async () => await house.redis.zcard('{m7}:messages:completed')
        === 1, 'a job without a store');
    is(await house.redis.xlen(stream('m7')), 0, 'without a store no record is'
        + ' written');
    house.write(settings(graph, 'sweep = 1s'));
    worker.signal('SIGHUP');
    await until(() => rows("message_id = 'm-off'") === 1, 'the store again',
        30000);
    ok(true, 'with a store again, what is there is found');
    is(await worker.stop(), 0, 'it ends with 0');
}

async function cluster(house, graph) {
    const nodes = await Cluster.start('manyrec', 3);
    const store = path.join(dir, 'many-cluster.sqlite');
    house.url = nodes.url;
    house.redis = nodes.redis;
    house.scripts = new Sluice(nodes.redis);
    const all = names(30);
    await house.redis.sadd('sluice:queues', '{left}:messages');
    await house.redis.xadd(stream('left'), '*', 'r', JSON.stringify({ at: AT,
        id: 'm-left', tenant: 'left', status: 'sent' }));
    const worker = house.run(settings(graph, 'sweep = 1s', store));
    await worker.saw('started');
    for (const tenant of all) {
        await send(house, tenant, 2);
    }
    await until(() => +sql('select count(*) from communication_logs', store)
        === 61, '61 rows of a cluster', 30000);
    await empty(house, [...all, 'left']);
    ok(true, 'records of tenants on all nodes of a cluster');
    is(await worker.stop(), 0, 'it ends with 0');
}

run(async () => {
    const house = new House('manyrec');
    const graph = await Graph.start();
    await house.startRedis();
    house.scripts = new Sluice(house.redis);
    const worker = await written(house, graph);
    await killed(house, graph, worker);
    await thousands(house, graph);
    await cluster(house, graph);
    is(once(['-c', house.write(settings(graph)), '-t']).code, 0, 'ok by -t');
});
