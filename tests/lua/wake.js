'use strict';

/*
 * The word by which our producers wake our workers, and lua/sweep.lua, which
 * finds what nobody told of.
 */

const path = require('path');
const { start, modules } = require('./server');
const { Sluice } = require('./scripts');
const tap = require('./tap');

const { Queue } = require(path.join(modules, 'bullmq6'));

/* the words since the last look */
class Words {
    static async listen(redis) {
        const words = new Words();
        words.redis = redis;
        words.heard = [];
        words.ear = redis.duplicate();
        words.ear.on('message', (channel, word) => words.heard.push(word));
        await words.ear.subscribe('sluice:wake');
        return words;
    }

    async now() {
        await this.redis.publish('sluice:wake', '.');
        await tap.until(() => this.heard.includes('.'), 'the last word');
        return this.heard.splice(0).filter((word) => word !== '.');
    }
}

async function told(server) {
    const { redis } = server;
    const s = new Sluice(redis, 6, '{acme}:q:');
    const words = await Words.listen(redis);
    const said = async (expected, name) => tap.is(await words.now(),
        Array(expected).fill('{acme}:q'), name);

    await s.add({ id: 'e-1' });
    await said(1, 'the first job is told of');
    await s.add({ id: 'e-2' }, { id: 'e-3' });
    await said(0, 'more of them are not');
    await s.take(2);
    await s.add({ id: 'e-4' });
    await said(0, 'nor while there is something in the line');
    await s.take(2);
    await s.add({ id: 'e-4b' });
    await said(1, 'when the last ones were taken, to whoever sleeps');
    let { status } = await s.take(10);
    tap.is(status, 'idle', 'the line is empty');
    tap.is(await redis.exists('{acme}:q:marker'), 0, 'and the marker away');
    await s.add({ id: 'e-5' });
    await said(1, 'so the next is told of');
    await s.take(10);
    await s.add({ id: 'e-6', priority: 10 });
    await said(1, 'one with a priority too');
    await s.take(10);

    await s.add({ id: 'd-1', delay: 60000 });
    await said(1, 'a delayed job is told of');
    await s.add({ id: 'd-2', delay: 90000 });
    await said(0, 'a later one is not');
    await s.add({ id: 'd-3', delay: 30000 });
    await said(1, 'an earlier one is');
    await s.take(10);
    await s.add({ id: 'd-4', delay: 70000 });
    await said(0, 'a look does not forget when');

    /* a take that ends for another reason, and leaves nothing */
    for (const [i, [expected, options]] of [
        ['limited', { max: 1, duration: 60000 }],
        ['limited', { limits: 'rate:60000000:0' }],
        ['full', {}]].entries())
    {
        await redis.hset('{acme}:q:meta', 'concurrency',
            expected === 'full' ? 1 : 1000);
        await redis.del('{acme}:q:active');
        await s.add({ id: `f-${i}` });
        await words.now();
        ({ status } = await s.take(10, 'tok', options));
        tap.is([status, await redis.zrange('{acme}:q:marker', 0, -1)],
            [expected, ['1']], `${expected}: its marker is away`);
        await redis.hdel('{acme}:q:meta', 'concurrency');
        await s.add({ id: `g-${i}` });
        await said(1, 'and the next is told of');
        await redis.del('{acme}:q:limiter');
        await s.take(10);
    }

    /* one that ends at a job for others, which stays in its line */
    await s.add({ id: 'x' });
    await redis.hset('{acme}:q:x', 'rjk', 'a scheduler');
    await words.now();
    for (const [more, options] of [['h-1', {}], ['h-2', { priority: 3 }]]) {
        ({ status } = await s.take(10));
        tap.is([status, await redis.zrange('{acme}:q:marker', 0, 0)],
            ['refused', ['0']], 'refused: its marker is there');
        await said(0, 'nobody is told of that');
        await s.add({ id: more, ...options });
        await said(1, 'the next is told of');
        await s.add({ id: `${more}b`, ...options });
        await said(0, 'once');
    }
    await redis.hdel('{acme}:q:x', 'rjk');
    await s.take(10);

    await s.pause();
    await s.add({ id: 'e-7' });
    await said(0, 'a paused queue is quiet');
    await s.resume();
    await said(1, 'and is told of when it goes on');
    await s.take(10);
    await s.pause();
    await s.resume();
    await said(1, 'also when there is only something delayed');

    await redis.hset('{acme}:q:meta', 'concurrency', 1);
    await s.add({ id: 'e-8' });
    await said(0, 'a queue at its own concurrency is quiet');
    await redis.hdel('{acme}:q:meta', 'concurrency');

    await redis.acl('SETUSER', 'mute', 'on', '>x', '~*', '+@all',
        'resetchannels');
    const mute = redis.duplicate({ username: 'mute', password: 'x' });
    const quiet = new Sluice(mute, 6, '{acme}:other:');
    tap.is(await quiet.add({ id: 'e-1' }), [1],
        'a user without the channel can add');
    tap.is(await words.now(), [], 'and tells nobody');
    mute.disconnect();
    words.ear.disconnect();
    await redis.flushall();
}

