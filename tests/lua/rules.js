'use strict';

/*
 * What the recordings do not show: batches, bad arguments, keys of a
 * wrong type, the rules of pausing and limiting.
 */

const { start } = require('./server');
const { Sluice } = require('./scripts');
const { dump } = require('./keyspace');
const tap = require('./tap');
const { error } = tap;

const K = 'bull:q:';
const ids = (reply) => reply.jobs.map((j) => j.id);

/* The stock events but for their clock: "waiting 1 prev delayed" */
async function events(redis, from = 0) {
    const all = await redis.xrange(`${K}events`, '-', '+');
    return all.slice(from).map(([, f]) => f.filter((x, i) => i % 2).join(' '));
}


async function argumentsChecked(s) {
    const job = ['', 'n', '{}', '{}', 0, 0, 0, '', ''];
    const with_ = (i, v) => job.map((x, j) => (j === i ? v : x));
    const take = [6, 1, 'tok', 1000, '', '', ''];
    const but = (list, i, v) => list.map((x, j) => (j === i ? v : x));
    const finish = [...take, '-1:0', '-1:0', 0, 0, 0, 1, 'a', 'tok', 'completed',
        'null', '', '', '', '', 0];
    const retry = [6, 1, 'a', 'tok', 'retry', 0, '', '', 0];
    const one = (i, v) => [6, ...['a', 'n', '{}', '{}', '', '', 0, '']
        .map((x, j) => (j === i ? v : x))];
    const admit = ['a', 10, 0, 's', 'r', 0, 0, 0, 0];
    const plan = (i, v) => [6, ...['s', 5, 0, 'n', '{}', '{}', '{"every":1}']
        .map((x, j) => (j === i ? v : x))];
    const table = [
        ['add', 1, [4, ...job], /major must be 5 or 6/],
        ['add', 1, [6], /9 arguments a job/],
        ['add', 1, [6, ...job, 'x'], /9 arguments a job/],
        ['add', 1, [6, ...Array(1001).fill(job).flat()], /1 to 1000 jobs/],
        ['add', 1, [6, ...with_(0, '7')], /ARGV\[2\] id must not be a number/],
        ['add', 1, [6, ...with_(0, '0:7')], /id must not be a number/],
        ['add', 1, [6, ...with_(2, '')], /data must be JSON/],
        ['add', 1, [6, ...with_(3, 'null')], /opts must be a JSON object/],
        ['add', 1, [6, ...with_(3, '')], /opts must be a JSON object/],
        ['add', 1, [6, ...with_(4, '-1')], /delay must be a whole number/],
        ['add', 1, [6, ...with_(4, '1.5')], /delay must be a whole number/],
        ['add', 1, [6, ...with_(4, '0x10')], /delay must be a whole number/],
        ['add', 1, [6, ...with_(4, '2199023255550')], /delay is too large/],
        ['add', 1, [6, ...with_(5, '2097152')], /priority is too large/],
        ['add', 1, [6, ...with_(5, 'high')], /priority must be a whole/],
        ['add', 1, [6, ...with_(6, '2')], /lifo must be 0 or 1/],
        ['add', 1, [6, ...with_(7, 'now')], /timestamp must be a whole/],
        ['add', 1, [6, ...job, ...with_(4, 'x')], /ARGV\[15\] delay/],
        ['add', 1, [6, ...with_(8, 'k')], /ARGV\[10\] dedupe must be/],
        ['add', 1, [6, ...with_(8, '0:k')], /ARGV\[10\] dedupe must be/],
        ['add', 1, [6, ...with_(8, '5:')], /ARGV\[10\] dedupe must be/],
        ['add', 1, [6, ...with_(8, '2199023255551:k')], /ARGV\[10\] dedupe must be/],
        ['add', 1, [6, ...with_(8, '-1:k')], /ARGV\[10\] dedupe must be/],
        ['add', 2, [6, ...job], /9 arguments a job/],
        ['add', 2, [6, 'call', 1, 0, 0], /1 to 1000 jobs/],
        ['add', 2, [6, ...job, 'twice', 1, 0, 0], /once must be call or/],
        ['add', 2, [6, ...job, 'call', 'x', 0, 0], /number must be a whole/],
        ['add', 2, [6, ...job, 'call', 1, -1, 0], /upto must be a whole/],
        ['add', 2, [6, ...job, 'call', 1, 0, ''], /ttl must be a whole/],
        ['take', 1, but(take, 0, 7), /major/],
        ['take', 1, but(take, 1, 0), /count must be at least 1/],
        ['take', 1, but(take, 1, 1001), /count is too large/],
        ['take', 1, but(take, 2, ''), /token must not be empty/],
        ['take', 1, but(take, 2, '0'), /token must not be empty or 0/],
        ['take', 1, but(take, 3, 0), /lock must be at least 1/],
        ['take', 1, but(take, 5, 3), /duration must be a whole number/],
        ['take', 1, but(take, 6, 3), /max must be a whole number/],
        ['take', 1, take.slice(1), /major|7 to 9 arguments/],
        ['take', 1, [...take, 1, '', ''], /7 to 9 arguments/],
        ...['floor', 'floor:-1', 'floor:1:1', 'rate:5', 'rate:0:5', 'best:1:1',
            'rate:1234567890123456:1', 'rate:1:1:1', 'paces:1:1', 'paces'].map((word) => [
            'take', 1, [...take, 1, `floor:1 ${word}`], /ARGV\[9\] limits has/]),
        ['finish', 3, but(finish, 15, 'done'), /outcome must be completed/],
        ['finish', 3, but(finish, 16, ''), /value must be JSON/],
        ['finish', 3, but(finish, 13, ''), /id and token must not be empty/],
        ['finish', 3, but(finish, 14, ''), /id and token must not be empty/],
        ['finish', 3, but(finish, 18, 'all'), /keep must be "count:age"/],
        ['finish', 3, but(finish, 18, '-2:0'), /keep must be "count:age"/],
        ['finish', 3, but(finish, 7, '1'), /ARGV\[8\] keep must be/],
        ['finish', 3, but(finish, 19, 'open x'), /claim must be a result/],
        ['finish', 3, but(finish, 19, 'sent'), /ttl must be a whole number/],
        ['finish', 3, but(finish, 12, 2), /9 arguments a job/],
        ['finish', 3, but(finish, 21, 1), /too many or too few/],
        ['finish', 3, [...finish, 1, '', 1], /too many or too few/],
        ['finish', 3, [...finish, 1, 'x'], /ARGV\[24\] limits has/],
        ['finish', 3, [...finish, 'x'], /ARGV\[23\] schedulers must be 0/],
        ['take', 1, [...take, 2], /ARGV\[8\] schedulers must be 0/],
        ['insert', 1, one(0, '7'), /ARGV\[2\] id must not be a number/],
        ['insert', 1, one(2, ''), /ARGV\[4\] data must be JSON/],
        ['insert', 1, one(3, '[]'), /ARGV\[5\] opts must be a JSON object/],
        ['insert', 1, one(3, '{"delay":-1}'), /opts has a delay that is not/],
        ['insert', 1, one(3, '{"delay":0.5}'), /opts has a delay that is not/],
        ['insert', 1, one(3, '{"priority":"1"}'), /has a priority that is not/],
        ['insert', 1, one(3, '{"priority":2097152}'), /from 0 to 2097151/],
        ['insert', 1, one(3, '{"delay":2199023255550}'), /delay that is too l/],
        ['insert', 1, one(3, '{"de":{}}'), /opts has a de without an id/],
        ['insert', 1, one(3, '{"de":"x"}'), /opts has a de without an id/],
        ['insert', 1, one(3, '{"de":{"id":"x","ttl":-1}}'), /has a ttl that/],
        ['insert', 1, one(4, 'x'), /ARGV\[6\] timestamp must be a whole/],
        ['insert', 1, one(5, 'x'), /ARGV\[7\] parent must be a JSON object/],
        ['insert', 1, one(5, '{"id":"P"}'), /must have an id and a queueKey/],
        ['insert', 1, one(6, 4), /ARGV\[8\] flow is too large/],
        ['insert', 1, [6, 'a'], /9 arguments/],
        ['schedule', 1, plan(0, ''), /ARGV\[2\] id must not be empty/],
        ['schedule', 1, plan(1, 'x'), /ARGV\[3\] time must be a whole number/],
        ['schedule', 1, plan(2, -1), /ARGV\[4\] offset must be a whole/],
        ['schedule', 1, plan(4, ''), /ARGV\[6\] data must be JSON/],
        ['schedule', 1, plan(5, '[]'), /ARGV\[7\] opts must be a JSON object/],
        ['schedule', 1, plan(5, '{"priority":-1}'), /opts has a priority that/],
        ['schedule', 1, plan(6, '{'), /ARGV\[8\] schedule must be a JSON obj/],
        ['schedule', 1, plan(6, '{}'), /schedule must have either every or/],
        ['schedule', 1, plan(6, '{"every":0}'), /must have either every or/],
        ['schedule', 1, plan(6, '{"every":1.5}'), /schedule has a wrong every/],
        ['schedule', 1, plan(6, '{"every":1,"pattern":"*"}'), /either every or/],
        ['schedule', 1, plan(6, '{"every":1,"tz":3}'), /has a wrong tz/],
        ['schedule', 1, plan(6, '{"every":1,"limit":"3"}'), /wrong limit/],
        ['schedule', 1, [6, 's'], /8 arguments/],
        ['iterate', 1, [6, '', 'x', 1], /ARGV\[2\] id of the scheduler must/],
        ['iterate', 1, [6, 's', 'x', ''], /ARGV\[4\] time must be a whole/],
        ['iterate', 1, [6, 's', 'x'], /4 arguments/],
        ['unschedule', 1, [6], /1 to 1000 ids/],
        ['finish', 3, but(finish, 9, 'x'), /ARGV\[10\] metrics must be/],
        ['finish', 3, but(finish, 10, -1), /ARGV\[11\] bytes must be/],
        ['finish', 3, but(finish, 11, '1k'), /ARGV\[12\] bytes must be/],
        ['finish', 3, but(finish, 2, ''), /token must not be empty or 0/],
        ['retry', 2, but(retry, 4, 'again'), /mode must be retry, delay/],
        ['retry', 2, but(retry, 5, -1), /delay must be a whole number/],
        ['retry', 2, but(but(retry, 4, 'release'), 5, 1), /delay must be 0/],
        ['retry', 2, but(but(retry, 4, 'children'), 5, 1), /delay must be 0/],
        ['retry', 2, but(retry, 8, 1), /too many or too few/],
        ['retry', 2, but(retry, 1, 2), /7 arguments a job/],
        ['extend', 1, [0, 'a', 'tok'], /lock must be at least 1/],
        ['extend', 1, [10], /2 arguments a job/],
        ['extend', 1, [10, 'a'], /2 arguments a job/],
        ['recover', 1, [6, 0, 1], /interval must be at least 1/],
        ['recover', 1, [6, 10, -1], /stalls allowed must be a whole/],
        ['recover', 1, [6, 10], /3 arguments/],
        ['requeue', 1, [6, 'active', 0, 'a'], /set must be failed, comp/],
        ['requeue', 1, [6, 'failed', 2, 'a'], /reset attempts is too large/],
        ['requeue', 1, [6, 'failed', 0], /1 to 1000 ids/],
        ['admit', 4, but(admit, 0, ''), /token must not be empty/],
        ['admit', 4, but(admit, 0, 'a b'), /or hold a space/],
        ['admit', 4, but(admit, 1, 0), /ttl must be at least 1/],
        ['admit', 4, but(admit, 2, -1), /horizon must be a whole/],
        ['admit', 4, but(admit, 5, -5), /interval must be a whole/],
        ['admit', 4, but(admit, 6, 'x'), /tolerance must be a whole/],
        ['admit', 4, but(admit, 7, -5), /pair must be a whole/],
        ['admit', 4, but(admit, 8, 1001), /borrow is too large/],
        ['admit', 4, but(admit, 1, '00'), /ttl must be at least 1/],
        ['admit', 8, [...admit, ...but(admit, 0, 'a b')],
            /ARGV\[10\] token must not be/],
        ['admit', 8, [...admit, ...but(admit, 1, 'x')], /ARGV\[11\] ttl must/],
        ['admit', 8, [...admit, ...but(admit, 8, '1e3')],
            /ARGV\[18\] borrow must be/],
        ['admit', 4, admit.slice(1), /4 keys and 9 arguments/],
        ['admit', 3, admit, /4 keys and 9 arguments/],
    ];
    await s.redis.flushall();
    for (const [script, nkeys, argv, expected] of table) {
        const four = [K, `${K}records`, `${K}claim:`, `${K}pace`];
        const keys = [...four, ...four].slice(0, nkeys);
        const got = await error(s.call(script, keys, argv));
        tap.ok(expected.test(got), `${script}: ${expected.source}`, got);
    }
    tap.ok(/interval needs the key of a pace/.test(await error(s.admit(
        { claim: 'c', interval: 5 }))), 'admit: a pace without a key');
    tap.ok(/KEYS\[1\]/.test(await error(s.call('take', ['bull:q'], take))),
        'a base without its colon');
    tap.is(await s.redis.dbsize(), 0, 'and nothing was written');
}


