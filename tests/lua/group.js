'use strict';

/*
 * Order for each key (lua/include/group.lua): one job of a `groupKey` at a time,
 * in order, whatever stock clients do to the jobs.
 */

const path = require('path');
const { start, modules } = require('./server');
const { Sluice } = require('./scripts');
const tap = require('./tap');

const K = 'bull:q:';
const LINE = 'bull::sluice:group:q:';
const ids = (reply) => reply.jobs.map((j) => j.id);
const of = (group, id, more = {}) => ({ id, ...more,
    opts: JSON.stringify({ attempts: 3, groupKey: group, ...more.opts }) });

/* jobs "a1" of the group "a" and so on; "-1" of none */
const named = (...names) => names.map((id) => (id[0] === '-' ? { id }
    : of(id[0], id)));

async function due(s, id) {
    const [sec, us] = await s.redis.time();
    const score = await s.redis.zscore(`${K}delayed`, id);
    return score === null ? null : score / 4096 - (sec * 1000 + us / 1000);
}

/* about so many ms from now */
async function later(s, id, ms, name) {
    const wait = await due(s, id);
    tap.ok(wait > ms - 5000 && wait <= ms, name, `${id} waits ${wait} ms`);
}

/* what has waited for its time has waited long enough */
async function pass(s) {
    for (const id of await s.redis.zrange(`${K}delayed`, 0, -1)) {
        await s.redis.zadd(`${K}delayed`, 'XX', 0, id);
    }
}

async function lines(s) {
    return (await s.redis.keys('bull::sluice:group:*')).sort();
}


async function turns(s) {
    const { redis } = s;
    await redis.flushall();
    await s.add(...named('a1', 'a2', 'b1', '-1', 'a3', 'b2', '-2'));
    const first = await s.take(20);
    tap.is(ids(first), ['a1', 'b1', '-1', '-2'], 'one of each group');
    tap.is([await redis.zrange(`${K}delayed`, 0, -1),
        await redis.llen(`${K}wait`)], [['a2', 'b2', 'a3'], 0],
    'the others are delayed');
    await later(s, 'a2', 60000, 'the next for a minute');
    await later(s, 'b2', 60000, 'in its own group');
    await later(s, 'a3', 120000, 'the one after it for two');
    tap.is([first.status, Math.floor(first.value / 10) * 10], ['delayed',
        Math.floor(await redis.zscore(`${K}delayed`, 'a2') / 40960) * 10],
    'which is said');
    tap.is([await redis.hget(`${K}a2`, 'delay'), await redis.hget(`${K}a2`,
        'ats'), await redis.hget(`${K}a2`, 'gk')], ['60000', null, 'a'],
    'in the hash, too');
    const told = (await redis.xrange(`${K}events`, '-', '+'))
        .map(([, f]) => f).filter((f) => f[1] === 'delayed');
    tap.is(told.map((f) => [f[3], f.length]), [['a2', 6], ['a3', 6], ['b2', 6]],
        'and by an event');
    tap.is(await redis.zscore(`${K}marker`, '1') !== null, true,
        'and by the marker');
    tap.is(await lines(s), [`${LINE}a`, `${LINE}b`], 'a line each');
    const ttl = await redis.pttl(`${LINE}a`);
    tap.ok(ttl > 2591990000 && ttl <= 2592000000, 'for thirty days');

    const second = await s.finish([{ id: 'a1' }, { id: '-1' }], 5);
    tap.is([second.codes, ids(second.next)], [[0, 0], ['a2']],
        'the next is taken in the same call');
    tap.is([await redis.hget(`${K}a2`, 'delay'), await redis.zscore(
        `${K}delayed`, 'a2')], ['0', null], 'it is delayed no more');
    await later(s, 'a3', 60000, 'the one after it looks in a minute');
    await redis.del(`${K}marker`);
    await s.add({ id: '-3' });
    await s.finish([{ id: 'a2', reason: 'r' }]);
    tap.is([await redis.zscore(`${K}marker`, '0'),
        await redis.lrange(`${K}wait`, 0, -1)], ['0', ['-3', 'a3']],
    'failed for good: the next is first in the line');
    tap.is(ids(await s.take(5)), ['a3', '-3'], 'and taken first');
    await s.finish([{ id: 'a3' }, { id: 'b1' }]);
    tap.is(await lines(s), [`${LINE}b`], 'the line of nobody is gone');
    await s.finish([{ id: 'b2' }]);
    tap.is(await s.redis.lrange(`${K}active`, 0, -1), ['-3', '-2'],
        'what was not taken is not finished');
    tap.is(ids(await s.take(5)), ['b2'], 'the last of a group');
    await s.finish([{ id: 'b2' }]);
    tap.is(await lines(s), [], 'no line is left');
}


