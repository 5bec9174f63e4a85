'use strict';

/* The limits of take.lua and finish.lua: the floor, the buckets. */

const { start } = require('./server');
const { Sluice } = require('./scripts');
const tap = require('./tap');

const K = 'bull:q:';
const OWN = 'bull::sluice:';
const HOUR = 3600e6;      /* µs: nothing comes back while a test runs */
const HIGH = 0;
const MEDIUM = 10;
const LOW = 100;

let redis;
let s;

/* `n` jobs of a priority, h-1, h-2, ... */
async function fill(letter, priority, n) {
    if (n) {
        await s.add(...Array.from({ length: n }, (_, i) => ({
            id: `${letter}-${i + 1}`, priority })));
    }
}
const take = (count, limits) => s.take(count, 'tok', { limits });
const letters = (reply) => reply.jobs.map(({ id }) => id[0]).join('');

async function floors() {
    const table = [
        /* high, medium, low, count, floor, what is taken in its order */
        [9, 9, 9, 5, 0, 'hhhhh', 'no floor: strict'],
        [9, 9, 9, 5, 1, 'lhhhh', 'a floor of one'],
        [9, 9, 9, 5, 3, 'lllhh', 'a floor of three'],
        [9, 9, 9, 5, 9, 'lllll', 'no more than the call'],
        [9, 9, 2, 5, 3, 'llhhh', 'no more than there are'],
        [9, 9, 0, 5, 2, 'mmhhh', 'without low the lowest is medium'],
        [9, 0, 0, 5, 2, 'hhhhh', 'without any other high'],
        [0, 3, 3, 5, 1, 'lmmml', 'without high'],
        [2, 2, 2, 9, 1, 'lhhmml', 'all of them'],
        [0, 0, 0, 5, 2, '', 'nothing'],
    ];
    for (const [high, medium, low, count, floor, expected, name] of table) {
        await redis.flushall();
        await fill('h', HIGH, high);
        await fill('m', MEDIUM, medium);
        await fill('l', LOW, low);
        const reply = await take(count, `floor:${floor}`);
        tap.is(letters(reply), expected, `floor: ${name}`);
        tap.is(reply.status, expected.length === count ? 'ok' : 'idle',
            'its status');
        tap.is([await redis.llen(`${K}wait`), await redis.zcard(
            `${K}prioritized`), await redis.llen(`${K}active`)],
        [high - expected.split('h').length + 1,
            medium + low - expected.replace(/h/g, '').length, expected.length],
        'each is in one place');
    }
    await redis.flushall();
    await s.add({ id: 'm-1', priority: 1 }, { id: 'm-2', priority: 10 },
        { id: 'l-1', priority: 11 }, { id: 'l-2', priority: 2097151 });
    tap.is((await take(1, 'floor:1')).jobs[0].id, 'l-1',
        'medium is to priority 10');
    tap.is((await take(9, 'floor:2')).jobs.map(({ id }) => id),
        ['l-2', 'm-1', 'm-2'], 'the rest by priority');

    /* what is set aside in the floor's look is looked at once */
    await redis.flushall();
    await fill('h', HIGH, 3);
    await fill('l', LOW, 4);
    await redis.hset(`${K}l-1`, 'rjk', 's');
    await redis.hset(`${K}l-2`, 'rjk', 's');
    const reply = await take(9, 'floor:1');
    tap.is([letters(reply), reply.status], ['lhhhl', 'refused'],
        'jobs that are set aside are passed');
    tap.is(await redis.zrange(`${K}prioritized`, 0, -1), ['l-1', 'l-2'],
        'and stay');

    await redis.flushall();
    await fill('m', MEDIUM, 5);
    await fill('l', LOW, 3);
    await redis.hset(`${K}l-1`, 'rjk', 's');
    await redis.hset(`${K}l-2`, 'rjk', 's');
    tap.is(letters(await take(3, 'floor:1')), 'lmm',
        'and are none of those asked for');

    /* in finish, too */
    await redis.flushall();
    await fill('h', HIGH, 3);
    await fill('l', LOW, 3);
    await take(1);
    const { codes, next } = await s.finish([{ id: 'h-1' }], 2, 'tok',
        { limits: 'floor:1' });
    tap.is([codes, letters(next)], [[0], 'lh'], 'finish takes by it');
}