/* a key of a wrong type must never leave half a job */
async function wrongTypes(s) {
    const { redis } = s;
    const wrong = async (key, act, name, prepare) => {
        await redis.flushall();
        await s.add({ id: 'e-1' }, { id: 'e-2', priority: 3 },
            { id: 'e-3', delay: 60000 }, { id: 'e-4' }, { id: 'e-5' });
        await s.take(1);
        await s.finish([{ id: 'e-1' }]);
        await s.take(1);
        if (prepare) {
            await prepare();
        }
        await redis.del(K + key);
        await redis.set(K + key, 'wrong');
        const before = await dump(redis);
        const got = await error(act());
        const after = await dump(redis);
        const states = (d) => JSON.stringify(Object.fromEntries(
            Object.entries(d).filter(([k, e]) => !/:(id|pc|marker|events|meta)$/
                .test(k) && !/lock$/.test(k) && e.type !== 'string')));
        tap.ok(/WRONGTYPE|not an integer/.test(got)
            && states(before) === states(after),
        `${name} with a wrong ${key}`, [got, states(before), states(after)]);
    };
    const adds = () => s.add({ id: 'e-9' }, { id: 'e-8', priority: 2 },
        { id: 'e-7', delay: 5 });
    for (const key of ['id', 'meta', 'wait', 'events', 'prioritized', 'pc',
        'delayed', 'marker']) {
        await wrong(key, adds, 'add');
    }
    for (const key of ['id', 'meta', 'wait', 'events', 'prioritized', 'pc',
        'delayed', 'marker']) {
        await wrong(key, () => s.add({ id: 'e-9', dedupe: '9:a' },
            { id: 'e-8', dedupe: '9:b', priority: 2 },
            { id: 'e-7', dedupe: '9:c', delay: 1 }), 'a deduplicated add');
        tap.is(await redis.keys(`${K}de:*`), [],
            `a wrong ${key} leaves no key to a job that is not there`);
    }
    await redis.flushall();
    await redis.lpush(`${K}de:a`, 'x');
    tap.ok(/WRONGTYPE/.test(await error(s.add({ id: 'e-1', dedupe: '9:b' },
        { id: 'e-2', dedupe: '9:a' }))), 'a dedupe key of a wrong type');
    tap.is(await redis.dbsize(), 1, 'and nothing was written');
    for (const key of ['id', 'meta', 'wait', 'events', 'prioritized', 'pc',
        'delayed', 'marker', 'waiting-children', 'active', 'dn:x']) {
        for (const more of [{}, { delay: 5 }, { priority: 5 }]) {
            await wrong(key, () => s.insert('e-9', { de: { id: 'x' }, ...more }),
                'insert');
        }
    }
    const every = { every: 1000 };
    for (const key of ['id', 'meta', 'wait', 'events', 'prioritized', 'pc',
        'delayed', 'marker', 'repeat', 'repeat:s', 'active', 'failed']) {
        await wrong(key, () => s.schedule('s', Date.now(), every), 'schedule');
    }
    for (const key of ['id', 'meta', 'wait', 'events', 'prioritized', 'pc',
        'delayed', 'marker', 'repeat:s']) {
        await wrong(key, () => s.iterate('s', 'repeat:s:5', 6), 'iterate',
            async () => {
                await s.schedule('s', 5, every);
                await redis.hset(`${K}e-4`, 'opts', '{"repeat":{}}');
            });
    }
    for (const key of ['wait', 'events', 'delayed', 'marker', 'active']) {
        await wrong(key, () => s.take(5), 'take');
    }
    for (const key of ['active', 'events', 'completed', 'stalled']) {
        await wrong(key, () => s.finish([{ id: 'e-4' }]), 'finish');
    }
    for (const key of ['active', 'events', 'delayed', 'stalled', 'wait', 'prioritized', 'pc']) {
        await wrong(key, () => s.retry({ id: 'e-4', delay: 50 }), 'retry');
    }
    for (const key of ['wait', 'prioritized', 'pc', 'events', 'completed']) {
        await wrong(key, () => s.requeue('completed', ['e-1']), 'requeue');
    }
    for (const key of ['wait', 'active', 'stalled', 'events']) {
        await wrong(key, () => s.recover(100), 'recover');
    }
    await redis.flushall();
    await s.add({ id: 'e-1' }, { id: 'e-2' });
    await redis.del(`${K}e-1`);
    await redis.set(`${K}e-1`, 'x');
    const reply = await s.take(5);
    tap.is([reply.status, reply.value], ['refused', 'e-1 is not a hash'],
        'a job that is not a hash is refused');
    tap.is((await s.finish([{ id: 'e-1' }])).codes, [-1], 'and not finished');
}


