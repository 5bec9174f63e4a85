'use strict';

/* lua/tenants.lua: entries and the version of the tenant table, together. */

const { start } = require('./server');
const { read } = require('./scripts');
const tap = require('./tap');

const KEYS = ['sluice:tenants', '{sluice:tenants}:version'];

tap.run(async () => {
    const server = await start('tenants');
    const { redis } = server;
    const { text } = read().tenants;
    const run = (...args) => redis.eval(text, 2, ...KEYS, ...args);
    const fails = async (args, shape, name) => {
        let message = 'no error';
        try {
            await run(...args);
        } catch (e) {
            message = e.message;
        }
        tap.ok(shape.test(message), name, message);
    };
    const table = async () => [await redis.get(KEYS[1]),
        Object.entries(await redis.hgetall(KEYS[0])).sort()];

    /* a version is Redis' time in microseconds */
    const time = async () => {
        const [s, us] = await redis.time();
        return s * 1e6 + +us;
    };
    const began = await time();
    const first = await run('', 'acme', '{}', 'b', '{"rate":"1r/s"}');
    tap.ok(began <= first && first <= await time(), 'first: the time', first);
    tap.is(await table(),
        [`${first}`, [['acme', '{}'], ['b', '{"rate":"1r/s"}']]],
        'both, one version');
    const second = await run(`${first}`, 'acme', '{"burst":1}', 'b', '');
    tap.ok(second > first, 'one changed, one removed', second);
    tap.is(await table(), [`${second}`, [['acme', '{"burst":1}']]],
        'so it is');
    tap.is(await run(`${first}`, 'acme', '{}'), -1, 'another version by now');
    tap.ok(await run('', 'none', '') > second, 'removing what is not there');
    tap.is((await table())[1], [['acme', '{"burst":1}']], 'changes nothing');

    const later = await time() + 1e9;
    await redis.set(KEYS[1], later);
    tap.is(await run('', 'acme', '{}'), later + 1, 'a version that is higher');
    tap.is(await redis.incr(KEYS[1]), later + 2, 'others may count on');

    await redis.flushall();
    const again = await run('0', 'acme', '{}');
    tap.ok(again > second, 'no table is version 0, and its next no old one',
        again);

    const before = await table();
    await fails([''], /2 arguments an entry/, 'no entry');
    await fails(['', 'a'], /2 arguments an entry/, 'half an entry');
    await fails(['', 'ok', '{}', 'a b', '{}'], /ARGV\[4\] id must be/,
        'no name');
    await fails(['', 'x'.repeat(65), '{}'], /ARGV\[2\] id must be/, 'long');
    await fails(['', 'a', 'x'.repeat(16385)], /ARGV\[3\] entry is too long/,
        'an entry too long');
    await redis.set(KEYS[1], 'x');
    await fails(['', 'a', '{}'], /not a number/, 'a version that is none');
    await redis.set(KEYS[1], again);
    tap.is(await table(), before, 'nothing was written');

    await redis.del(KEYS[0]);
    await redis.set(KEYS[0], 'x');
    await fails(['', 'a', '{}'], /WRONGTYPE/, 'a table of another type');
    tap.is(await redis.get(KEYS[1]), `${again}`, 'and the version stays');

    await redis.flushall();
    const many = [];
    for (let i = 0; i < 10000; i += 1) {
        many.push(`t${i}`, '{"rate":"1r/s"}');
    }
    tap.ok(await run('', ...many) > again, '10,000 entries');
    tap.is(await redis.hlen(KEYS[0]), 10000, 'all of them');
    tap.is(await redis.cluster('KEYSLOT', KEYS[0]).catch(() => 0),
        await redis.cluster('KEYSLOT', KEYS[1]).catch(() => 0), 'one slot');

    await server.stop();
});
