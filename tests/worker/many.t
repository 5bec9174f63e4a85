#!/usr/bin/env node
'use strict';

/* Queues of any tenant: found, woken, swept, and worked on in fair shares. */

const { run, ok, is, until, House } = require('./house');
const { Cluster } = require('./nodes');
const { Sluice } = require('../lua/scripts');

const ANY = 'queue "q" { tenants = {"*"} kind = noop stalled = 200ms }';

/* the scripts are read once */
const sluice = (house, tenant, queue = 'q') => {
    house.scripts = house.scripts || new Sluice(house.redis);
    return Object.assign(Object.create(house.scripts),
        { base: `{${tenant}}:${queue}:` });
};

/* as our producers do: the registry first */
async function add(house, tenant, jobs, queue = 'q') {
    await house.redis.sadd('sluice:queues', `{${tenant}}:${queue}`);
    for (let n = 0; n < jobs.length; n += 64) {
        await sluice(house, tenant, queue).add(...jobs.slice(n, n + 64));
    }
}

const jobs = (n, extra) => Array.from({ length: n },
    (_, i) => ({ id: `e-${i}`, ...extra }));

const completed = (house, tenant, queue = 'q') =>
    house.redis.zcard(`{${tenant}}:${queue}:completed`);

const done = (house, tenant, n, what) => until(async () =>
    await completed(house, tenant) === n, what || `the jobs of ${tenant}`);

const names = (n) => Array.from({ length: n }, (_, i) => `t${i}`);


/* all that is heard: the sweep is an hour away */
async function woken(house) {
    await add(house, 'before', jobs(3));
    await add(house, 'later', jobs(1, { delay: 1000 }));
    await add(house, 'other', jobs(1), 'elsewhere');
    await house.redis.sadd('sluice:queues', 'bull:q', '{no good}:q', '{}:q',
        '{x}', 'x}:q', '{a}:q:r', 'q');
    const worker = house.run(`sweep = 1h\n${ANY}`);
    await done(house, 'before', 3);
    ok(true, 'what was there before the start is found by the registry');
    await worker.saw('redis_ready', 2);

    const all = names(300);
    for (const tenant of all) {
        await add(house, tenant, jobs(2));
    }
    for (const tenant of all) {
        await done(house, tenant, 2);
    }
    ok(true, '300 tenants that were not known are woken');
    await sluice(house, 't7').add({ id: 'again' });
    await done(house, 't7', 3);
    ok(true, 'and one that is open');
    await done(house, 'later', 1);
    ok(true, 'a delayed job of a queue that is not open is done when due');
    is(await house.redis.llen('{other}:elsewhere:wait'), 1,
        'a queue of another name is left alone');
    is(new Set(worker.lines('queue_opened').map((l) => l.queue)).size, 302,
        '302 queues were opened');

    /* the connection of the words is cut, and a word is lost */
    const cut = async () => {
        const list = await house.redis.client('LIST');
        const [, id] = /id=(\d+) [^\n]*name=sluiced:wake /.exec(list) || [];
        return id && house.redis.client('KILL', 'ID', id);
    };
    await until(cut, 'the connection of the words');
    await sluice(house, 'lost').add({ id: 'e-1' });
    await house.redis.sadd('sluice:queues', '{lost}:q');
    await done(house, 'lost', 1);
    ok(true, 'a word that was lost is made good when words come again');

    /* other settings: it is not worked on, and then again */
    house.write('sweep = 1h\nqueue "r" { tenants = {"*"} kind = noop }');
    worker.signal('SIGHUP');
    await worker.saw('reloaded', 1);
    await add(house, 't7', jobs(1), 'r');
    await until(async () => await completed(house, 't7', 'r') === 1, 'r');
    await add(house, 't8', [{ id: 'not yet' }]);
    await add(house, 't8', jobs(1), 'r');
    await until(async () => await completed(house, 't8', 'r') === 1, 'r');
    is(await completed(house, 't8'), 2, 'a queue that left the settings waits');
    house.write(`sweep = 1h\n${ANY}`);
    worker.signal('SIGHUP');
    await done(house, 't8', 3);
    ok(true, 'and goes on when it is back');

    worker.signal('SIGTSTP');
    await worker.saw('paused', 1);
    await add(house, 'held', jobs(1));
    await add(house, 't9', [{ id: 'held' }]);
    is([await completed(house, 'held'), await completed(house, 't9')], [0, 2],
        'nothing is taken while it is paused');
    worker.signal('SIGCONT');
    await done(house, 'held', 1);
    await done(house, 't9', 3);
    ok(true, 'and all of it after that');

    /* names of nobody: they are let go, and those that are known are heard */
    const opened = worker.lines('queue_opened').length;
    const words = house.redis.pipeline();
    for (let i = 0; i < 3000; i += 1) {
        words.publish('sluice:wake', `{nobody${i}}:q`);
    }
    await words.exec();
    await sluice(house, 't6').add({ id: 'after' });
    await done(house, 't6', 3);
    ok(worker.lines('queue_opened').length - opened <= 1001,
        'words of queues that nobody registered open a thousand at most');
    is(await worker.stop(), 0, 'it ends with 0');
    await house.redis.flushall();
}