/* a key with a ttl is held beside the job's id, and outlives the job */
async function unique(s) {
    const { redis, major } = s;
    const held = major === 5 ? ['debounced e-1 a'] : [];
    await redis.flushall();
    tap.is(await s.add({ id: 'e-1', dedupe: '60000:a' }, { id: 'e-2' },
        { id: 'e-3', dedupe: '60000:a' }, { dedupe: '60000:b:c' },
        { id: 'e-1', dedupe: '60000:a' }, { id: 'e-4', dedupe: '60000:b:c' }),
    [1, 1, ['e-1'], '4', 0, ['4']], 'the first of a key, within a call');
    tap.is(await redis.lrange(`${K}wait`, 0, -1), ['4', 'e-2', 'e-1'],
        'what is added');
    tap.is((await events(redis)).filter((e) => / a$| e-3/.test(e)),
        [...held, 'deduplicated e-1 a e-3'], 'an event that names both');
    tap.is(await redis.hmget(`${K}e-1`, 'deid', 'name'), ['a', 'n'],
        'the job knows its key');
    tap.is(await redis.hexists(`${K}e-2`, 'deid'), 0, 'the others have none');
    const left = await redis.pttl(`${K}de:a`);
    tap.ok(left > 50000 && left <= 60000, 'the ttl', left);

    const { jobs } = await s.take(3);
    await s.finish(jobs.map((j) => ({ id: j.id, keep: '0:0' })), 0);
    tap.is(await redis.exists(`${K}e-1`), 0, 'the job is removed');
    tap.is(await s.add({ id: 'e-1', dedupe: '60000:a' },
        { id: 'e-5', dedupe: '60000:a' }), [['e-1'], ['e-1']],
    'and still what came first');
    tap.is([await redis.exists(`${K}e-1`), await redis.llen(`${K}wait`)],
        [0, 0], 'nothing is added');

    await redis.pexpire(`${K}de:a`, 1);
    await tap.until(async () => !await redis.exists(`${K}de:a`), 'the ttl');
    tap.is(await s.add({ id: 'e-5', dedupe: '60000:a' }), [1],
        'after the ttl the next is the first');

    /* a stock key without a ttl goes with its job */
    await redis.persist(`${K}de:a`);
    tap.is(await s.add({ id: 'e-6', dedupe: '5000:a' }), [['e-5']],
        'a key without a ttl holds as well');
    await redis.del(`${K}e-5`);
    tap.is(await s.add({ id: 'e-6', dedupe: '5000:a' }), [1],
        'until its job is gone');
    tap.ok(await redis.pttl(`${K}de:a`) > 0, 'then it has a ttl');
}


