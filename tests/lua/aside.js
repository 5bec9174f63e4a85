'use strict';

/*
 * What our scripts leave to others: jobs that are set aside in their line, and
 * children whose parents' keys cannot be written.
 */

const net = require('net');
const { start } = require('./server');
const { Sluice } = require('./scripts');
const { dump } = require('./keyspace');
const tap = require('./tap');

const K = 'bull:q:';
const ids = (reply) => reply.jobs.map((j) => j.id);


/* a job that is left stays first, those behind it are taken past it */
async function refusals(s) {
    const { redis } = s;
    const kinds = {
        'is an iteration of a job scheduler': (k) => redis.hset(k, 'rjk', 's'),
        'has unfinished children': (k) => redis.sadd(`${k}:dependencies`, 'x'),
        'has a zero byte in its id': null,
        'is not a hash': async (k) => {
            await redis.del(k);
            await redis.set(k, 'x');
        },
    };
    for (const [reason, mark] of Object.entries(kinds)) {
        for (const priority of [0, 4]) {
            await redis.flushall();
            const id = mark ? 'x' : 'x\0y';
            await s.add({ id: 'a' }, { id: 'b' }, { id, priority },
                { id: 'c', priority }, { id: 'd', priority: 9 });
            if (mark) {
                await mark(`${K}x`);
            }
            const before = await dump(redis);
            const line = `${K}${priority ? 'prioritized' : 'wait'}`;
            tap.is([...ids(await s.take(3))], ['a', 'b', 'c'],
                `${reason}: not more than asked for`);
            await redis.del(`${K}marker`);
            const second = await s.take(5);
            tap.is([second.status, second.value, ...ids(second)],
                ['refused', `${id.replace('\0', '?')} ${reason}`, 'd'],
                'taken past it, and said');
            tap.is(await redis.zscore(`${K}marker`, '0'), '0.5',
                'whoever can do it is woken');
            tap.is(ids(await s.take(5)), [], 'and no more');
            const after = await dump(redis);
            tap.is(after[line].value.map((v) => (priority ? v[0] : v)), [id],
                'it is alone in its line');
            tap.is(after[K + id], before[K + id], 'nothing of it was changed');
            tap.is(await redis.exists(`${K}${id}:lock`), 0, 'nor locked');
        }
    }

    /* whoever adds the next iterations takes them; the others heed what is taken */
    await redis.flushall();
    await s.add({ id: 'x' }, { id: 'y' });
    await redis.hset(`${K}x`, 'rjk', 's');
    await redis.hset(`${K}y`, 'rjk', 's');
    const mine = { schedulers: true };
    tap.is((await s.take(1, 'tok', mine)).jobs.map((job) => [job.id, job.rjk]),
        [['x', 's']], 'of a scheduler: take');
    const { codes, next } = await s.finish([{ id: 'x', reason: 'r' }], 1, 'tok',
        mine);
    tap.is([codes, next.jobs.map((job) => job.rjk)], [[0], ['s']], 'finish');
    tap.is(await s.retry({ id: 'y', mode: 'release' }), [0], 'retry');
    tap.is(await s.requeue('failed', ['x']), [1], 'requeue');
    tap.is((await s.take()).status, 'refused', 'the others leave it');
    await redis.hset(`${K}repeat:s`, 'name', 'n');
    tap.is((await s.take(1, 'tok', mine)).value,
        s.major === 5 ? 'y is a repeatable job of the old kind' : 0,
        'Queue.add() of BullMQ 5 with repeat');
    await redis.hset(`${K}repeat:s`, 'ic', 1);
    tap.is((await s.take(1, 'tok', mine)).jobs.map((job) => job.id),
        [s.major === 5 ? 'y' : 'x'], 'not so a scheduler');

    /* who waits for children can only fail; who has failed ones, too */
    await redis.flushall();
    await s.add({ id: 'x' });
    await redis.sadd(`${K}x:dependencies`, 'c');
    await redis.hset(`${K}x`, 'defa', 'child c failed');
    tap.is((await s.take()).jobs.map((job) => job.defa), ['child c failed'],
        'a parent that is to fail is taken');
    tap.is((await s.finish([{ id: 'x' }])).codes, [-4], 'not to be completed');
    await redis.del(`${K}x:dependencies`);
    await redis.zadd(`${K}x:unsuccessful`, 1, 'c');
    tap.is((await s.finish([{ id: 'x' }])).codes, [-9], 'failed children');
    tap.is((await s.finish([{ id: 'x', reason: 'r' }])).codes, [0],
        'but to be failed');
}