/* nothing is heard */
async function swept(house) {
    await house.redis.call('ACL', 'SETUSER', 'deaf', 'on', '>x', '~*', '+@all',
        'resetchannels');
    house.url = `unix:${house.socket}?user=deaf&password=x`;
    const worker = house.run(`sweep = 1s\n${ANY}`);
    house.url = undefined;
    const [refused] = await worker.saw('wake_refused', 1);
    ok(/NOPERM/.test(refused.error), 'a user who may not subscribe is told of');
    await add(house, 'acme', jobs(3));
    await done(house, 'acme', 3);
    ok(true, 'jobs are found by the sweep');
    is(worker.lines('wake_refused').length, 1, 'it is told once');
    await worker.stop();

    /* a worker takes a job and is gone */
    await add(house, 'gone', jobs(1));
    await sluice(house, 'gone').take(1, 'tok', { lock: 1 });
    const hearing = house.run(`sweep = 1s\n${ANY}`);
    const stock = house.queue('q', { prefix: '{stock}' });
    await house.redis.sadd('sluice:queues', '{stock}:q', '{dead}:q');
    await hearing.saw('redis_ready', 2);
    await stock.add('n', {});
    await done(house, 'stock', 1);
    ok(true, 'a stock job is found');

    await done(house, 'gone', 1);
    is(hearing.lines('stalled').map((l) => l.queue), ['{gone}:q'],
        'a stalled job of a queue that nobody works on is recovered');

    /* words come for a while, and of some queues none */
    let silent = 0;
    await until(async () => {
        const base = `{silent${silent}}:q`;
        if (await house.redis.llen(`${base}:wait`) === 0) {
            silent += 1;
            await house.redis.zadd(`{silent${silent}}:q:marker`, 0, '0');
            await add(house, `silent${silent}`, jobs(1));
        }
        return / cmd=bzpopmin /.test(await house.redis.client('LIST'));
    }, 'the wait for a marker');
    ok(true, 'a marker that no word came for is waited for');

    /* the markers of queues that are no longer ours are for others */
    house.write('sweep = 1s\nqueue "r" { tenants = {"*"} kind = noop }');
    hearing.signal('SIGHUP');
    await hearing.saw('reloaded', 1);
    const markers = Array.from({ length: silent },
        (_, i) => `{silent${i + 1}}:q:marker`);
    await until(async () => {
        await Promise.all(markers.map((key) => house.redis.zadd(key, 0, '0')));
        return !/ flags=b /.test(await house.redis.client('LIST'));
    }, 'the end of the wait');
    await until(async () => await house.redis.exists(...markers) === silent,
        'the markers');
    ok(true, 'what left the settings is not waited for, and keeps its marker');
    is(await hearing.stop(), 0, 'it ends with 0');
    await house.redis.flushall();
}