async function batches(s) {
    const { redis } = s;
    await redis.flushall();
    tap.is(await s.add({ id: 'e-1' }, {}, { id: 'e-1' }, { id: 'e-2', lifo: 1 },
        {}), [1, '2', 0, 1, '5'], 'results in the order of the jobs');
    tap.is(await redis.get(`${K}id`), '5', 'the counter counts every attempt');
    tap.is(await redis.lrange(`${K}wait`, 0, -1), ['5', '2', 'e-1', 'e-2'],
        'the line');
    tap.is(await events(redis), ['added e-1 n', 'waiting e-1', 'added 2 n',
        'waiting 2', 'duplicated e-1', 'added e-2 n', 'waiting e-2',
        'added 5 n', 'waiting 5'], 'the events');
    tap.is(ids(await s.take(3)), ['e-2', 'e-1', '2'], 'a batch, tail first');
    tap.is(await redis.lrange(`${K}active`, 0, -1), ['2', 'e-1', 'e-2'],
        'the newest at the head');
    const rest = await s.take(3);
    tap.is([rest.status, ...ids(rest)], ['idle', '5'], 'what there is');
    tap.is(Object.values(rest.jobs[0]).slice(7), ['', '1', '', '', '', '', ''],
        'absent fields are empty');

    await redis.flushall();
    const many = Array.from({ length: 1000 }, (_, i) => ({ id: `e-${i}`,
        priority: i % 3 }));
    await s.add(...many);
    const taken = [...ids(await s.take(1000))];
    const expected = [0, 1, 2].flatMap((p) => many.filter(
        (j) => j.priority === p).map((j) => j.id));
    tap.is(taken, expected, '1000 at once, by priority, then by age');
    tap.is(await redis.exists(`${K}pc`, `${K}wait`, `${K}prioritized`), 1,
        'pc stays until prioritized is found empty');
    tap.is((await s.take(1)).status, 'idle', 'now it is');
    tap.is(await redis.exists(`${K}pc`), 0, 'and pc is gone');
    const { codes } = await s.finish(taken.map((id) => ({ id })));
    tap.ok(codes.length === 1000 && codes.every((c) => c === 0),
        '1000 finished at once');
    tap.is([await redis.llen(`${K}active`), await redis.zcard(`${K}completed`)],
        [0, 1000], 'none is active');
    tap.is((await s.requeue('completed', taken)).filter((c) => c === 1).length,
        1000, '1000 requeued at once');

    await redis.flushall();
    await s.add({ id: 'e-1' }, { id: 'e-2' }, { id: 'e-3' }, { id: 'e-4' });
    await s.take(4);
    tap.is((await s.finish([{ id: 'e-1' }, { id: 'e-9' }, { id: 'e-1' },
        { id: 'e-2', token: 'bad' }, { id: 'e-3', reason: 'no' }])).codes,
    [0, -1, -3, -6, 0], 'one code a job');
    await s.retry({ id: 'e-4', mode: 'release' },
        { id: 'e-2', mode: 'release' });
    tap.is(ids(await s.take(2)), ['e-4', 'e-2'],
        'of several released the first given is next');

    await redis.flushall();
    await s.add({ id: 'e-1', priority: 5 }, { id: 'e-2', priority: 5 },
        { id: 'e-3' });
    await s.take(2);
    await s.retry({ id: 'e-1', mode: 'release' }, { id: 'e-3' });
    tap.is(ids(await s.take(3)), ['e-3', 'e-1', 'e-2'],
        'a released one is the first of its priority');
    const last = await events(redis, 8);
    tap.is(last.slice(0, 2), ['waiting e-1 active', 'waiting e-3 active'],
        'and announced');
}


