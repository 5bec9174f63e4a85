'use strict';

/* admit.lua: claims, paces, and a backlog that gets its turns. */

const crypto = require('crypto');
const { start } = require('./server');
const { Sluice } = require('./scripts');
const tap = require('./tap');

let redis;
let s;
const micros = async () => {
    const [sec, us] = await redis.time();
    return sec * 1e6 + +us;
};
const plain = (verdicts) => verdicts.map((v) => v.join(' ').trim());
const tat = async (pace = 'pace') => +await redis.hget(pace, 'tat');

async function claims() {
    await redis.flushall();
    tap.is(await s.admit({ claim: 'c', token: 'one' }), [['go', '']],
        'a new message goes');
    tap.is(await redis.get('c'), 'open one', 'and is claimed');
    tap.ok(await redis.pttl('c') > 50000, 'for its time');
    tap.is(await s.admit({ claim: 'c', token: 'two' }), [['again', 'one']],
        'one that was begun is told so');
    tap.is(await redis.get('c'), 'open two', 'and taken over');
    await redis.set('c', '{"provider_id":"w"}');
    tap.is(await s.admit({ claim: 'c' }), [['done', '{"provider_id":"w"}']],
        'one with a result is done');
    tap.is(plain(await s.admit({ claim: 'd', token: 'x' },
        { claim: 'd', token: 'y' }, { claim: 'e' })), ['go', 'again x', 'go'],
    'twice in one call: the second sees the first');
    await redis.del('c');
    await redis.lpush('c', 'x');
    tap.ok(/WRONGTYPE/.test(await s.admit({ claim: 'f' }, { claim: 'c' })
        .then(() => '', (e) => e.message)) && !await redis.exists('f'),
    'a claim of a wrong type stops the call before anything is claimed');
    tap.is(await redis.exists('undefined'), 0, 'nothing else is written');
    await s.admit({ claim: 'g', pace: 'pace', interval: 6e7, tolerance: 20,
        horizon: 30 });
    const { tat: charged, ...rest } = await redis.hgetall('pace');
    tap.is([+charged > 0, rest], [true, { rate: '60000000 20 30 0' }],
        'a pace without a line has none of its fields');
}

