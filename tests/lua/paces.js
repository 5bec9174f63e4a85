'use strict';

/* Paces of numbers and of pairs: admit.lua's, and what take.lua puts off by them. */

const { start } = require('./server');
const { Sluice } = require('./scripts');
const tap = require('./tap');

const K = 'bull:q:';
const OWN = 'bull::sluice:';
const S = 1e6;

let redis;
let s;
const micros = async () => {
    const [sec, us] = await redis.time();
    return sec * 1e6 + +us;
};
const claim = (id) => `${OWN}claim:q:${id}`;
const limits = (soon = 200) => ({ limits: `paces:${soon}` });
const ids = (reply) => reply.jobs.map((job) => job.id);
const events = async (name) => (await redis.xrange(`${K}events`, '-', '+'))
    .map(([, f]) => f).filter((f) => f[1] === name).map((f) => f[3]);

/* a message as sluiced asks for it */
const ask = (id, { sender = '1', recipient, ...more } = {}) => ({
    job: K + id, claim: claim(id), pace: `${OWN}pace:${sender}`, sender,
    ...(recipient ? { pairPace: `${OWN}pace:${sender}:${recipient}`,
        recipient } : {}), horizon: 3600000, ...more });

/* `n` jobs that say for whom they are */
async function fill(letter, n, sndr, rcpt) {
    for (let i = 0; i < n; i += 1000) {
        await s.add(...Array.from({ length: Math.min(1000, n - i) },
            (_, j) => ({ id: `${letter}-${i + j + 1}` })));
    }
    if (sndr) {
        const pipeline = redis.pipeline();
        for (let i = 1; i <= n; i += 1) {
            pipeline.hset(`${K}${letter}-${i}`, 'sndr', sndr,
                ...(rcpt ? ['rcpt', rcpt] : []));
        }
        await pipeline.exec();
    }
}

/* the bucket of a number, empty for so many seconds */
const empty = async (sender, seconds, rate = `${10 * S} 0 3600000 0`) =>
    redis.hset(`${OWN}pace:${sender}`, 'tat', await micros() + seconds * S,
        'tail', 0, 'late', 0, 'rate', rate);

async function putsOff() {
    await redis.flushall();
    await fill('a', 3, '1');
    await fill('b', 2);
    await empty('1', 10);
    const before = await redis.hget(`${OWN}pace:1`, 'tat');
    const reply = await s.take(9, 'tok', limits());
    tap.is(ids(reply), ['b-1', 'b-2'], 'those behind are taken');
    const delayed = await redis.zrange(`${K}delayed`, 0, -1, 'WITHSCORES');
    tap.is(delayed.filter((_, i) => i % 2 === 0), ['a-1', 'a-2', 'a-3'],
        'the others are put off, in their order');
    const due = delayed.filter((_, i) => i % 2).map((score) => score / 4096);
    const now = await micros() / 1000;
    tap.ok(Math.abs(due[0] - now - 10000) < 2000
        && Math.abs(due[1] - due[0] - 10000) < 2
        && Math.abs(due[2] - due[1] - 10000) < 2, 'each to its turn', due);
    tap.is([reply.status, +reply.value], ['delayed', due[0]], 'and told');
    tap.is(await events('delayed'), ['a-1', 'a-2', 'a-3'], 'its event');
    tap.is(+await redis.zscore(`${K}marker`, '1'), due[0], 'the marker');
    tap.ok(Math.abs(+await redis.hget(`${K}a-1`, 'delay') - 10000) < 2000,
        'the delay, as stock clients read it');
    tap.is(await redis.hmget(`${K}a-1`, 'ats', 'atm', 'processedOn'),
        [null, null, null], 'no attempt is used');
    tap.is([await redis.llen(`${K}wait`), await redis.exists(`${K}a-1:lock`)],
        [0, 0], 'each is in one place');
    tap.is(await redis.hget(`${OWN}pace:1`, 'tat'), before,
        'nothing is charged');
    tap.ok(/^turn \d+$/.test(await redis.get(claim('a-1')))
        && await redis.pttl(claim('a-1')) > 60000, 'its place is kept');
    const [[verdict, wait]] = await s.admit(ask('a-2', { interval: 10 * S }));
    tap.ok(verdict === 'wait' && Math.abs(wait - 20000) < 2000,
        'and is that of admit', [verdict, wait]);

    /* its turn has come */
    const first = await micros() - 1000;
    for (const [i, id] of ['a-1', 'a-2', 'a-3'].entries()) {
        await redis.set(claim(id), `turn ${first + i * 10 * S}`);
    }
    await redis.hset(`${OWN}pace:1`, 'tat', 0, 'tail', first + 30 * S);
    await s.promote('a-1', 'a-2', 'a-3');
    const turn = await s.take(9, 'tok', limits());
    tap.is(ids(turn), ['a-1'], 'at its turn it is taken, and those behind are not');
    tap.is((await s.admit(ask('a-1', { interval: 10 * S })))[0][0], 'go',
        'and admitted, which charges');
}

