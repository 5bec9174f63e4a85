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

    tap.is(await run('', 'acme', '{}', 'b', '{"rate":"1r/s"}'), 1, 'first');
    tap.is(await table(), ['1', [['acme', '{}'], ['b', '{"rate":"1r/s"}']]],
        'both, one version');
    tap.is(await run('1', 'acme', '{"burst":1}', 'b', ''), 2,
        'one changed, one removed');
    tap.is(await table(), ['2', [['acme', '{"burst":1}']]], 'so it is');
    tap.is(await run('1', 'acme', '{}'), -1, 'another version by now');
    tap.is(await run('', 'none', ''), 3, 'removing what is not there');
    tap.is(await table(), ['3', [['acme', '{"burst":1}']]], 'changes nothing');

    await redis.flushall();
    tap.is(await run('0', 'acme', '{}'), 1, 'no table is version 0');

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
    await redis.set(KEYS[1], '1');
    tap.is(await table(), before, 'nothing was written');

    await redis.del(KEYS[0]);
    await redis.set(KEYS[0], 'x');
    await fails(['', 'a', '{}'], /WRONGTYPE/, 'a table of another type');
    tap.is(await redis.get(KEYS[1]), '1', 'and the version stays');

    await redis.flushall();
    const many = [];
    for (let i = 0; i < 10000; i += 1) {
        many.push(`t${i}`, '{"rate":"1r/s"}');
    }
    tap.is(await run('', ...many), 1, '10,000 entries');
    tap.is(await redis.hlen(KEYS[0]), 10000, 'all of them');
    tap.is(await redis.cluster('KEYSLOT', KEYS[0]).catch(() => 0),
        await redis.cluster('KEYSLOT', KEYS[1]).catch(() => 0), 'one slot');

    await server.stop();
});
