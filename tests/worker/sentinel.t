#!/usr/bin/env node
'use strict';

/*
 * sluiced and sluicectl with sentinels: a failover that is asked for, and a
 * master that is killed, under load.  What a replica did not have yet is lost,
 * with any client: it is counted and shown.
 */

const { spawnSync } = require('child_process');
const path = require('path');
const { run, ok, is, until, House, Graph, message, root } = require('./house');
const { Watched } = require('./nodes');

const JOBS = +process.env.SLUICE_SENTINEL_JOBS || 300;

const house = new House('sentinel');
let watched;
let graph;
let queue;

const settings = () => `
pace = 1
connections = 200
redis_timeout = "2s"
channel "whatsapp" { base_url = "${graph.url}" token = "T" timeout = "10s" }
number "106540352242922" { rate = 100000 }
queue "messages" {
    channel = "whatsapp" prefix = "bull" concurrency = 5
    lock = "3s" stalled = "1s"
}
`;

const to = (round, i) => `1${round}${String(i).padStart(7, '0')}`;

const add = (round, n = JOBS) => queue.addBulk(Array.from({ length: n },
    (_, i) => ({ name: 'message', data: message(to(round, i)) })));

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

const emptied = () => until(async () => {
    const now = await queue.getJobCounts('wait', 'active', 'delayed');
    return now.wait + now.active + now.delayed === 0;
}, 'an empty queue', 60000);

async function changes(round, what, change, worker) {
    const before = (await graph.get('requests?limit=1')).total;
    const old = await watched.master();
    const found = worker.lines('redis_master').length;
    await add(round);

    /* the replica has the jobs themselves: their results are in question */
    await old.redis.wait(1, 5000);
    await until(async () => (await graph.get('requests?limit=1')).total
        > before + JOBS / 4, 'some to be sent');
    await change(old);
    await until(async () => {
        const now = await watched.master();
        return now && now !== old;
    }, 'another master', 30000);
    await emptied();

    const { never, twice } = await lost(round);
    console.log(`# ${what}: ${never} never sent, ${twice} sent twice of ${JOBS}`);
    is(never, 0, `${what}: each message is sent`);
    ok(worker.lines('redis_master').length > found
        && worker.child.code === undefined,
        'sluiced finds the master and goes on');
}

run(async () => {
    graph = await Graph.start('--delay', '20');
    watched = await Watched.start('sentinel');
    house.url = watched.url;
    queue = house.queue('messages', { connection: watched.connection });
    const worker = house.run(settings());
    await worker.saw('redis_master');

    await add(0, 50);
    await until(async () => (await queue.getJobCounts('completed')).completed
        === 50, '50 messages');
    is(await lost(0, 50), { never: 0, twice: 0 }, 'the master is found and used');

    await changes(1, 'a failover', async () => {
        await until(() => watched.sentinels[0].redis.call('SENTINEL',
            'failover', watched.name).catch(() => false), 'a failover');
    }, worker);

    ok(worker.lines('redis_away').some((line) => /another master/.test(line.error)),
        'the old master is left before it hears that it is a replica');

    const counts = spawnSync(path.join(root, 'build', 'sluicectl'),
        ['-r', watched.url, '--json', 'jobs', 'bull:messages', '--state',
            'completed', '--limit', '1'], { encoding: 'utf8' });
    is(counts.status, 0, 'sluicectl asks the sentinels, too', counts.stderr);

    /* the old master is a replica of the new one by now */
    const master = await watched.master();
    await until(async () => (await master.redis.info('replication'))
        .includes('state=online'), 'a replica', 30000);

    await changes(2, 'the master is killed', (old) => old.kill(), worker);
    await worker.stop();
});
