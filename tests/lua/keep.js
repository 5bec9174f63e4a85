'use strict';

/*
 * What becomes of finished jobs: how many are kept, and how they are counted.
 */

const { start } = require('./server');
const { Sluice } = require('./scripts');
const tap = require('./tap');
const { error } = tap;

const K = 'bull:q:';


async function keeping(s) {
    const { redis } = s;
    const run = async (n, job, options) => {
        await redis.flushall();
        await s.add(...Array.from({ length: n }, (_, i) => ({ id: `e-${i}` })));
        await s.take(n);
        for (let i = 0; i < n; i += 1) {
            await redis.rpush(`${K}e-${i}:logs`, 'l');
        }
        await s.finish(Array.from({ length: n }, (_, i) => ({ id: `e-${i}`,
            ...job })), 0, 'tok', options);
    };
    const left = async (set = 'completed') => (await redis.zrange(K + set, 0,
        -1));
    await run(5, {}, { keepCompleted: '2:0' });
    tap.is(await left(), ['e-3', 'e-4'], 'the worker\'s count');
    tap.is((await redis.keys(`${K}e-*`)).sort(), [`${K}e-3`, `${K}e-3:logs`,
        `${K}e-4`, `${K}e-4:logs`], 'hashes and logs go too');
    await run(5, { keep: '3:0' }, { keepCompleted: '2:0' });
    tap.is((await left()).length, 3, 'the job\'s own comes first');
    await run(3, {}, { keepCompleted: '0:0' });
    tap.is([await left(), await redis.keys(`${K}e-*`)], [[], []],
        'a count of 0 keeps none');
    tap.is((await redis.xrange(`${K}events`, '-', '+'))
        .filter(([, [, event]]) => event === 'completed').length, 3,
    'but announces them');
    await run(400, {}, { keepCompleted: '0:0' });
    tap.is(await redis.keys(`${K}e-*`), [], 'many at once, too');
    await run(3, { reason: 'x' }, { keepFailed: '1:0', keepCompleted: '0:0' });
    tap.is(await left('failed'), ['e-2'], 'failed ones by their own rule');
    await run(5, {}, {});
    await redis.zadd(`${K}completed`, 1000, 'e-0', 2000, 'e-1', 3000, 'e-2');
    await s.add({ id: 'last' });
    await s.take();
    await s.finish([{ id: 'last', keep: '-1:3600:2' }]);
    tap.is(await left(), ['e-2', 'e-3', 'e-4', 'last'],
        'by age, not more than the limit at once');

    await redis.flushall();
    await s.add({ id: 'a' }, { id: 'b' }, { id: 'c' }, { id: 'd' });
    await s.take(4);
    await s.finish([{ id: 'a' }, { id: 'b' }, { id: 'c', keep: '1:0' },
        { id: 'd' }]);
    tap.is(await left(), ['c', 'd'], 'rules apply one after the other');
}


async function metrics(s) {
    const { redis } = s;
    const key = `${K}metrics:completed`;
    await redis.flushall();
    const finish = async (n, points) => {
        const list = Array.from({ length: n }, () => ({}));
        const added = await s.add(...list);
        await s.take(n);
        await s.finish(added.map((id) => ({ id, keep: '0:0' })), 0, 'tok',
            { metrics: points });
    };
    await finish(3, 0);
    tap.is(await redis.exists(key), 0, 'none unless asked for');
    await finish(3, 10);
    await finish(2, 10);
    tap.is([await redis.hget(key, 'count'), await redis.exists(`${key}:data`)],
        ['5', 0], 'many of a call');
    const back = async (minutes) => redis.hset(key, 'prevTS',
        await redis.hget(key, 'prevTS') - minutes * 60000);
    await back(3);
    await finish(2, 10);
    tap.is(await redis.lrange(`${key}:data`, 0, -1), ['0', '0', '5'],
        'minutes without, then the sum of the last');
    await back(1);
    await finish(1, 10);
    tap.is(await redis.lrange(`${key}:data`, 0, -1), ['2', '0', '0', '5'],
        'what was counted since');
    await back(5000);
    await finish(1, 2500);
    tap.is([await redis.llen(`${key}:data`), await redis.lindex(`${key}:data`,
        -1)], [2500, '1'], 'no more than asked for');
    await redis.set(`${K}metrics:failed`, 'x');
    await s.add({ id: 'f' });
    await s.take();
    tap.ok(/WRONGTYPE/.test(await error(s.finish([{ id: 'f', reason: 'x' }], 0,
        'tok', { metrics: 5 }))), 'a wrong type');
    tap.is(await redis.lrange(`${K}active`, 0, -1), ['f'],
        'stops it before the first write');
}


/* an estimate: within a tenth when sizes are spread over a decade */
async function budgets(s) {
    const { redis } = s;
    await redis.flushall();
    let n = 0;
    const fill = async (calls, size, bytes, each = 20) => {
        for (let i = 0; i < calls; i += 1) {
            const list = Array.from({ length: each }, () => {
                n += 1;
                return { id: `e-${n}`, data: JSON.stringify('x'.repeat(
                    size === 'spread' ? 100 + (n * 7919) % 1900 : size)) };
            });
            await s.add(...list);
            await s.take(each);
            await s.finish(list.map(({ id }) => ({ id, reason: 'x' })), 0,
                'tok', { bytesFailed: bytes });
        }
    };
    const held = async () => {
        const all = await redis.zrange(`${K}failed`, 0, -1);
        const pipe = redis.pipeline();
        all.forEach((id) => pipe.memory('USAGE', K + id, 'SAMPLES', 0));
        return (await pipe.exec()).reduce((sum, [, v]) => sum + v,
            all.length * 100);
    };
    const budget = 1000000;
    const near = async (name) => {
        const ratio = await held() / budget;
        tap.ok(ratio > 0.8 && ratio < 1.2, name, ratio);
    };
    await fill(20, 300, budget);
    tap.is(await redis.zcard(`${K}failed`), 400, 'all that fit are kept');
    await fill(200, 'spread', budget);
    await near('the budget is kept to');
    const [first] = await redis.zrange(`${K}failed`, 0, 0);
    tap.ok(+first.slice(2) > 2000, 'the oldest are removed', first);
    for (const id of await redis.zrange(`${K}failed`, 0, 299)) {
        await redis.zrem(`${K}failed`, id);
        await redis.del(K + id);
    }
    await fill(1, 300, budget);
    const room = await redis.zcard(`${K}failed`);
    await fill(5, 300, budget);
    tap.is(await redis.zcard(`${K}failed`), room + 100,
        'what others remove leaves room');
    await fill(400, 3000, budget, 5);
    await near('and when jobs become larger');
    await fill(1, 300, 10, 1);
    tap.is(await redis.zcard(`${K}failed`), 1, 'one is always kept');
    const keep = Array.from({ length: 9 }, (_, i) => ({ id: `k-${i}` }));
    await s.add(...keep);
    await s.take(9);
    await s.finish(keep.map(({ id }) => ({ id, reason: 'x', keep: '5:0' })), 0,
        'tok', { bytesFailed: budget });
    tap.is(await redis.zcard(`${K}failed`), 5, 'a count that is less holds');
    tap.ok(await redis.pttl(`${K}sluice:bytes`) > 80000000,
        'what is remembered ends by itself');
}


tap.run(async () => {
    const server = await start('keep');
    const s = new Sluice(server.redis);
    try {
        await keeping(s);
        await metrics(s);
        await budgets(s);
    } finally {
        await server.stop();
    }
});