/* an attempt that failed, a throttle, a shutdown, a stall: it stays its turn */
async function again(s) {
    const { redis } = s;
    const rest = [['retry at once', { mode: 'retry' }, ['-1', 'a1']],
        ['backoff', { mode: 'retry', delay: 50000 }, ['-1', 'a1']],
        ['throttle', { mode: 'delay', delay: 50000 }, ['-1', 'a1']],
        ['release', { mode: 'release' }, ['a1', '-1']]];
    for (const [name, how, order] of rest) {
        await redis.flushall();
        await s.add(...named('a1', 'a2', '-1'));
        await s.take();
        await s.retry({ id: 'a1', ...how });
        const got = ids(await s.take(5));
        tap.is(got, how.delay ? ['-1'] : order, `${name}: it is first`);
        await redis.zadd(`${K}delayed`, 'XX', 0, 'a1');
        got.push(...ids(await s.take(5)));
        tap.is([got, await redis.zrange(LINE + 'a', 0, -1)],
            [order, ['a1', 'a2']], `${name}: until it is over`);
    }

    await redis.flushall();
    await s.add(...named('a1', 'a2', 'a3'));
    await s.take(5);
    await redis.del(`${K}a1:lock`);
    await s.recover();
    await redis.del(`${K}stalled-check`);
    tap.is(await s.recover(), ['a1'], 'stalled');
    await pass(s);
    tap.is(ids(await s.take(5)), ['a1'], 'still its turn');
    tap.is((await s.finish([{ id: 'a1', reason: 'x' }], 5)).next.jobs[0].id,
        'a2', 'dead: the next');
    tap.is(await s.requeue('failed', ['a1']), [1], 'it comes back');
    tap.is(ids(await s.take(5)), [], 'and waits');
    await later(s, 'a1', 120000, 'at the end of its group');
    const order = [];
    for (let id = 'a2'; id;) {
        order.push(id);
        [id] = ids((await s.finish([{ id }], 1)).next);
    }
    tap.is(order, ['a2', 'a3', 'a1'], 'until it is its turn again');
    tap.is(await lines(s), [], 'no line is left');
}