/* what take leaves to others wakes a stock Worker, which would sleep long */

async function left(server, major) {
    const { redis } = server;
    const { Worker } = require(path.join(modules, `bullmq${major}`));
    const s = new Sluice(redis, major);
    const done = [];
    const worker = new Worker('q', async (job) => { done.push(job.id); },
        { connection: server.connection, drainDelay: 600 });
    worker.on('error', () => {});
    await worker.waitUntilReady();
    await tap.until(async () => /cmd=bzpopmin/.test(
        await redis.client('LIST')), 'the Worker to sleep');
    await redis.multi().hset('bull:q:x\0', 'name', 'n', 'data', '{}', 'opts',
        '{}', 'timestamp', 1, 'delay', 0, 'priority', 0)
        .lpush('bull:q:wait', 'x\0').exec();
    tap.is((await s.take()).status, 'refused', `BullMQ ${major}: a job is left`);
    await tap.until(() => done.length, 'the Worker');
    tap.is(done, ['x\0'], 'an idle stock Worker takes it at once');
    await worker.close();
    await redis.flushall();
}

async function swept(server) {
    const { redis } = server;
    const s = new Sluice(redis);
    const sweep = async (...bases) => s.call('sweep',
        bases.length ? bases : ['bull:q:'], []);
    const is = async (expected, name) => {
        tap.is(await sweep(), expected, name);
    };

    await is([0, 0], 'no queue');
    await s.add({ id: 'e-1' });
    await is([1, 0], 'a job');
    tap.is(await sweep('bull:none:', 'bull:q:', 'bull:also:'),
        [0, 0, 1, 0, 0, 0], 'of many');
    await s.pause();
    await is([0, 0], 'paused');
    await s.resume();
    await s.take(1);
    await is([2, 0], 'an active one that nobody looked for');
    await s.recover(60000);
    await is([0, 0], 'and one that somebody did');
    await s.add({ id: 'e-2', priority: 100 });
    await is([1, 0], 'a priority');
    await s.take(1);
    await s.add({ id: 'd-1', delay: 60000 });
    const [what, due] = await sweep();
    tap.ok(what === 0 && Math.abs(due - Date.now() - 60000) < 5000,
        'a delayed one', [what, due]);
    await s.add({ id: 'd-2', delay: 1 });
    await tap.until(async () => (await sweep())[0] === 1, 'the delay');
    tap.ok(true, 'one that is due');
    await redis.hset('bull:q:meta', 'paused', 1);
    await is([0, 0], 'and paused: there is no time to come back at');
    await redis.hdel('bull:q:meta', 'paused');
    await redis.del('bull:q:stalled-check');
    await is([3, 0], 'both');
    const records = 'bull::sluice:records';
    await redis.xadd(records, '1-1', 'r', '{}');
    await is([7, 0], 'and records');
    tap.is(await sweep('bull:none:', '{acme}:none:'), [4, 0, 0, 0],
        'records of a prefix are those of each of its queues');
    await redis.xdel(records, '1-1');
    await is([3, 0], 'a stream that is empty again');

    await redis.flushall();
    const queue = new Queue('q', { connection: server.connection });
    await queue.add('n', {});
    await is([1, 0], 'a stock job');
    await queue.close();

    await redis.flushall();
    for (const key of ['wait', 'prioritized', 'delayed', 'active', 'meta']) {
        await redis.set(`bull:q:${key}`, 'x');
    }
    await redis.set(records, 'x');
    await is([0, 0], 'keys of other types');
    tap.is((await redis.keys('*')).length, 6, 'nothing is written');

    for (const [bases, shape] of [[Array(101).fill('a:b:'), /1 to 100 KEYS/],
        [['a:b:', 'a:b'], /KEYS\[2\] must be/],
        [['b:'], /KEYS\[1\] must be/]]) {
        const error = await sweep(...bases).catch((e) => e.message);
        tap.ok(shape.test(error), String(shape), error);
    }
}

tap.run(async () => {
    const server = await start('wake');
    await told(server);
    await left(server, 5);
    await left(server, 6);
    await swept(server);
    await server.stop();
});
