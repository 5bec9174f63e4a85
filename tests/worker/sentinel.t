#!/usr/bin/env node
'use strict';

/*
 * sluiced and sluicectl with sentinels: a failover that is asked for, and a
 * master that is killed, under load.  What a replica did not have yet is lost,
 * with any client: it is counted and shown.  A second sluiced has wait_replicas,
 * and a queue of its own: of that nothing is.
 */

const { spawnSync } = require('child_process');
const path = require('path');
const { run, ok, is, until, House, Worker, Graph, message, root } = require('./house');
const { Watched } = require('./nodes');

const JOBS = +process.env.SLUICE_SENTINEL_JOBS || 300;

const house = new House('sentinel');
let watched;
let graph;
let queues;        /* without wait_replicas, and with */

const settings = (i) => `
wait_replicas = ${i}
pace = 1
connections = 200
redis_timeout = "2s"
channel "whatsapp" { base_url = "${graph.url}" token = "T" timeout = "10s" }
number "106540352242922" { rate = 100000 }
queue "messages${i}" {
    channel = "whatsapp" prefix = "bull" concurrency = 5
    lock = "3s" stalled = "1s"
}
`;

const to = (round, which, i) => `1${round}${which}${String(i).padStart(6, '0')}`;

const add = (round, n = JOBS) => Promise.all(queues.map((queue, which) =>
    queue.addBulk(Array.from({ length: n }, (_, i) =>
        ({ name: 'message', data: message(to(round, which, i)) })))));

/* of one round: how many were never sent, how many more than once */
async function lost(round, which, n = JOBS) {
    const count = await graph.seen();
    let never = 0;
    let twice = 0;
    for (let i = 0; i < n; i += 1) {
        never += !count.has(to(round, which, i));
        twice += count.get(to(round, which, i)) > 1;
    }
    return { never, twice };
}

const emptied = (queue) => until(async () => {
    const now = await queue.getJobCounts('wait', 'active', 'delayed');
    return now.wait + now.active + now.delayed === 0;
}, 'an empty queue', 60000);

async function changes(round, what, change, workers) {
    const before = (await graph.get('requests?limit=1')).total;
    const old = await watched.master();
    const found = workers.map((worker) => worker.lines('redis_master').length);
    await add(round);

    /* the replica has the jobs themselves: their results are in question */
    await old.redis.set('mark', '');
    await old.redis.wait(1, 5000);
    await until(async () => (await graph.get('requests?limit=1')).total
        > before + JOBS / 2, 'some to be sent');
    await change(old);
    await until(async () => {
        const now = await watched.master();
        return now && now !== old;
    }, 'another master', 30000);
    if (old.child.code !== undefined && workers.length > 1) {
        /* it has nothing, and says for a while that it is a master */
        await until(async () => (await Promise.all(watched.sentinels.map(
            (one) => one.redis.call('SENTINEL', 'get-master-addr-by-name',
                watched.name)))).every((at) => +at[1] !== old.port),
        'the sentinels to agree', 30000);
        await old.up();
    }

    for (const [i, worker] of workers.entries()) {
        await emptied(queues[i]);
        const { never, twice } = await lost(round, i);
        const name = i ? `${what}, wait_replicas` : what;
        console.log(`# ${name}: ${never} never sent, ${twice} sent twice of ${
            JOBS}`);
        is(never, 0, `${name}: each message is sent`);
        if (i) {
            is(twice, 0, `${name}: and sent once`);
        }
        ok(worker.lines('redis_master').length > found[i]
            && worker.child.code === undefined,
        `${name}: sluiced finds the master and goes on`);
    }
}

run(async () => {
    graph = await Graph.start('--delay', '20');
    watched = await Watched.start('sentinel');
    house.url = watched.url;
    queues = [0, 1].map((i) => house.queue(`messages${i}`,
        { connection: watched.connection }));
    const workers = [0, 1].map((i) => new Worker(house.write(settings(i), `sentinel${i}.conf`)));
    for (const worker of workers) {
        await worker.saw('redis_master');
    }

    await add(0, 50);
    for (const [i, queue] of queues.entries()) {
        await until(async () => (await queue.getJobCounts('completed'))
            .completed === 50, '50 messages');
        is(await lost(0, i, 50), { never: 0, twice: 0 },
            'the master is found and used');
    }

    await changes(1, 'a failover', async () => {
        await until(() => watched.sentinels[0].redis.call('SENTINEL',
            'failover', watched.name).catch(() => false), 'a failover');
    }, workers);

    for (const worker of workers) {
        ok(worker.lines('redis_away').some((line) =>
            /another master/.test(line.error)),
        'the old master is left before it hears that it is a replica');
    }

    const counts = spawnSync(path.join(root, 'build', 'sluicectl'),
        ['-r', watched.url, '--json', 'jobs', 'bull:messages0', '--state',
            'completed', '--limit', '1'], { encoding: 'utf8' });
    is(counts.status, 0, 'sluicectl asks the sentinels, too', counts.stderr);

    /* the old master is a replica of the new one by now */
    const master = await watched.master();
    await until(async () => (await master.redis.info('replication'))
        .includes('state=online'), 'a replica', 30000);

    /* without a replica the second one stands still until it is started again,
       and the sentinels have made it a replica */

    if (!process.env.SLUICE_SENTINEL_JOBS) {
        await workers.pop().stop();
    }
    await changes(2, 'the master is killed', (old) => old.kill(), workers);
    for (const worker of workers) {
        await worker.stop();
    }
});