/* what a key may be */
async function keys(s) {
    const { redis } = s;
    const long = 'k'.repeat(129);
    const digest = require('crypto').createHash('sha1').update(long)
        .digest('hex');
    for (const [opts, line] of [[{ groupKey: '+49 30:{x}' }, '+49 30:{x}'],
        [{ groupKey: 'k'.repeat(128) }, 'k'.repeat(128)],
        [{ groupKey: long }, `#${digest}`], [{ groupKey: 15551234567 },
            '15551234567'], [{ groupKey: 'é"\n' }, 'é"\n']]) {
        await redis.flushall();
        await s.add({ id: 'x', opts: JSON.stringify(opts) },
            { id: 'y', opts: JSON.stringify(opts) });
        tap.is([ids(await s.take(5)), await lines(s)], [['x'], [LINE + line]],
            `the key ${line.slice(0, 20)}`);
    }
    for (const opts of [{ groupKey: '' }, { groupKey: null },
        { groupKey: { a: 1 } }, { groupKey: true }, { a: { groupKey: 'x' } },
        { a: '"groupKey":"x"' }]) {
        await redis.flushall();
        await s.add({ id: 'x', opts: JSON.stringify(opts) },
            { id: 'y', opts: JSON.stringify(opts) });
        tap.is([ids(await s.take(5)), await lines(s)], [['x', 'y'], []],
            `no key: ${JSON.stringify(opts)}`);
    }
    await redis.flushall();
    await s.add({ id: 'x', opts: '{"groupKey":"a"' }, ...named('a1'));
    tap.is(ids(await s.take(5)), ['x', 'a1'], 'opts that cannot be read');

    const other = new Sluice(redis, s.major, '{t}:r:');
    await s.add(...named('a2'));
    await other.add(...named('a3', 'a4'));
    tap.is([ids(await other.take(5)), await lines(s),
        await redis.keys('{t}::*')], [['a3'], [`${LINE}a`],
        ['{t}::sluice:group:r:a']], 'a line is of a queue');

    for (const over of [() => redis.hset(`${K}a1`, 'finishedOn', 1),
        () => redis.zadd(`${K}waiting-children`, 1, 'a1')]) {
        await redis.flushall();
        await s.add(...named('a1', 'a2'));
        await over();
        tap.is(ids(await s.take(5)), ['a1', 'a2'],
            'in the line, and said to be over: nobody is held up');
    }

    await redis.flushall();
    await redis.set(`${LINE}a`, 'x');
    await s.add(...named('a1', 'a2'));
    tap.is(ids(await s.take(5)), ['a1', 'a2'],
        'a line of a wrong type holds nobody up');
    tap.is((await s.finish([{ id: 'a1' }, { id: 'a2' }])).codes, [0, 0],
        'nor does it keep one');
}


/* the class, the pause style and the limits of a queue hold for the next, too */
async function places(s) {
    const { redis } = s;
    await redis.flushall();
    await s.add(of('a', 'a1'), of('a', 'a2', { priority: 5 }),
        of('a', 'a3', { priority: 5 }), { id: 'x', priority: 5 });
    tap.is(ids(await s.take(5)), ['a1', 'x'], 'with priorities');
    await s.add({ id: 'y', priority: 5 }, { id: 'z', priority: 1 });
    await s.finish([{ id: 'a1' }]);
    tap.is(await redis.zrange(`${K}prioritized`, 0, -1), ['z', 'a2', 'y'],
        'first of its class');

    await redis.flushall();
    await s.add(...named('a1', 'a2', 'a3'));
    await s.take(5);
    await s.pause();
    await s.finish([{ id: 'a1' }]);
    const list = s.major === 5 ? 'paused' : 'wait';
    tap.is([await redis.lrange(K + list, 0, -1), await redis.exists(
        `${K}marker`)], [['a2'], 0], 'a paused queue');
    await s.resume();
    tap.is(ids(await s.take(5)), ['a2'], 'resumed');

    await redis.hset(`${K}meta`, 'concurrency', 1);
    await s.add({ id: '-1' });
    await redis.del(`${K}marker`);
    const { next } = await s.finish([{ id: 'a2' }], 5);
    tap.is([next.status, ids(next)], ['full', ['a3']], 'global concurrency');
}