async function buckets() {
    /* an interval of an hour and a tolerance of n - 1 hours lets n start */
    const of = (name, n) => `${name}:${HOUR}:${(n - 1) * HOUR}`;
    const table = [
        /* high, medium, low, count, limits, taken, status */
        [9, 0, 0, 5, [['rate', 3]], 'hhh', 'limited', 'rate'],
        [9, 0, 0, 3, [['rate', 3]], 'hhh', 'ok', 'as many as asked for'],
        [2, 0, 0, 3, [['rate', 3]], 'hh', 'idle', 'fewer than it allows'],
        [9, 0, 0, 5, [['quota', 2]], 'hh', 'limited', 'quota'],
        [9, 0, 0, 5, [['rate', 4], ['quota', 2]], 'hh', 'limited', 'both'],
        [9, 0, 0, 5, [['rate', 1], ['quota', 2]], 'h', 'limited', 'either'],
        [2, 2, 2, 9, [['rate', 5]], 'hhmml', 'limited', 'over all classes'],
        [3, 2, 2, 9, [['high', 1]], 'hmmll', 'class', 'high'],
        [3, 2, 2, 9, [['medium', 1]], 'hhhmll', 'class', 'medium'],
        [3, 2, 2, 9, [['low', 1]], 'hhhmml', 'class', 'low'],
        [3, 2, 2, 9, [['high', 1], ['low', 1]], 'hmml', 'class', 'two'],
        [1, 2, 2, 9, [['high', 1], ['low', 2]], 'hmmll', 'idle', 'just enough'],
        [3, 2, 2, 9, [['high', 1], ['rate', 2]], 'hm', 'limited',
            'a class, then the rate'],
        [3, 2, 2, 2, [['high', 1]], 'hm', 'ok', 'another class fills the call'],
        [3, 0, 3, 9, [['low', 1]], 'lhhh', 'class', 'with a floor', 2],
    ];
    for (const [high, medium, low, count, limits, taken, status, name, floor]
        of table) {
        await redis.flushall();
        await fill('h', HIGH, high);
        await fill('m', MEDIUM, medium);
        await fill('l', LOW, low);
        const text = [...(floor ? [`floor:${floor}`] : []),
            ...limits.map(([what, n]) => of(what, n))].join(' ');
        const reply = await take(count, text);
        tap.is([letters(reply), reply.status], [taken, status],
            `buckets: ${name}`);
        const waits = status === 'limited' || status === 'class';
        tap.ok(waits ? Math.abs(reply.value - HOUR / 1000) < 60000
            : +reply.value === 0, 'its wait', reply.value);
        tap.is([await redis.llen(`${K}active`), await redis.llen(`${K}wait`)
            + await redis.zcard(`${K}prioritized`)],
        [taken.length, high + medium + low - taken.length],
        'the excess stays where it is');
        if (status === 'class') {
            tap.is(await redis.zscore(`${K}marker`, '0'), null,
                'the next to come can be heard of');
        }
        const again = await take(9, text);
        if (waits) {
            tap.is(again.status, status, 'and so again');
        }
    }

    /* shared by the queues of a prefix; of a class only in its queue */
    await redis.flushall();
    const other = new Sluice(redis, s.major, 'bull:other:');
    await fill('h', HIGH, 9);
    await other.add(...Array.from({ length: 9 }, (_, i) => ({ id: `o-${i}` })));
    tap.is((await take(2, of('rate', 3))).jobs.length, 2, 'one queue uses it');
    tap.is((await other.take(9, 'tok', { limits: of('rate', 3) })).jobs.length,
        1, 'another gets the rest');
    tap.is((await other.take(9, 'tok', { limits: of('high', 3) })).jobs.length,
        3, 'classes are of one queue');
    tap.is((await take(9, of('high', 3))).jobs.length, 3, 'each of its own');
    tap.is((await redis.keys('*sluice*')).sort(), [`${OWN}rate`,
        `${OWN}rate:other:high`, `${OWN}rate:q:high`], 'their keys');
    for (const key of await redis.keys('*sluice*')) {
        tap.ok(await redis.pttl(key) > 3000, `${key} expires`);
    }

    /* the arithmetic of core/gcra.c */
    const S = 1e6;
    const given = [
        /* tat - now in s, taken of 9 with an interval of 10 s, 30 s ahead */
        [null, 4, 'no bucket'],
        [-100, 4, 'an idle one'],
        [11, 2, 'a part is used'],
        [31, 0, 'a bit is missing'],
        [5000, 0, 'a slower rate before: pulled in'],
    ];
    for (const [ahead, n, name] of given) {
        await redis.flushall();
        await fill('h', HIGH, 9);
        const now = +(await redis.time())[0] * S;
        if (ahead !== null) {
            await redis.set(`${OWN}rate`, now + ahead * S);
        }
        const reply = await take(9, `rate:${10 * S}:${30 * S}`);
        tap.is([reply.jobs.length, reply.status], [n, 'limited'],
            `gcra: ${name}`);
        tap.ok(reply.value > 0 && reply.value <= 10000, 'its wait',
            reply.value);
        const tat = +await redis.get(`${OWN}rate`);
        if (n) {
            const from = Math.max(0, ahead || 0) + n * 10;
            tap.ok(Math.abs(tat - now - from * S) < 2.5 * S, 'its tat',
                tat - now);
        }
    }

    /* a job that is to fail at once is not counted; a stock limit holds too */
    await redis.flushall();
    await fill('h', HIGH, 4);
    await redis.hset(`${K}h-1`, 'defa', 'x');
    tap.is((await take(1, of('rate', 2))).jobs[0].defa, 'x', 'with defa');
    tap.is(await redis.exists(`${OWN}rate`), 0, 'is not counted');
    await redis.hset(`${K}meta`, 'max', 1, 'duration', 60000);
    const limited = await take(9, of('rate', 2));
    tap.is([letters(limited), limited.status, limited.value], ['h', 'limited',
        60000], "a stock client's limit holds beside");
    tap.is((await take(9, of('rate', 2))).jobs.length, 0, 'as long as it does');
    await redis.set(`${K}limiter`, 0);
    await redis.hdel(`${K}meta`, 'max', 'duration');
    tap.is(letters(await take(9, of('rate', 2))), 'h', 'and ours after it');
    await redis.hset(`${K}meta`, 'paused', 1);
    tap.is((await take(9, of('rate', 2))).status, 'paused', 'paused is paused');

    /* what is due is promoted while nothing may start */
    await redis.flushall();
    await redis.set(`${OWN}rate`, '9007199254740991');
    await s.add({ id: 'd', delay: 1, timestamp: 1 });
    tap.is((await take(9, of('rate', 1))).status, 'limited', 'limited');
    tap.is(await redis.lrange(`${K}wait`, 0, -1), ['d'], 'what is due waits');
}