/* a client of any kind may have put an id there twice; each look has an end */
async function twice(s) {
    const { redis } = s;
    const fill = async (...jobs) => {
        await redis.flushall();
        await s.add(...jobs);
        await redis.hset(`${K}x`, 'rjk', 's');
    };
    await fill({ id: 'x' }, { id: 'y' });
    await redis.rpush(`${K}wait`, 'x', 'x');
    tap.is(ids(await s.take(1)), ['y'], 'twice in the line: taken past it');
    tap.is(await redis.lrange(`${K}wait`, 0, -1), ['x'], 'and put back once');

    for (const limits of ['', 'floor:1']) {
        await fill({ id: 'x', priority: 3 }, { id: 'y', priority: 3 },
            { id: 'z', priority: 3 });
        await redis.rpush(`${K}wait`, 'x');
        tap.is([...ids(await s.take(1, 'tok', { limits })),
            ...ids(await s.take(1, 'tok', { limits }))], ['y', 'z'],
        `in two lines: taken past it ${limits}`);
        tap.is([await redis.lrange(`${K}wait`, 0, -1), await redis.zrange(
            `${K}prioritized`, 0, -1)], [['x'], ['x']], 'and left in both');
    }
}


async function asides(s) {
    const { redis } = s;
    await redis.flushall();
    const held = Array.from({ length: 60 }, (_, i) => ({ id: `x-${i}` }));
    const free = Array.from({ length: 200 }, (_, i) => ({ id: `e-${i}` }));
    const mixed = [...held.slice(0, 30), ...free.slice(0, 100),
        ...held.slice(30), ...free.slice(100)];
    await s.add(...mixed);
    for (const { id } of held) {
        await redis.hset(K + id, 'rjk', 's');
    }
    const seen = [];
    for (let got = [''], n = 1; got.length; n += 1) {
        got = ids(await s.take(n));
        seen.push(...got);
    }
    tap.is(seen, free.map(({ id }) => id), '60 are passed, in order');
    tap.is(await redis.lrange(`${K}wait`, 0, -1),
        held.map(({ id }) => id).reverse(), 'and keep their own');
    await s.add(...Array.from({ length: 4 }, (_, i) => ({ id: `y-${i}` })),
        { id: 'behind' }, { id: 'last', priority: 1 });
    for (let i = 0; i < 4; i += 1) {
        await redis.hset(`${K}y-${i}`, 'rjk', 's');
    }
    const end = await s.take(5);
    tap.is([end.status, end.value, ...ids(end)],
        ['refused', 'x-0 is an iteration of a job scheduler'],
        '64 hold the line up');
    await redis.lrem(`${K}wait`, 1, 'x-7');
    tap.is(ids(await s.take(5)), ['behind', 'last'], 'fewer do not');
}