/* a call that comes twice, or late, is run once */
async function once(s) {
    const { redis } = s;
    const edge = 'bull::sluice:edge:c';
    const spool = 'bull::sluice:spool:s';
    const jobs = async () => (await redis.lrange(`${K}wait`, 0, -1)).reverse();

    await redis.flushall();
    tap.is(await s.addOnce(edge, ['call', 1, 0, 60000], { id: 'e-1' }, {}),
        [1, '2'], 'a call is run');
    tap.ok(await redis.pttl(edge) > 50000, 'and remembered for its time');
    await redis.lrem(`${K}wait`, 0, 'e-1');
    await redis.del(`${K}e-1`);
    const before = await events(redis);
    tap.is(await s.addOnce(edge, ['call', 1, 0, 0], { id: 'e-1' }, {}), 1,
        'the second time it is not');
    tap.is([await jobs(), await events(redis)], [['2'], before],
        'although the job is gone');
    tap.is(await s.addOnce(edge, ['call', 3, 0, 0], { id: 'e-3' }), [1],
        'one may overtake another');
    tap.is(await s.addOnce(edge, ['call', 2, 0, 0], { id: 'e-2' }), [1],
        'which is run then');
    await s.addOnce(edge, ['call', 4, 2, 0], { id: 'e-4' });
    tap.is(await redis.zrange(edge, 0, -1), ['3', '4'],
        'what will not come again is forgotten');
    tap.ok(await redis.pttl(edge) > 50000, 'its time stays');
    tap.is(await jobs(), ['2', 'e-3', 'e-2', 'e-4'], 'each job is there once');

    await redis.flushall();
    tap.is(await s.addOnce(spool, ['spool', 1, 2, 60000], { id: 'e-1' },
        { id: 'e-2' }), [1, 1], 'records are replayed');
    await redis.del(`${K}e-1`, `${K}e-2`, `${K}wait`);
    tap.is(await s.addOnce(spool, ['spool', 1, 2, 0], { id: 'e-1' },
        { id: 'e-2' }), 2, 'not again');
    tap.is(await s.addOnce(spool, ['spool', 2, 3, 0], { id: 'e-2' },
        { id: 'e-3' }), 2, 'nor in other pieces: the last one is told');
    tap.is(await s.addOnce(spool, ['spool', 3, 3, 0], { id: 'e-3' }), [1],
        'the next one is');
    tap.is([await jobs(), await redis.get(spool)], [['e-3'], '3'],
        'and remembered');

    for (const key of ['id', 'wait', 'events', 'marker']) {
        await redis.flushall();
        await redis.hset(K + key, 'wrong', 1);
        const got = await error(s.addOnce(edge, ['call', 1, 0, 0], {}));
        tap.ok(/WRONGTYPE/.test(got) && await redis.exists(edge) === 0,
            `refused for a wrong ${key}: not remembered`, got);
    }
    await redis.flushall();
    await redis.config('SET', 'maxmemory', '1');
    const got = await error(s.addOnce(edge, ['call', 1, 0, 0], {}));
    await redis.config('SET', 'maxmemory', '0');
    tap.ok(/OOM/.test(got) && await redis.dbsize() === 0,
        'refused for want of memory: nothing is written', got);
}