/* the order in which jobs were taken, by the weights of tenants */
async function fair(house) {
    const tenants = names(50);
    const weight = (i) => 1 + i % 5;
    const rounds = 40;
    await Promise.all(tenants.map((tenant, i) => add(house, tenant,
        jobs(i === 7 ? 3000 : (rounds + 20 + i) * weight(i)))));
    const worker = house.run('concurrency = 8\nsweep = 1h\n'
        + 'queue "q" { tenants = {"*"} kind = noop keep_completed = -1 }\n'
        + tenants.map((tenant, i) =>
            `tenant "${tenant}" { weight = ${weight(i)} }`).join('\n'));
    for (const [i, tenant] of tenants.entries()) {
        await until(async () => await house.redis.llen(`{${tenant}}:q:wait`)
            === 0 && await house.redis.llen(`{${tenant}}:q:active`) === 0,
        `${i}`, 60000);
    }
    const taken = [];
    for (const [i, tenant] of tenants.entries()) {
        const ids = await house.redis.zrange(`{${tenant}}:q:completed`, 0, -1);
        const all = house.redis.pipeline();
        ids.forEach((id) => all.hget(`{${tenant}}:q:${id}`, 'processedOn'));
        (await all.exec()).forEach(([, at]) => taken.push([+at, i]));
    }
    taken.sort((a, b) => a[0] - b[0]);

    const sum = tenants.reduce((n, _, i) => n + weight(i), 0);
    const got = tenants.map(() => 0);

    /* behind the first two: not all were open yet */
    taken.slice(2 * sum, rounds * sum).forEach(([, i]) => { got[i] += 1; });
    const off = got.map((n, i) => n / (weight(i) * (rounds - 2)))
        .sort((a, b) => a - b);
    ok(off[0] >= 0.94 && off[49] <= 1.06,
        '50 tenants have the shares of their weights', off);
    is(await worker.stop(), 0, 'it ends with 0');
    await house.redis.flushall();
}


/* tenants over the nodes of a cluster: by words, and by sweeps of all of them */
async function cluster(house) {
    const nodes = await Cluster.start('many', 3);
    house.url = nodes.url;
    house.redis = nodes.redis;
    house.scripts = undefined;
    await house.redis.sadd('sluice:queues',
        names(20).map((tenant) => `{idle${tenant}}:q`));
    await add(house, 'before', jobs(3));
    const worker = house.run(`sweep = 1s\n${ANY}`);
    await done(house, 'before', 3);
    const all = names(20);
    await Promise.all(all.map((tenant) => add(house, tenant, jobs(2))));
    await Promise.all(all.map((tenant) => done(house, tenant, 2)));
    ok(true, 'tenants on all nodes are woken');
    const stock = names(20).map((tenant) => `s${tenant}`);
    await Promise.all(stock.map(async (tenant) => {
        await house.redis.zadd(`{${tenant}}:q:marker`, 0, '0');
        await add(house, tenant, jobs(1));
    }));
    await Promise.all(stock.map((tenant) => done(house, tenant, 1)));
    ok(true, 'and swept');

    /* a node is away: queues of the others are found all the same */
    const slot = require('../interop/node_modules/cluster-key-slot');
    const registry = await nodes.owner(slot('sluice:queues'));
    await Promise.all(nodes.masters.map((node) => node.redis.config('SET',
        'cluster-require-full-coverage', 'no')));
    const gone = nodes.masters.find((node) => node !== registry);
    const [there] = (await Promise.all(names(20).map(async (i) => [`new${i}`,
        await nodes.owner(slot(`{new${i}}`))]))).find(([, at]) => at !== gone);
    await gone.kill();
    await until(async () => /cluster_state:ok/.test(
        await registry.redis.cluster('INFO'))
        && /fail/.test(await registry.redis.cluster('NODES')), 'the failure');
    await house.redis.zadd(`{${there}}:q:marker`, 0, '0');
    await add(house, there, jobs(1));
    await done(house, there, 1);
    ok(true, 'and swept while a node is away');
    is(await worker.stop(), 0, 'it ends with 0');
}

run(async () => {
    const house = new House('many');
    await house.startRedis();
    await woken(house);
    await swept(house);
    await fair(house);
    await cluster(house);
});
