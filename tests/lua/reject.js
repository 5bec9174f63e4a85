'use strict';

/* lua/reject.lua: an entry goes from a stream to another, or stays. */

const { start } = require('./server');
const { Sluice } = require('./scripts');
const tap = require('./tap');

const STREAM = '{acme}::sluice:records';
const BAD = `${STREAM}:bad`;

tap.run(async () => {
    const server = await start('reject');
    const { redis } = server;
    const by = (client) => {
        const scripts = new Sluice(client);
        return (id, max = 10000) => scripts.call('reject', [STREAM, BAD],
            ['sluice', id, max]);
    };
    const reject = by(redis);
    const add = async (...fields) => {
        const id = await redis.xadd(STREAM, '*', ...fields);
        await redis.xreadgroup('GROUP', 'sluice', 'sluiced', 'STREAMS', STREAM,
            '>');
        return id;
    };
    const state = async () => [await redis.xlen(STREAM),
        (await redis.xpending(STREAM, 'sluice'))[0], await redis.xlen(BAD)];

    await redis.xgroup('CREATE', STREAM, 'sluice', '0', 'MKSTREAM');
    let id = await add('x', 'ü\0', 'r', '');
    tap.is(await reject(id), 1, 'set aside');
    tap.is(await state(), [0, 0, 1], 'from here to there');
    tap.is((await redis.xrange(BAD, '-', '+'))[0][1], ['x', 'ü\0', 'r', ''],
        'with all its fields, as they are');
    tap.is(await reject(id), 0, 'once');
    tap.is(await state(), [0, 0, 1], 'and no more');

    id = await add('r', 'deleted while it was pending');
    await redis.xdel(STREAM, id);
    tap.is(await reject(id), 0, 'one that is gone');
    tap.is(await state(), [0, 0, 1], 'is acknowledged');

    id = await add(...Array.from({ length: 1200 }, (_, i) => `f${i}`));
    tap.is(await reject(id), 1, '600 fields');
    tap.is((await redis.xrevrange(BAD, '+', '-', 'COUNT', 1))[0][1].length,
        1000, 'the first 500 of them');

    for (let i = 0; i < 300; i += 1) {
        await reject(await add('r', 'x'), 100);
    }
    tap.ok(await redis.xlen(BAD) < 300, 'so many are kept, about');

    /* its copy is refused */
    id = await add('r', 'stays');
    const before = await state();
    await redis.config('SET', 'maxmemory', 1);
    tap.ok(/OOM/.test(await tap.error(reject(id))), 'no memory');
    await redis.config('SET', 'maxmemory', 0);
    tap.is(await state(), before, 'it stays');

    await redis.acl('SETUSER', 'few', 'on', 'nopass', '+@all', `~${STREAM}`);
    const few = server.connect({ username: 'few', password: 'x' });
    tap.ok(/NOPERM|can't access|permission/i.test(await tap.error(
        by(few)(id))), 'no permission');
    tap.is(await state(), before, 'it stays');

    await redis.rename(BAD, 'kept');
    await redis.set(BAD, 'x');
    tap.ok(/WRONGTYPE/.test(await tap.error(reject(id))), 'no stream');
    await redis.rename('kept', BAD);
    tap.is(await state(), before, 'it stays');

    tap.ok(/Invalid stream ID/.test(await tap.error(reject('x'))), 'no id');
    tap.ok(/not an integer/.test(await tap.error(reject(id, 'x'))), 'no number');
    tap.is(await state(), before, 'nothing was written');
    tap.is(await reject(id), 1, 'set aside in the end');
    await server.stop();
});