/* where a job comes back to says its own options */
async function returns(s) {
    const { redis } = s;
    const lifo = '{"attempts":3,"lifo":true}';
    const jobs = [{ id: 'a' }, { id: 'l', opts: lifo }, { id: 'p', priority: 4 },
        { id: 'b' }, { id: 'x', opts: '{"note":"lifo"}' }];
    const behind = { id: 'o', priority: 4 };
    const order = ['l', 'w', 'a', 'b', 'x', 'o', 'p'];
    const all = ['a', 'l', 'p', 'b', 'x'];

    await redis.flushall();
    await s.add(...jobs);
    await s.take(5);
    await s.add({ id: 'w' }, behind);
    await s.retry(...all.map((id) => ({ id })));
    tap.is(ids(await s.take(9)), order, 'retried: by lifo and priority');

    for (const set of ['completed', 'failed']) {
        await redis.flushall();
        await s.add(...jobs);
        await s.take(5);
        await s.finish(all.map((id) => (set === 'failed'
            ? { id, reason: 'x' } : { id })));
        await s.add({ id: 'w' }, behind);
        tap.is(await s.requeue(set, [...all, 'a', 'none']),
            [1, 1, 1, 1, 1, -3, -1], `${set}: requeued once each`);
        tap.is(ids(await s.take(9)), order, 'by lifo and priority');
    }
}