/* 10^5 in one group: bounded looks, and no look that all take together */
async function crowds(s) {
    const { redis } = s;
    const n = 1000;
    await redis.flushall();
    for (let i = 0; i < n; i += 500) {
        await s.add(...Array.from({ length: 500 },
            (_, j) => of('a', `a${i + j}`)));
    }
    await s.add(...named('-1', 'b1'));
    const seen = [];
    let calls = 0;
    for (let reply; !reply || reply.status === 'ok'; calls += 1) {
        reply = await s.take(50);
        seen.push(...ids(reply));
    }
    tap.is(seen, ['a0', '-1', 'b1'], 'what is behind a crowd is taken');
    tap.is(calls, Math.ceil((n + 2) / 64), '64 at a time');
    await later(s, 'a1', 60000, 'the first again in a minute');
    await later(s, 'a60', 3600000, 'the sixtieth in an hour');
    await later(s, 'a999', 3600000 + 93900, 'the last ones ten a second');

    await redis.hset(`${K}meta`, 'opts.maxLenEvents', 100);
    for (let i = 0; i < 3; i += 1) {
        await pass(s);
        for (let reply; !reply || reply.status === 'ok';) {
            reply = await s.take(500);
        }
    }
    tap.ok(await redis.xlen(`${K}events`) < 3000,
        'looks do not make the stream of events grow');

    const order = [];
    for (let [id] = ['a0']; id;) {
        order.push(+id.slice(1));
        [id] = ids((await s.finish([{ id }], 1)).next);
    }
    tap.is(order, Array.from({ length: n }, (_, i) => i), 'all in order');
    tap.is(await lines(s), [`${LINE}b`], 'no line is left');
}


/* who was first is gone in a way that nobody told us of */
async function stock(s, lib, server) {
    const { redis } = s;
    const worker = new lib.Worker('q', null, { autorun: false,
        connection: server.connection });
    const queue = new lib.Queue('q', { connection: server.connection });
    worker.on('error', () => {});
    queue.on('error', () => {});
    const three = async () => {
        await redis.flushall();
        for (const id of ['a1', 'a2', 'a3']) {
            await queue.add('n', {}, { jobId: id, groupKey: 'a' });
        }
        tap.is(ids(await s.take(5)), ['a1'], 'added by a stock client');
    };
    const job = (id) => queue.getJob(id);
    const ends = {
        completed: async () => (await job('a1')).moveToCompleted('v', 'tok',
            false),
        failed: async () => (await job('a1')).moveToFailed(new Error('x'),
            'tok', false),
        removed: async () => {
            await redis.del(`${K}a1:lock`);
            await queue.remove('a1');
        },
    };
    for (const [name, end] of Object.entries(ends)) {
        await three();
        await end();
        tap.is(ids(await s.take(5)), [], `${name} by stock: nobody said so`);
        await pass(s);
        tap.is(ids(await s.take(5)), ['a2'], 'the next has looked');
        tap.is(ids((await s.finish([{ id: 'a2' }], 5)).next), ['a3'],
            'the one after it');

        await three();
        await end();
        await s.add(of('a', 'a4'));
        tap.is(ids(await s.take(5)), [], 'a new one does not go first');
        tap.is(ids(await s.take(5)), ['a2'], 'but makes the next go');
    }

    await three();
    await (await job('a3')).promote();
    tap.is(ids(await s.take(5)), [], 'promoted before its turn');
    await later(s, 'a3', 120000, 'it waits on, at its place');
    await queue.promoteJobs();
    tap.is(ids(await s.take(5)), [], 'promoted all of them');
    await queue.remove('a2');
    tap.is(ids((await s.finish([{ id: 'a1' }], 5)).next), ['a3'],
        'one that was removed is passed over');
    tap.is((await s.finish([{ id: 'a3' }])).codes, [0], 'the last');
    tap.is(await lines(s), [], 'no line is left');

    /* a stock worker runs whatever is in the line */
    await three();
    await (await job('a3')).promote();
    const taken = await worker.getNextJob('other', { block: false });
    tap.is(taken.id, 'a3', 'a stock worker takes it before its turn');
    await s.finish([{ id: 'a1' }]);
    tap.is(ids(await s.take(5)), ['a2'], 'the order of the others holds');
    tap.is(ids((await s.finish([{ id: 'a2' }], 5)).next), [], 'that one runs');
    await s.add(of('a', 'a4'));
    tap.is(ids(await s.take(5)), [], 'it is alone');
    await taken.moveToCompleted('v', 'other', false);
    await pass(s);
    tap.is(ids(await s.take(5)), ['a4'], 'until it is done');

    /* finished by stock, brought back by us: an id may be of a new job, too */
    await three();
    await ends.removed();
    await s.add({ id: 'a1' });
    tap.is(ids(await s.take(5)), ['a1'], 'the same id, of no group');
    await pass(s);
    tap.is(ids(await s.take(5)), ['a2'], 'is in nobody\'s way');
    await three();
    await ends.removed();
    await s.add(of('b', 'a1'));
    tap.is(ids(await s.take(5)), ['a1'], 'nor of another group');
    await pass(s);
    tap.is(ids(await s.take(5)), ['a2'], 'which runs beside it');

    await three();
    await queue.obliterate({ force: true });
    await s.add(...named('a2', 'a3'));
    tap.is(ids(await s.take(5)), ['a2'], 'after a stock obliterate');

    await worker.close();
    await queue.close();
}