async function passes() {
    const table = [
        ['no paces asked', async () => {}, {}],
        ['no bucket', () => redis.del(`${OWN}pace:1`), limits()],
        ['a bucket of a wrong type', async () => {
            await redis.del(`${OWN}pace:1`);
            await redis.set(`${OWN}pace:1`, 'x');
        }, limits()],
        ['a bucket without its rate', () => redis.hdel(`${OWN}pace:1`, 'rate'),
            limits()],
        ['another sender', () => redis.hset(`${K}a-1`, 'sndr', '2'), limits()],
        ['no sender', () => redis.hdel(`${K}a-1`, 'sndr'), limits()],
        ['it is to fail', () => redis.hset(`${K}a-1`, 'defa', 'x'), limits()],
        ['it was sent', () => redis.set(claim('a-1'), '{"id":1}'), limits()],
        ['a claim of a wrong type', () => redis.lpush(claim('a-1'), 'x'),
            limits()],
        ['its turn is soon', async () => {}, limits(100000)],
        ['the bucket is full', () => redis.hset(`${OWN}pace:1`, 'tat', 0),
            limits()],
    ];
    for (const [name, prepare, options] of table) {
        await redis.flushall();
        await fill('a', 1, '1');
        await empty('1', 60);
        await prepare();
        tap.is(ids(await s.take(1, 'tok', options)), ['a-1'], `taken: ${name}`);
    }
    await redis.flushall();
    await fill('a', 1, '1');
    await empty('1', 60);
    await redis.set(claim('a-1'), 'open before', 'PX', 90000000);
    tap.is(ids(await s.take(1, 'tok', limits())), [], 'one that was begun waits');
    tap.ok(/^turn \d+ before$/.test(await redis.get(claim('a-1')))
        && await redis.pttl(claim('a-1')) > 80000000,
    'and who began it is not forgotten');
}

/* 64 a call at most, and so many calls until another number's are reached */
async function bounded() {
    for (const priority of [0, 10]) {
        await redis.flushall();
        await s.add(...Array.from({ length: 300 }, (_, i) => ({ id: `a-${i}`,
            priority })), ...Array.from({ length: 5 }, (_, i) => ({
            id: `b-${i}`, priority })));
        for (let i = 0; i < 300; i += 1) {
            await redis.hset(`${K}a-${i}`, 'sndr', '1');
        }
        await empty('1', 60);
        const seen = [];
        let calls = 0;
        let most = 0;
        let status = 'ok';
        while (status === 'ok') {
            const before = await redis.zcard(`${K}delayed`);
            const reply = await s.take(100, 'tok', limits());
            most = Math.max(most, await redis.zcard(`${K}delayed`) - before);
            seen.push(...ids(reply).filter((id) => id[0] === 'b'));
            status = reply.status;
            calls += 1;
        }
        tap.is(seen.length, 5, 'those behind a backlog are reached');
        tap.ok(calls <= 300 / 64 + 4, 'in as many calls as it takes to look',
            calls);
        tap.ok(most <= 64, 'of at most 64 looks', most);
        tap.is(await redis.zcard(`${K}delayed`) + await redis.llen(`${K}active`)
            + await redis.llen(`${K}wait`)
            + await redis.zcard(`${K}prioritized`), 305, 'none is lost');
    }
}

/* a backlog of one number: each is put off once, to places of its own */
async function backlog() {
    await redis.flushall();
    const N = 2000;
    await fill('a', N, '1');
    await empty('1', 60, `${S} 0 36000000 0`);
    let calls = 0;
    await tap.until(async () => {
        calls += 1;
        return (await s.take(50, 'tok', limits())).status === 'delayed';
    }, 'a backlog');
    const off = await events('delayed');
    tap.is([off.length, new Set(off).size], [N, N], 'each is put off once');
    tap.ok(calls <= N / 50 + 1, 'in few calls', calls);
    const scores = (await redis.zrange(`${K}delayed`, 0, -1, 'WITHSCORES'))
        .filter((_, i) => i % 2).map((score) => Math.floor(score / 4096));
    const gaps = scores.slice(1).map((at, i) => at - scores[i]);
    tap.ok(gaps.every((gap) => Math.abs(gap - 1000) <= 1),
        'to places of its own', gaps.filter((gap) => gap < 999));
    tap.ok(await redis.pttl(`${OWN}pace:1`) > N * 500, 'which are remembered');
}