async function delays(s) {
    const { redis } = s;
    await redis.flushall();
    const [sec] = await redis.time();
    const past = (sec - 100) * 1000;
    await s.add({ id: 'e-1', delay: 5000, timestamp: past, priority: 2 },
        { id: 'e-2', delay: 5000, timestamp: past },
        { id: 'e-3', delay: 4000, timestamp: past },
        { id: 'e-4', delay: 900000, timestamp: past });
    await redis.zadd(`${K}delayed`, past * 4096, 'ghost');
    const reply = await s.take(10);
    tap.is([reply.status, ...ids(reply)], ['delayed', 'e-3', 'e-2', 'e-1'],
        'what is due is promoted, the list before priorities');
    tap.is(reply.value, past + 900000, 'and the next moment is told');
    tap.is(await redis.exists(`${K}ghost`), 0,
        'an id without a hash is not made one');
    tap.is(reply.jobs.map((j) => j.delay), ['0', '0', '0'], 'delay is over');
    await redis.flushall();
    const n = 2500;
    for (let i = 0; i < n; i += 500) {
        await s.add(...Array.from({ length: 500 }, (_, j) => ({
            id: `e-${i + j}`, delay: 1, timestamp: past })));
    }
    const taken = [];
    for (let got = ['']; got.length;) {
        got = ids(await s.take(700));
        taken.push(...got);
    }
    tap.is(taken, Array.from({ length: n }, (_, i) => `e-${i}`),
        'jobs of one millisecond keep their order');
}


async function leftovers(s) {
    const { redis } = s;
    await redis.flushall();
    await s.add({ id: 'e-1' });
    await redis.rpush(`${K}wait`, '0:1795205768256', 'gone', '0:0');
    await redis.zadd(`${K}prioritized`, 1, 'lost');
    const reply = await s.take(5);
    tap.is([reply.status, ...ids(reply)], ['idle', 'e-1'],
        'old markers and ids without a hash are dropped');
    tap.is(await redis.exists(`${K}wait`, `${K}prioritized`, `${K}gone`), 0,
        'for good');
    await redis.hset(`${K}stub`, 'delay', 0);
    await redis.lpush(`${K}wait`, 'stub');
    tap.is(Object.values((await s.take(1)).jobs[0]).slice(0, 4),
        ['stub', '', '', ''], 'a hash without name and data is given out');
    await redis.sadd(`${K}stalled`, 'nothing');
    await redis.lpush(`${K}active`, 'nothing');
    await s.recover();
    tap.is([await redis.exists(`${K}nothing`),
        await redis.lpos(`${K}active`, 'nothing')], [0, null],
    'a stalled id without a hash is dropped');
}


async function facts(s) {
    const { redis } = s;
    await redis.flushall();
    await s.add({ id: 'e-1' });
    await s.take();
    await s.finish([{ id: 'e-1', token: 'lost', claim: '{"id":"w"}', ttl: 5000,
        records: ['one', 'two'] }]);
    await s.retry({ id: 'e-1', token: 'lost', records: ['three'] });
    tap.is((await redis.xrange(s.stream, '-', '+')).map(([, f]) => f),
        [['r', 'one'], ['r', 'two'], ['r', 'three']],
        'records are kept though the lease is lost');
    tap.is(await redis.get(`${s.claims}e-1`), '{"id":"w"}', 'so is the claim');
    tap.ok(await redis.pttl(`${s.claims}e-1`) > 4000, 'for its time');
    tap.is(await redis.llen(`${K}active`), 1, 'and the job is not touched');

    const many = Array.from({ length: 1001 }, () => 'r');
    await s.finish([{ id: 'e-1', token: 'lost', records: many }]);
    await s.retry({ id: 'e-1', token: 'lost', records: many });
    tap.is(await redis.xlen(s.stream), 2005, 'more than a thousand of a job');

    await redis.set(s.stream, 'no stream');
    tap.ok(/WRONGTYPE/.test(await error(s.finish([{ id: 'e-1',
        claim: '{"id":"x"}', ttl: 5000, records: ['one'] }])))
        && await redis.get(`${s.claims}e-1`) === '{"id":"x"}',
    'a claim is written before what may fail');
}