/* removed by us */
async function removed(s) {
    const { redis } = s;
    const four = async () => {
        await redis.flushall();
        await s.add(...named('a1', 'a2', 'a3', 'a4'));
        await s.take(5);
    };
    await four();
    tap.is(await s.remove(['a3']), [1], 'one that waits is removed');
    tap.is(await redis.zrange(`${LINE}a`, 0, -1), ['a1', 'a2', 'a4'],
        'from its line, too');
    await s.retry({ id: 'a1', mode: 'delay', delay: 50000 });
    await s.add(...named('a5'));
    await s.take(5);
    tap.is(await s.remove(['a5']), [1], 'another one');
    await later(s, 'a1', 50000, 'the first is not told of it');
    await redis.del(`${K}marker`);
    tap.is(await s.remove(['a1']), [1], 'the first is removed');
    tap.ok(await due(s, 'a2') <= 0 && await redis.zscore(`${K}marker`, '1'),
        'it is the turn of the next at once');
    await later(s, 'a4', 60000, 'the one after it looks in a minute');
    tap.is(ids(await s.take(5)), ['a2'], 'the next');

    await four();
    await redis.del(`${K}a1:lock`);
    tap.is((await s.clean('active'))[0], ['a1'], 'cleaned');
    tap.is(ids(await s.take(5)), ['a2'], 'the next');
    tap.is(await s.drain(true), ['a3', 'a4'], 'drained');
    tap.is(await redis.zrange(`${LINE}a`, 0, -1), ['a2'], 'out of the line');
    await s.finish([{ id: 'a2' }]);
    tap.is(await lines(s), [], 'no line is left');

    await four();
    await s.pause();
    tap.is(await s.obliterate(1, 2), '', 'obliterated');
    tap.is(await redis.keys('*'), [], 'nothing is left');

    /* an iteration whose scheduler is changed, or removed, between attempts */
    const plan = (id) => s.schedule(id, Date.now() + 3600000, { every: 3600000 },
        { opts: { groupKey: 'a' } });
    for (const end of [() => plan('n'), () => s.unschedule('n')]) {
        await redis.flushall();
        const first = await plan('n');
        await pass(s);
        tap.is(ids(await s.take(5, 'tok', { schedulers: true })), [first],
            'an iteration');
        await s.retry({ id: first, mode: 'retry', delay: 50000 });
        await s.add(...named('a3'));
        await s.take(5);
        await redis.del(`${K}marker`);
        await end();
        tap.ok(await due(s, 'a3') <= 0 && await redis.zscore(`${K}marker`, '1'),
            'it is gone: the turn of the next at once');
    }

    /* of another queue, below a flow */
    const other = new Sluice(redis, s.major, 'bull:o:');
    await redis.flushall();
    await other.add(...named('a1', 'a2'));
    await other.take(1);
    await other.retry({ id: 'a1', mode: 'release' });
    await other.take(5);
    await other.retry({ id: 'a1', mode: 'delay', delay: 50000 });
    await s.insert('P', { attempts: 0 }, { children: 1 });
    await redis.hset('bull:o:a1', 'parentKey', `${K}P`, 'parent',
        '{"id":"P","queueKey":"bull:q"}');
    await redis.sadd(`${K}P:dependencies`, 'bull:o:a1');
    tap.is(await s.remove(['P'], { children: 1 }), [1], 'with its child');
    tap.is(ids(await other.take(5)), ['a2'], 'the next of the child');
}