/* its turn is come */
const due = (...list) => redis.zadd(`${K}delayed`,
    ...list.flatMap((id, i) => [4096 + i, id]));

/* who was put off had been first, and is so again */
async function returns() {
    const fresh = async () => {
        await redis.flushall();
        await fill('a', 3, '1');
        await empty('1', 10);
        await s.take(9, 'tok', limits());
        await redis.del(`${OWN}pace:1`, claim('a-1'), claim('a-2'), claim('a-3'));
        await fill('b', 3);
    };
    await fresh();
    await s.add({ id: 'd-1', delay: 60000 }, { id: 'c-1', priority: 10 },
        { id: 'c-2', priority: 10 });
    await redis.hset(`${K}c-2`, 'delay', 9, 'off', 9);
    await redis.zrem(`${K}prioritized`, 'c-2');
    await due('c-2', 'd-1', 'a-1', 'a-2', 'a-3');
    tap.is(ids(await s.take(9, 'tok', limits())), ['a-1', 'a-2', 'a-3', 'b-1',
        'b-2', 'b-3', 'd-1', 'c-2', 'c-1'], 'in its order, and in its class');

    await fresh();
    await due('a-1', 'a-2', 'a-3');
    const one = await s.take(1, 'tok', limits());
    tap.is([ids(one), await redis.zrange(`${K}delayed`, 0, -1)],
        [['a-1'], ['a-2', 'a-3']], 'no more than are taken');
    tap.is((await events('waiting')).slice(-1), ['a-1'], 'its event');
    await empty('1', 10);
    const [two, three] = [await s.take(1, 'tok', limits()),
        await s.take(1, 'tok', limits())];
    tap.is([ids(two), ids(three)], [['b-1'], ['b-2']],
        'put off again they hold up nobody');
    await redis.hset(`${K}meta`, 'paused', 1);
    await due('a-2');
    await s.take(9, 'tok', limits());
    tap.is(await redis.zscore(`${K}delayed`, 'a-2'), '4096',
        'they stay while the queue is paused');
    await redis.hdel(`${K}meta`, 'paused');

    /* more are due than a call takes, and none can go */
    await fresh();
    await empty('1', 10);
    await redis.ltrim(`${K}wait`, 1, 0);
    await due('a-1', 'a-2', 'a-3');
    const seen = [];
    for (let i = 0; i < 4; i += 1) {
        seen.push((await s.take(1, 'tok', limits())).status);
    }
    tap.is(seen, ['ok', 'ok', 'delayed', 'delayed'], 'the others are looked at');

    /* a delay of another kind is no such thing */
    await fresh();
    await due('a-1');
    await s.take(1, 'tok', limits());
    await s.retry({ id: 'a-1', delay: 60000 });
    await due('a-1');
    tap.is(ids(await s.take(4, 'tok', limits())), ['b-1', 'b-2', 'b-3', 'a-1'],
        'after a backoff it is behind the others');

    await fresh();
    await due('a-1');
    const delay = await redis.hget(`${K}a-1`, 'off');
    await s.take(1, 'tok', limits());
    await s.retry({ id: 'a-1', delay });
    await due('a-1');
    tap.is(ids(await s.take(4, 'tok', limits())), ['b-1', 'b-2', 'b-3', 'a-1'],
        'one of the same ms, too');

    /* a stock worker puts it behind the others */
    await fresh();
    await redis.hset(`${K}b-1`, 'off', 9);
    await due('a-1');
    tap.is(ids(await s.take(1, 'tok', limits())), ['a-1'],
        'what others put into the line holds up nobody');

    /* admit puts off, too */
    await redis.flushall();
    await fill('a', 1);
    await empty('1', 10);
    await s.take(1, 'tok', limits());
    const [[, wait]] = await s.admit(ask('a-1', { interval: 10 * S }));
    await s.retry({ id: 'a-1', mode: 'delay', delay: wait });
    await fill('b', 2);
    await redis.del(`${OWN}pace:1`);
    await due('a-1');
    tap.is(ids(await s.take(1, 'tok', limits())), ['a-1'],
        'nor is it behind them when admit put it off');
}