async function limits(s) {
    const { redis } = s;
    await redis.flushall();
    await s.add({ id: 'e-5' }, { id: 'e-6' }, { id: 'e-7' });
    await redis.hset(`${K}meta`, 'max', '1.5', 'duration', '60000.5');
    tap.is(ids(await s.take(5)), ['e-5', 'e-6'], 'a limit with fractions');
    tap.ok(await redis.pttl(`${K}limiter`) > 50000, 'is one');

    await redis.flushall();
    await s.add(...Array.from({ length: 8 }, (_, i) => ({ id: `e-${i}` })));
    await redis.hset(`${K}e-1`, 'defa', 'stalled');
    const own = { max: 3, duration: 60000 };
    const first = await s.take(5, 'tok', own);
    tap.is([first.status, ...ids(first)], ['limited', 'e-0', 'e-1', 'e-2'],
        'not more than the limit allows');
    tap.is(first.jobs[1].defa, 'stalled', 'the deferred failure is told');
    tap.is(await redis.get(`${K}limiter`), '2',
        'what is only failed does not count');
    const second = await s.take(5, 'tok', own);
    tap.is(ids(second), ['e-3'], 'the rest of the limit');
    tap.ok(second.value > 50000 && second.value <= 60000, 'and how long');
    tap.is(ids(await s.take(1, 'tok')), ['e-4'], 'nobody else is held');
    await redis.hset(`${K}meta`, 'max', 3, 'duration', 60000);
    tap.is((await s.take(1, 'tok')).status, 'limited',
        'but the queue\'s limit holds all');
    await redis.persist(`${K}limiter`);
    tap.is(ids(await s.take(2, 'tok')), ['e-5', 'e-6'],
        'a limit that would never end is none');
    await redis.del(`${K}limiter`);
    await redis.hdel(`${K}meta`, 'max', 'duration');
    await redis.hset(`${K}meta`, 'concurrency', 7);
    await redis.del(`${K}marker`);
    tap.is((await s.take(1)).status, 'full', 'global concurrency');
    await s.add({ id: 'e-9' }, { id: 'e-8', priority: 1 });
    tap.is(await redis.exists(`${K}marker`), 0, 'and adds do not wake');
    const { next } = await s.finish([{ id: 'e-0' }, { id: 'e-1' }], 5);
    tap.is([next.status, ...ids(next)], ['full', 'e-7', 'e-9'],
        'what is finished makes room');
}


async function pauses(redis) {
    const six = new Sluice(redis, 6);
    const five = new Sluice(redis, 5);
    const where = async (s, set) => {
        await redis.flushall();
        await set();
        await s.add({ id: 'e-1' }, { id: 'e-2', priority: 1 });
        return [await redis.llen(`${K}wait`), await redis.llen(`${K}paused`),
            await redis.exists(`${K}marker`)];
    };
    const pause = (...meta) => redis.hset(`${K}meta`, 'paused', '1', ...meta);
    tap.is(await where(six, pause), [1, 0, 0], 'major 6: wait');
    tap.is(await where(five, pause), [0, 1, 0], 'major 5: paused');
    tap.is(await where(five, () => {}), [1, 0, 1], 'not paused: wait');
    tap.is(await where(six, async () => {
        await pause();
        await redis.lpush(`${K}paused`, 'x');
    }), [0, 2, 0], 'major 6 with a paused list: paused');
    tap.is(await where(six, () => pause('version', 'bullmq:5.81.5')), [0, 1, 0],
        'major 6 where a stock 5 was: paused');
    tap.is(await where(six, async () => {
        await pause('version', 'bullmq:5.81.5');
        await redis.lpush(`${K}wait`, 'x');
    }), [2, 0, 0], 'unless wait is in use');

    for (const s of [six, five]) {
        await redis.flushall();
        await s.add({ id: 'a' }, { id: 'b' }, { id: 'c' }, { id: 'd' });
        await s.take(4);
        await s.finish([{ id: 'd', reason: 'x' }]);
        const [sec] = await redis.time();
        await s.add({ id: 'e', delay: 1, timestamp: sec * 1000 - 5000 });
        await redis.hset(`${K}meta`, 'paused', '1');
        await redis.del(`${K}marker`);
        await s.retry({ id: 'a' }, { id: 'b', mode: 'release' });
        await s.recover();
        await redis.del(`${K}stalled-check`, `${K}c:lock`);
        await s.recover();
        await s.requeue('failed', ['d']);
        tap.is((await s.take(5)).status, 'paused', 'nothing is taken');
        tap.is(await redis.lrange(`${K}${s.major === 5 ? 'paused' : 'wait'}`, 0,
            -1), ['d', 'a', 'e', 'b', 'c'],
        `major ${s.major}: all go where they belong while paused`);
        tap.is(await redis.exists(`${K}marker`), 0, 'and nobody is woken');
    }
}


tap.run(async () => {
    const server = await start('rules');
    const s = new Sluice(server.redis);
    try {
        await argumentsChecked(s);
        await wrongTypes(s);
        await unique(s);
        await unique(new Sluice(server.redis, 5));
        await batches(s);
        await once(s);
        await returns(s);
        await delays(s);
        await leftovers(s);
        await facts(s);
        await limits(s);
        await pauses(server.redis);
    } finally {
        await server.stop();
    }
});
