#!/usr/bin/env node
'use strict';

/*
 * What is rare: jobs that need what is not built, jobs that kill their worker,
 * broken keys, global limits, a paused queue, more queues than one wait takes,
 * two workers at once.
 */

const fs = require('fs');
const path = require('path');
const { run, ok, is, until, House, Worker, bullmq, dir, freePort }
    = require('./house');

const house = new House('edges');

const calls = async () => +(/cmdstat_evalsha:calls=(\d+)/
    .exec(await house.redis.info('commandstats')) || [0, 0])[1];

const pause = (ms) => new Promise((done) => { setTimeout(done, ms); });

async function refused() {
    const queue = house.queue('refused');
    await queue.add('parent', {}, { jobId: 'parent' });
    await house.redis.sadd('bull:refused:parent:dependencies', 'bull:x:1');
    await queue.add('behind', {});
    const worker = house.run('queue "refused" { kind = noop }');
    const [line] = await worker.saw('job_refused');
    ok(line.job === 'parent' && line.reason === 'has unfinished children',
        'a job that waits for children is refused by name', line);
    const before = await calls();
    await pause(1500);
    ok((await calls()) - before <= 4, 'it is not asked for without end');
    is(worker.lines('job_refused').length, 1, 'and told once');
    const now = await queue.getJobCounts('wait', 'delayed', 'completed',
        'failed');
    is(now.failed, 0, 'it is left as it is', now);
    is(now.completed, 1, 'what is behind it is done');
    is(await worker.stop(), 0, 'it ends with 0');
    await queue.obliterate({ force: true });
}

async function stalls() {
    const queue = house.queue('stalls');
    const worker = house.run('queue "stalls" { kind = noop max_stalled = 0'
        + ' lock = "300ms" stalled = "300ms" }');
    await worker.ready();
    /* a job that somebody took and died with */
    worker.signal('SIGTSTP');
    await worker.saw('paused');
    const job = await queue.add('killer', {});
    await house.redis.rpoplpush('bull:stalls:wait', 'bull:stalls:active');
    worker.signal('SIGCONT');
    await until(async () => await job.getState() === 'failed', 'the job to fail');
    const failed = await queue.getJob(job.id);
    is(failed.failedReason, 'job stalled more than allowable limit',
        'a job that stalls too often fails, without being run');
    is(await worker.stop(), 0, 'it ends with 0');
}

async function broken() {
    const queue = house.queue('broken');
    await house.redis.set('bull:broken:wait', 'not a list');
    const worker = house.run('queue "broken" { kind = noop }\n'
        + 'queue "sound" { kind = noop }');
    await worker.saw('script_failed');
    ok(true, 'a broken key is told');
    const job = await house.queue('sound').add('x', {});
    await until(async () => await job.getState() === 'completed', 'the other');
    ok(true, 'another queue is not harmed');
    const before = await calls();
    await pause(1000);
    ok((await calls()) - before <= 12, 'nothing spins');
    await house.redis.del('bull:broken:wait');
    const later = await queue.add('x', {});
    await until(async () => await later.getState() === 'completed', 'the job');
    ok(true, 'and goes on when the key is mended');

    /* a job whose result cannot be written does not hold up the others */
    worker.signal('SIGTSTP');
    await worker.saw('paused');
    const some = await queue.addBulk(Array.from({ length: 10 }, (_, i) => ({
        name: 'n', data: { i }, opts: { jobId: `j-${i}` } })));
    await house.redis.hset('bull:broken:j-4', 'deid', 'x');
    await house.redis.lpush('bull:broken:de:x', 'no string');
    worker.signal('SIGCONT');
    await until(async () => (await queue.getCompletedCount()) >= 9, 'nine');
    await worker.saw('result_not_written');
    await worker.saw('result_not_written', 2);
    is([worker.lines('result_not_written').map((line) => line.job),
        worker.lines('result_refused').length], [['j-4', 'j-4'], 0],
    'one result of ten cannot be written: the others are', worker.lines());
    is(await worker.stop(), 0, 'it ends with 0');
}

async function held() {
    const queue = house.queue('held');
    await queue.pause();
    await queue.addBulk(Array.from({ length: 20 }, () => ({ name: 'n',
        data: {} })));
    const worker = house.run('queue "held" { kind = noop }');
    await worker.ready();
    await pause(300);
    is(await queue.getCompletedCount(), 0, 'a paused queue is left alone');
    const began = Date.now();
    await queue.resume();
    await until(async () => await queue.getCompletedCount() === 20, 'all');
    ok(Date.now() - began < 4500, 'and worked at once when resumed');

    await queue.setGlobalRateLimit(5, 200);
    const from = Date.now();
    await queue.addBulk(Array.from({ length: 20 }, () => ({ name: 'n',
        data: {} })));
    await until(async () => await queue.getCompletedCount() === 40, 'all');
    const took = Date.now() - from;
    ok(took >= 500, "the queue's own rate limit holds",
        `${took} ms`);
    await queue.removeGlobalRateLimit();

    await queue.setGlobalConcurrency(1);
    await queue.addBulk(Array.from({ length: 20 }, () => ({ name: 'n',
        data: {} })));
    await until(async () => await queue.getCompletedCount() === 60, 'all');
    ok(true, 'a global concurrency of 1 does not starve');
    is(await worker.stop(), 0, 'it ends with 0');
}