/* more are due than are taken: the order and the others are kept */
async function floods() {
    const flood = async (n, priority = 0, apart = 1) => {
        const pipeline = redis.pipeline();
        for (let i = 1; i <= n; i += 1) {
            pipeline.hset(`${K}a-${i}`, 'name', 'n', 'data', '{}', 'delay', 7,
                'off', 7, 'priority', priority);
            pipeline.zadd(`${K}delayed`, 4096 * (apart * i + 1), `a-${i}`);
        }
        await pipeline.exec();
    };
    const ordered = (n) => Array.from({ length: n }, (_, i) => `a-${i + 1}`);
    const rest = async (n, count, options) => {
        const seen = [];
        await tap.until(async () => {
            seen.push(...ids(await s.take(count, 'tok', options)));
            return seen.filter((id) => id[0] === 'a').length >= n;
        }, 'all of them');
        return seen.filter((id) => id[0] === 'a');
    };

    await redis.flushall();
    await flood(3);
    await s.take(1);
    tap.is(await redis.zrange(`${K}marker`, 0, -1), ['0'],
        'others are told of those that are left');

    await redis.flushall();
    await flood(12);
    tap.is(await rest(12, 3, { limits: 'high:10000:0' }), ordered(12),
        'those that come later do not overtake: the bucket of a class');
    tap.is((await s.take(3, 'tok', { limits: 'high:10000:0' })).jobs, [],
        'and there are no more');
    await redis.flushall();
    await flood(12);
    const { status } = await s.take(3, 'tok', { limits: 'high:3600000000:0' });
    tap.is([status, (await s.take(3, 'tok',
        { limits: 'high:3600000000:0' })).status], ['ok', 'class'],
    'nobody calls again and again for what cannot go');

    await redis.flushall();
    await s.add(...Array.from({ length: 12 }, (_, i) => ({ id: `z-${i}`,
        priority: 100 })));
    await flood(12);
    tap.is(await rest(12, 3, { limits: 'floor:1' }), ordered(12),
        'another class before them');
    await redis.flushall();
    await fill('b', 12);
    await flood(12, 10, 1000);
    tap.is(await rest(12, 3), ordered(12), 'one with a priority');

    await redis.flushall();
    await flood(1500, 100);
    await s.add({ id: 'hi', delay: 60000 });
    await redis.zadd(`${K}delayed`, 4096 * 5000, 'hi');
    tap.is([...ids(await s.take(1)), ...ids(await s.take(1))], ['a-1', 'hi'],
        'one of a class above them is not behind them');

    await redis.flushall();
    await flood(900);
    await redis.config('RESETSTAT');
    await s.take(1);
    const [, read] = /cmdstat_hmget:calls=(\d+)/.exec(
        await redis.info('commandstats'));
    tap.ok(read < 30, 'a call reads few of them', read);
}

/* the clock was set back, and nobody is charged by a look */
async function setBack() {
    await redis.flushall();
    await fill('a', 1, '1');
    await empty('1', 3600, `${S / 20} 0 3600000 0`);
    await tap.until(async () => {
        await s.promote('a-1');
        return ids(await s.take(1, 'tok', limits(0))).length === 1;
    }, 'its turn', 3000);
    tap.ok(true, 'a number does not wait until the clock has caught up');
}

/* taken, admitted, finished; at 400 a second, and never more */
async function paced() {
    await redis.flushall();
    const N = 200;
    const interval = S / 100;
    const rate = { interval, tolerance: 10 * interval };
    await fill('a', N);
    const begun = await micros();
    const gone = [];
    let over = 0;
    await tap.until(async () => {
        const { jobs } = await s.take(50, 'tok', limits(0));
        if (!jobs.length) {
            return gone.length === N;
        }
        const verdicts = await s.admit(...jobs.map((job) => ask(job.id, rate)));
        const spent = await micros() - begun;
        const done = jobs.filter((_, i) => verdicts[i][0] === 'go');
        gone.push(...done.map((job) => job.id));
        over = Math.max(over, gone.length - 11 - spent / interval - 1);
        await s.finish(done.map((job) => ({ id: job.id })));
        const later = jobs.map((job, i) => ({ id: job.id, mode: 'delay',
            delay: verdicts[i][1] })).filter((_, i) => verdicts[i][0] === 'wait');
        await s.retry(...later);
        return gone.length === N;
    }, 'all of them', 30000);
    tap.is([gone.length, new Set(gone).size], [N, N], 'each goes once');
    tap.ok(over <= 0, 'never more than the rate lets', over);
    console.log(`# put off ${(await events('delayed')).length / N} times`);
    tap.is(await redis.keys(`${OWN}pace:*:*`), [], 'no pace of a pair');
}