/* the arithmetic of core/gcra.c, on whatever the clock says */
async function arithmetic() {
    const at = async (given, message) => {
        await redis.flushall();
        const before = await micros();
        await redis.hset('pace', 'tat', before + given, 'tail', 0);
        const [[verdict, value]] = await s.admit({ claim: 'c', pace: 'pace',
            ...message });
        const after = await micros();
        return { verdict, value: +value, next: await tat() - before,
            slack: after - before };
    };
    const SECOND = 1e6;
    const limit = { interval: 10 * SECOND, tolerance: 20 * SECOND };
    const table = [
        /* tat - now, verdict, wait ms, tat afterwards - now */
        [-5 * SECOND, 'go', 0, 10 * SECOND, 'an idle bucket'],
        [5 * SECOND, 'go', 0, 15 * SECOND, 'a part of the burst used'],
        [19 * SECOND, 'go', 0, 29 * SECOND, 'the last of the burst'],
        [25 * SECOND, 'wait', 5000, 25 * SECOND, 'an empty bucket'],
        [30 * SECOND, 'wait', 10000, 30 * SECOND, 'a full burst used'],
        [500 * SECOND, 'wait', 10000, 30 * SECOND,
            'a longer limit before: pulled in to what can be explained'],
    ];
    for (const [given, verdict, wait, next, name] of table) {
        const got = await at(given, limit);
        const near = (a, b) => Math.abs(a - b) <= got.slack + 1000;
        tap.ok(got.verdict === verdict && near(got.next, next)
            && near(got.value * 1000, wait * 1000), name, got);
    }
    const none = await at(25 * SECOND, { ...limit, interval: 0, pace: 'c' });
    tap.is(none.verdict, 'go', 'without an interval there is no pace');

    await redis.flushall();
    const burst = await s.admit(...Array.from({ length: 6 }, (_, i) => ({
        claim: `c${i}`, pace: 'pace', ...limit })));
    tap.is(burst.map(([v]) => v), ['go', 'go', 'go', 'wait', 'wait', 'wait'],
        'a burst is tolerance / interval + 1 messages');
    const waits = burst.slice(3).map(([, v]) => v);
    tap.ok(Math.abs(waits[0] - 10000) < 100
        && waits[1] - waits[0] === 10000 && waits[2] - waits[1] === 10000,
    'the others get turns, one interval apart', waits);
    tap.is(await redis.exists('c3'), 1, 'a turn is remembered');
    tap.ok(await redis.pttl('c3') > waits[0], 'beyond its moment');
    tap.ok(await redis.pttl('pace') > waits[2], 'as is the line');
    const early = await s.admit({ claim: 'c4', pace: 'pace', ...limit });
    tap.ok(Math.abs(early[0][1] - waits[1]) < 100,
        'who asks before its turn keeps it', [early, waits]);
    const late = await s.admit({ claim: 'c6', pace: 'pace', ...limit });
    tap.ok(Math.abs(late[0][1] - waits[2] - 10000) < 100,
        'a newcomer goes behind the line', [late, waits]);
    await redis.hset('pace', 'tat', await micros() - 1e6);
    const empty = await s.admit({ claim: 'c7', pace: 'pace', ...limit });
    tap.is(empty[0][0], 'wait', 'also when the bucket would let it pass');

    await redis.flushall();
    const far = { pace: 'pace', interval: 10 * SECOND, horizon: 25000 };
    const bounded = await s.admit(...Array.from({ length: 8 }, (_, i) => ({
        claim: `c${i}`, ...far })));
    tap.is(bounded.map(([v, ms]) => v + Math.round(ms / 1000)), ['go0',
        'wait10', 'wait20', 'wait25', 'wait25', 'wait25', 'wait25', 'wait25'],
    'nobody waits beyond the horizon');
    tap.is(await redis.exists('c2', 'c3'), 1, 'and there is no turn there');

    await redis.flushall();
    await s.admit({ claim: 'a', token: 'one', pace: 'pace', ...limit,
        tolerance: 0 });
    const [[v]] = await s.admit({ claim: 'a', token: 'two', pace: 'pace',
        ...limit, tolerance: 0, ttl: 3600000 });
    tap.is(v, 'wait', 'an open one waits for its turn too');
    tap.ok(/^turn \d+ one$/.test(await redis.get('a'))
        && await redis.pttl('a') > 3000000, 'and who claimed it is kept');
    await redis.set('a', `turn ${await micros() - 1000} one`);
    await redis.hset('pace', 'tat', 0);
    tap.is(plain(await s.admit({ claim: 'a', token: 'two', pace: 'pace',
        ...limit })), ['again one'], 'and told');

    await redis.flushall();
    const newcomer = { claim: 'new', pace: 'pace', ...limit };
    await redis.hset('pace', 'tat', await micros() - 10e6, 'tail',
        await micros() + 50e6);
    tap.is((await s.admit(newcomer))[0][0], 'wait', 'a line is kept');
    await redis.del('new');
    await redis.hset('pace', 'tat', await micros() - 20e6);
    tap.is((await s.admit(newcomer))[0][0], 'go',
        'unless nobody of it has come for long');
    await redis.set('late', `turn -${await micros() - 1000}`);
    await redis.set('in', `turn ${await micros() - 1000}`);
    await redis.hset('pace', 'tat', await micros() - 1e6, 'late',
        await micros() + 50e6);
    const [[one, ms], [two]] = await s.admit({ ...newcomer, claim: 'in' },
        { ...newcomer, claim: 'late' });
    tap.is([one, Math.round(ms / 1000), two], ['wait', 50, 'go'],
        'those who are late go first');
    tap.ok(/^turn -\d+$/.test(await redis.get('in')), 'and are told apart');

    /* the clock was set back by an hour */
    await redis.flushall();
    const ahead = await micros() + 3600e6;
    await redis.hset('pace', 'tat', ahead, 'tail', ahead + 5e6, 'from', ahead);
    const pair = { claim: 'b', pairPace: 'pace', pair: 10 * SECOND, borrow: 3 };
    const [[back, time]] = await s.admit(pair);
    tap.ok(back === 'wait' && Math.abs(time - 30000) < 100,
        'of a time to come only what can be explained', [back, time]);
}