async function many() {
    let text = '';
    for (let i = 0; i < 230; i += 1) {
        text += `queue "q${i}" { kind = noop }\n`;
    }
    const worker = house.run(text);
    await worker.saw('redis_ready', 4);
    const clients = (await house.redis.client('LIST')).split('\n')
        .filter((line) => line.includes('name=sluiced:watch')).length;
    is(clients, 3, '230 queues are watched over three connections');
    await pause(300);
    const slow = [];
    for (const i of [0, 99, 100, 229]) {
        const began = Date.now();
        const job = await house.queue(`q${i}`).add('x', {});
        await until(async () => await job.getState() === 'completed', `q${i}`);
        if (Date.now() - began > 4500) {
            slow.push(i);
        }
    }
    is(slow, [], 'a job of any of them is seen at once');
    is(await worker.stop(), 0, 'it ends with 0');
}

async function both() {
    /* two of ours and a stock worker on one queue: each job once */
    const queue = house.queue('both');
    const seen = new Map();
    const stock = new bullmq.Worker('both', async (job) => {
        seen.set(job.id, (seen.get(job.id) || 0) + 1);
    }, { connection: house.connection, concurrency: 5 });
    const workers = [house.run('queue "both" { kind = noop concurrency = 5 }'),
        house.run('queue "both" { kind = noop concurrency = 5 }')];
    await Promise.all(workers.map((worker) => worker.ready()));
    for (let i = 0; i < 10; i += 1) {
        await queue.addBulk(Array.from({ length: 200 }, () => ({ name: 'n',
            data: {} })));
    }
    await until(async () => {
        const now = await queue.getJobCounts('wait', 'active');
        return now.wait + now.active === 0;
    }, '2,000 jobs');
    const twice = [...seen.values()].filter((n) => n > 1).length;
    is([twice, await queue.getFailedCount()], [0, 0],
        `three workers on one queue, each job once (stock: ${seen.size})`);
    is(workers.flatMap((worker) => worker.lines('result_refused')).length, 0,
        'no result was refused');
    await stock.close();
    for (const worker of workers) {
        is(await worker.stop(), 0, 'it ends with 0');
    }
}

async function tcp() {
    const port = await freePort();
    const other = new House('tcp');
    await other.startRedis('--port', String(port), '--requirepass', 'hemlig');
    const stock = new bullmq.Queue('t', { prefix: 'bull', connection: {
        port, db: 1, password: 'hemlig' } });
    const start = (url, name) => {
        const file = path.join(dir, `${name}.conf`);
        fs.writeFileSync(file, `redis = "${url}"\nredis_timeout = "500ms"\n`
            + 'log { format = json }\n'
            + 'queue "t" { kind = noop lock = "1s" stalled = "1s" }\n');
        return new Worker(file);
    };

    const wrong = start(`redis://:hemlig2@127.0.0.1:${port}/1`, 'wrong');
    const [away] = await wrong.saw('redis_away');
    ok(/WRONGPASS/.test(away.error), 'a wrong password is told', away);
    is(await wrong.stop(), 0, 'it ends with 0');
    ok(!/hemlig/.test(wrong.child.out), 'and not shown');

    const worker = start(`redis://:hemlig@localhost:${port}/1`, 'tcp');
    await worker.ready();
    const job = await stock.add('x', {});
    await until(async () => await job.getState() === 'completed', 'the job');
    ok(true, 'a host by name, a password, a database');

    /*
     * A server that hangs is given up, and found again.  A take that it reads
     * when it goes on may have the job: until that stalls.
     */
    other.server.kill('SIGSTOP');
    await worker.saw('redis_away');
    ok(worker.lines('redis_away').some((line) => /timed out/.test(line.error)),
        'a server that hangs is given up', worker.lines('redis_away'));
    other.server.kill('SIGCONT');
    const after = await stock.add('y', {});
    await until(async () => await after.getState() === 'completed', 'the job');
    ok(true, 'and used again');
    is(await worker.stop(), 0, 'it ends with 0');
    await stock.close();

    const nobody = start('redis://no-such-host.invalid:1', 'nobody');
    await nobody.saw('redis_away');
    ok(nobody.child.code === undefined,
        'a name that is not found is no reason to leave');
    is(await nobody.stop('SIGINT'), 0, 'it ends with 0');
}

run(async () => {
    await house.startRedis();
    for (const test of [refused, stalls, broken, held, many, both, tcp]) {
        await test();
    }
});