async function pairs() {
    await redis.flushall();
    const pair = { recipient: '9', pair: 10 * S, borrow: 3, interval: S,
        tolerance: 9 * S };
    const many = await s.admit(...[1, 2, 3, 4, 5].map((i) => ask(`p-${i}`, pair)),
        ask('r-1', { ...pair, recipient: '8' }));
    tap.is(many.map(([v]) => v), ['go', 'go', 'go', 'wait', 'wait', 'go'],
        'some of a pair may be borrowed, another is its own');
    tap.ok(Math.abs(many[3][1] - 30000) < 100
        && many[4][1] - many[3][1] === 10000, 'then none until that is made up',
    many);
    tap.ok(Math.abs(+await redis.hget(`${OWN}pace:1`, 'tat')
        - await micros() - 4 * S) < 0.5 * S,
    'those that wait are not charged to the number');
    tap.ok(/^turn ,\d+$/.test(await redis.get(claim('p-4'))),
        'their place is one of the pair');
    tap.ok(await redis.pttl(`${OWN}pace:1:9`) > 30000, 'its bucket expires');

    /* after the time of the burst, with something left of it */
    await redis.flushall();
    tap.is((await s.admit(ask('p-1', pair)))[0][0], 'go', 'one goes');
    await redis.hincrby(`${OWN}pace:1:9`, 'from', -11 * S);
    const [[verdict, wait]] = await s.admit(ask('p-2', pair));
    tap.ok(verdict === 'wait' && Math.abs(wait - 10000) < 100,
        'later nothing is borrowed', [verdict, wait]);
    await redis.hset(`${OWN}pace:1:9`, 'tat', await micros() - 1000, 'tail', 0);
    tap.is((await s.admit(ask('p-3', pair), ask('p-4', pair)))
        .map(([v]) => v), ['go', 'go'], 'a full bucket begins anew');

    /* the number is empty: the pair is not charged */
    await redis.flushall();
    await empty('1', 60);
    const slow = { ...pair, interval: 10 * S, tolerance: 0 };
    const [[waits]] = await s.admit(ask('p-1', slow));
    tap.ok(waits === 'wait'
        && +await redis.hget(`${OWN}pace:1:9`, 'tat') < await micros(),
    'both are charged or none');
    await redis.hset(`${K}p-1`, 'name', 'n', 'data', '{}');
    await s.admit(ask('p-1', slow));
    tap.is(await redis.hmget(`${K}p-1`, 'sndr', 'rcpt'), ['1', '9'],
        'who waits says for whom');
    tap.is(await redis.exists(`${K}p-2`), 0, 'no job is made of nothing');
    await redis.hset(`${OWN}pace:1`, 'tat', 0, 'tail', 0);
    await redis.set(claim('p-1'), `turn ${await micros() - 1000},${
        await micros() - 2000}`);
    await redis.del(`${OWN}pace:1:9`);    /* and its time to live */
    await redis.hset(`${OWN}pace:1:9`, 'tat', await micros() + 20 * S, 'from', 0);
    const [[again]] = await s.admit(ask('p-1', slow));
    tap.is(again, 'wait', 'its turn, but the pair is empty');
    tap.ok(/^turn \d+,-\d+$/.test(await redis.get(claim('p-1'))),
        'both places are kept');

    /* take asks the pair, too */
    await redis.flushall();
    await fill('a', 2, '1', '9');
    await fill('b', 1, '1', '8');
    await s.admit(...[1, 2, 3].map((i) => ask(`p-${i}`, pair)));
    tap.is(ids(await s.take(9, 'tok', limits())), ['b-1'],
        'a pair that is empty does not hold up the number');
    tap.is(await redis.zcard(`${K}delayed`), 2, 'its messages are put off');
}

tap.run(async () => {
    const server = await start('paces');
    redis = server.redis;
    s = new Sluice(redis);
    try {
        await putsOff();
        await passes();
        await bounded();
        await backlog();
        await returns();
        await floods();
        await setBack();
        await paced();
        await pairs();
    } finally {
        await server.stop();
    }
});