/* admit.lua by a clock that the test sets: its keys outlive what it says */
function clocked() {
    const set = new Sluice(redis);
    const text = set.scripts.admit.text.replace('local call = redis.call', `
local function call(name, ...)
    if name == 'TIME' then
        local at = redis.call('GET', 'clock')
        return {math.floor(at / 1000000), at % 1000000}
    end
    return name == 'PEXPIRE' or redis.call(name, ...)
end`);
    set.scripts.admit = { text, sha: crypto.createHash('sha1').update(text)
        .digest('hex') };
    return set;
}

/* 1,000 messages at 72 a second, asked in calls of 50 as they come */
async function backlog() {
    await redis.flushall();
    const interval = Math.floor(1e6 / 72);
    const ask = (i, extra = {}) => ({ claim: `c${i}`, pace: 'pace', interval,
        tolerance: 100000, horizon: 3600000, ...extra });
    const set = clocked();
    const begun = await micros();
    const turns = [];
    let gone = 0;
    await redis.set('clock', begun);
    for (let i = 0; i < 1000; i += 50) {
        const verdicts = await set.admit(...Array.from({ length: 50 },
            (_, j) => ask(i + j)));
        for (const [j, [verdict]] of verdicts.entries()) {
            if (verdict === 'go') {
                gone += 1;
            } else {
                turns.push(+(await redis.get(`c${i + j}`)).slice(5));
            }
        }
    }
    tap.is(gone, 8, 'the burst goes at once');
    tap.is(turns.length, 1000 - gone, 'every other is given a turn');
    const gaps = turns.slice(1).map((t, i) => t - turns[i]);
    tap.ok(gaps.every((g) => g === interval), 'turns are one interval apart',
        gaps.filter((g) => g !== interval));
    tap.ok(Math.abs((turns[turns.length - 1] - begun) / 1e6
        - (1000 - gone) / 72) < 0.2, 'the last is sent when it can be',
    turns[turns.length - 1] - begun);
}

/* the same at 1,440 a second, each asked again at its turn: delayed once */
async function drained() {
    await redis.flushall();
    const interval = Math.floor(1e6 / 1440);
    const ask = (i) => ({ claim: `c${i}`, pace: 'pace', interval,
        tolerance: 200000 });
    const set = clocked();
    const begun = await micros();
    let now = begun;
    const waiting = [];
    const asked = Array(1000).fill(0);
    const one = async (list) => {
        const verdicts = await set.admit(...list.map(ask));
        for (const [j, [verdict, ms]] of verdicts.entries()) {
            asked[list[j]] += 1;
            if (verdict === 'wait') {
                waiting.push([now + ms * 1000, list[j]]);
            }
        }
    };
    await redis.set('clock', now);
    await one(Array.from({ length: 1000 }, (_, i) => i));
    const first = waiting.length;
    while (waiting.length) {
        now += 1000;
        await redis.set('clock', now);
        const due = waiting.filter(([at]) => at <= now).map(([, i]) => i);
        waiting.splice(0, waiting.length,
            ...waiting.filter(([at]) => at > now));
        if (due.length) {
            await one(due);
        }
    }
    const spent = now - begun;
    tap.ok(first > 600, 'most are delayed', first);
    tap.ok(asked.every((n) => n <= 2), 'none is delayed twice',
        asked.filter((n) => n > 2).length);
    const least = (1000 - 200000 / interval - 1) * interval;
    tap.ok(spent >= least && spent < least + 20000,
        'and the pace was kept', [spent, least]);

    await redis.del('pace', 'c0');
    await s.admit(ask(0));
    await tap.until(async () => !await redis.exists('pace'),
        'the pace to be forgotten');
    tap.ok(true, 'a pace that is over leaves nothing behind');
}

tap.run(async () => {
    const server = await start('admit');
    redis = server.redis;
    s = new Sluice(redis);
    try {
        await claims();
        await arithmetic();
        await backlog();
        await drained();
    } finally {
        await server.stop();
    }
});