/* a hash of a group that is in no state, and those that are in one */
async function orphans(s) {
    const { redis } = s;
    for (const [name, expected, put] of [
        ['none', ['a2'], () => {}],
        ['active, without a lock', [], () => redis.lpush(`${K}active`, 'a1')],
        ['it has a lock', [], () => redis.set(`${K}a1:lock`, 'x')],
        ['waiting', ['a1'], () => redis.lpush(`${K}wait`, 'a1')],
        ['paused', [], () => redis.lpush(`${K}paused`, 'a1')],
        ['prioritized', ['a1'], () => redis.zadd(`${K}prioritized`, 5, 'a1')],
        ['delayed', [], () => redis.zadd(`${K}delayed`, 1e18, 'a1')],
        ['a list of thousands', [], () => redis.rpush(`${K}active`,
            ...Array.from({ length: 2001 }, (_, i) => `x${i}`))],
    ]) {
        await redis.flushall();
        await s.add(...named('a1', 'a2', 'a3'));
        await s.take(5);
        await redis.lrem(`${K}active`, 1, 'a1');
        await redis.del(`${K}a1:lock`);
        await pass(s);
        await put();
        tap.is(ids(await s.take(5)), expected, `the first is in a state: ${name}`);
    }
}


/* a parent that waits for its children lets them go before it */
async function families(s) {
    const { redis } = s;
    const child = (id) => s.insert(id, { attempts: 0, groupKey: 'a' },
        { parent: { id: 'a1', queueKey: 'bull:q' } });
    await redis.flushall();
    await s.add(...named('a1', 'a2'));
    await s.take(5);
    await child('c1');
    tap.is(await s.retry({ id: 'a1', mode: 'children' }), [0], 'it waits');
    tap.is(ids(await s.take(5)), ['a2'], 'the next');
    tap.is(ids((await s.finish([{ id: 'a2' }], 5)).next), ['c1'],
        'its child, which is of its group');
    await s.finish([{ id: 'c1' }]);
    tap.is(ids(await s.take(5)), ['a1'], 'then the parent');
    tap.is((await s.finish([{ id: 'a1' }])).codes, [0], 'to its end');
    tap.is(await lines(s), [], 'no line is left');

    /* put there by a stock client, which knows nothing of groups */
    await s.add(...named('a3', 'a4'));
    await s.take(5);
    await redis.zadd(`${K}waiting-children`, 1, 'a3');
    await redis.lrem(`${K}active`, 1, 'a3');
    await pass(s);
    tap.is(ids(await s.take(5)), ['a4'], 'a parent moved by somebody else');

    /* in the line, where it is left to stock workers */
    await redis.flushall();
    await s.add(...named('a1', 'a2'));
    await s.take(1);
    await child('a1'.replace('a', 'c'));
    await s.retry({ id: 'a1', mode: 'release' });
    tap.is(ids(await s.take(5)), ['a2'], 'a parent that is left in its line');
}


tap.run(async () => {
    const server = await start('group');
    for (const major of [5, 6]) {
        console.log(`# BullMQ ${major}`);
        const s = new Sluice(server.redis, major);
        await turns(s);
        await again(s);
        await keys(s);
        await places(s);
        await crowds(s);
        await removed(s);
        await families(s);
        await orphans(s);
        await stock(s, require(path.join(modules, `bullmq${major}`)), server);
    }
    await server.stop();
});