/* calls of random sizes: never more than the buckets let, nothing lost */
async function rates() {
    const random = require('./random_number')(20261121);
    await redis.flushall();
    const N = 600;
    await fill('h', HIGH, N / 3);
    await fill('m', MEDIUM, N / 3);
    await fill('l', LOW, N / 3);
    /* 2,000 a second, 500 of them low; 20 and 5 at once */
    const limits = 'rate:500:9500 low:2000:8000 floor:1';
    const micros = async () => {
        const [sec, us] = await redis.time();
        return sec * 1e6 + +us;
    };
    const begun = await micros();
    const seen = new Set();
    let low = 0;
    let over = 0;
    await tap.until(async () => {
        const reply = await take(1 + random(30), limits);
        const spent = await micros() - begun;
        for (const { id } of reply.jobs) {
            seen.add(id);
            low += id[0] === 'l';
        }
        over = Math.max(over, seen.size - 20 - spent / 500 - 1,
            low - 5 - spent / 2000 - 1);
        return seen.size === N;
    }, 'all of them');
    tap.ok(over <= 0, 'never more than the rates let', over);
    tap.is(await redis.llen(`${K}active`), N, 'all were taken, each once');
}

tap.run(async () => {
    const server = await start('limits');
    redis = server.redis;
    try {
        for (const major of [5, 6]) {
            s = new Sluice(redis, major);
            await floors();
            await buckets();
        }
        await rates();
    } finally {
        await server.stop();
    }
});
