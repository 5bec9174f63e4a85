'use strict';

/* stacktrace, as a stock reader sees it: every attempt, the newest last. */

const { start } = require('./server');
const { Sluice } = require('./scripts');
const tap = require('./tap');

async function stacks(s) {
    const { redis } = s;
    const table = [
        ['none yet', null, '{}', '["a/b"]', '["a/b"]'],
        ['behind', '["a/b","\\u00e9"]', '{}', '["c"]', '["a/b","\\u00e9","c"]'],
        ['an empty one', '[]', '{}', '["c"]', '["c"]'],
        ['with a space', ' [ "a" ] ', '{}', '["c"]', ' [ "a" ,"c"]'],
        ['no JSON', '["a"', '{}', '["c"]', '["c"]'],
        ['nothing new', '["a"]', '{}', '[]', '["a"]'],
        ['cut', '["a","b"]', '{"stackTraceLimit":2}', '["c"]', '["b","c"]'],
        ['not cut', '["a"]', '{"stackTraceLimit":2}', '["c"]', '["a","c"]'],
        ['cut to none', '["a"]', '{"stackTraceLimit":0}', '["c"]', '[]'],
    ];
    for (const [name, had, opts, stacktrace, want] of table) {
        for (const way of ['finish', 'retry']) {
            await redis.flushall();
            await s.add({ id: 'e-1', opts });
            await s.take();
            if (had !== null) {
                await redis.hset('bull:q:e-1', 'stacktrace', had);
            }
            const job = { id: 'e-1', reason: 'r', stacktrace };
            await (way === 'retry' ? s.retry(job) : s.finish([job]));
            tap.is(await redis.hget('bull:q:e-1', 'stacktrace'), want,
                `${way}, stacktrace: ${name}`);
        }
    }
}

tap.run(async () => {
    const server = await start('stacks');
    try {
        await stacks(new Sluice(server.redis));
    } finally {
        await server.stop();
    }
});