/* a parent whose keys cannot be written: before the first write */
async function parents(s) {
    const { redis } = s;
    const PK = 'bull:p:';
    const child = async () => {
        await redis.flushall();
        await s.add({ id: 'c' }, { id: 'e' });
        await redis.hset(`${K}c`, 'parentKey', `${PK}1`, 'parent',
            `{"id":"1","queueKey":"bull:p","fpof":true}`);
        await redis.hset(`${PK}1`, 'name', 'p');
        await redis.sadd(`${PK}1:dependencies`, `${K}c`);
        await redis.zadd(`${PK}waiting-children`, 1, '1');
        await redis.hset(`${PK}meta`, 'opts.maxLenEvents', 10000);
    };
    for (const key of ['1', '1:dependencies', '1:processed', '1:failed',
        '1:unsuccessful', 'waiting-children', 'wait', 'paused', 'active',
        'prioritized', 'delayed', 'failed', 'marker', 'events', 'meta', 'pc']) {
        await child();
        await s.take(2);
        await redis.del(PK + key);
        await redis.set(PK + key, 'x');
        const before = await dump(redis);
        for (const reason of [undefined, 'boom']) {
            tap.is((await s.finish([{ id: 'c', reason }])).codes, [-12],
                `a parent's ${key} of a wrong type: refused`);
        }
        const after = await dump(redis);
        tap.is(Object.keys(after).filter((k) => !/:(events|lock|meta)$/.test(k)
            && JSON.stringify(after[k]) !== JSON.stringify(before[k])), [],
        'and nothing was written');
        tap.is((await s.finish([{ id: 'c', reason: 'x' }, { id: 'e' }])).codes,
            [-12, 0], 'the others of the call are');
        await redis.zadd(`${K}failed`, 1, 'c');
        tap.is(await s.requeue('failed', ['c']), [-12], 'nor requeued');
        await redis.zadd(`${K}completed`, 1, 'c');
        await s.add({ id: 'n' });
        await s.take();
        await s.finish([{ id: 'n', keep: '1:0' }]);
        tap.is(await redis.zrange(`${K}completed`, 0, -1), ['c', 'n'],
            'nor removed');
    }
    await child();
    await redis.hset(`${K}c`, 'parent', '{"id":"2","queueKey":"bull:other"}');
    await s.take(2);
    await s.finish([{ id: 'c' }]);
    tap.is(await redis.lrange(`${PK}wait`, 0, -1), ['1'],
        'parentKey is believed when they disagree');
    for (const [key, value] of [['parentKey', ''], ['parentKey', 'x'],
        ['parent', '']]) {
        await child();
        await redis.hset(`${K}c`, key, value);
        await s.take(2);
        tap.is((await s.finish([{ id: 'c' }])).codes, [0],
            `${key} '${value}' is no reason to refuse`);
    }
}


function freePort() {
    return new Promise((done) => {
        const server = net.createServer();
        server.listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => done(port));
        });
    });
}

/* a node of a cluster that has the child's slot, and not the parent's */
async function apart() {
    const server = await start('apart', ['--cluster-enabled', 'yes', '--port',
        await freePort(), '--cluster-port', await freePort(),
        '--cluster-require-full-coverage', 'no']);
    try {
        const { redis } = server;
        const key = (queue, suffix) => `{${queue}}:q:${suffix}`;
        await redis.call('CLUSTER', 'ADDSLOTS',
            await redis.cluster('KEYSLOT', key('a', 'x')));
        const s = new Sluice(redis, 6, key('a', ''));
        s.stream = '{a}::sluice:records';
        s.claims = '{a}::sluice:claim:';
        await tap.until(() => s.add({ id: 'x' }, { id: 'y' }).catch(() => null),
            'the slot');
        const parent = ['parentKey', key('b', '1'), 'parent',
            '{"id":"1","queueKey":"{b}:q","fpof":true}'];
        await redis.hset(key('a', 'x'), ...parent);
        const reply = await s.take(5);
        tap.is([reply.status, reply.value, ...ids(reply)], ['refused',
            'x has its parent on another node', 'y'], 'a child is left');
        await redis.hset(key('a', 'y'), ...parent);
        for (const reason of [undefined, 'boom']) {
            tap.is((await s.finish([{ id: 'y', reason }])).codes, [-12],
                'nor finished');
        }
        await redis.zadd(key('a', 'failed'), 1, 'x');
        tap.is(await s.requeue('failed', ['x']), [-12], 'nor requeued');
        tap.is([await redis.lrange(key('a', 'active'), 0, -1),
            await redis.zcard(key('a', 'failed'))], [['y'], 1],
        'nothing was written');
        tap.is([await s.move('failed'), await s.remove(['x']),
            await s.clean('failed')], [[0, 1], [-12], [[], 1]],
        'nor moved, removed or cleaned');
        await s.add({ id: 'p' }, { id: 'q' });
        await redis.sadd(key('a', 'p:dependencies'), key('b', '7'));
        tap.is([await s.remove(['p'], { children: 1 }), await s.remove(['p'])],
            [[-12], [1]], 'a parent goes without its children');
        await s.pause();
        tap.is(await s.obliterate(1), '', 'the queue can be removed');
        tap.is(await redis.dbsize(), 0, 'as a whole');
    } finally {
        await server.stop();
    }
}


tap.run(async () => {
    await apart();
    const server = await start('aside');
    const s = new Sluice(server.redis);
    try {
        await refusals(s);
        await refusals(new Sluice(server.redis, 5));
        await asides(s);
        await twice(s);
        await parents(s);
    } finally {
        await server.stop();
    }
});
