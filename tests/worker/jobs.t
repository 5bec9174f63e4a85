#!/usr/bin/env node
'use strict';

/* Queues of stock clients, worked by sluiced; what signals do to it. */

const fs = require('fs');
const net = require('net');
const path = require('path');
const { run, ok, is, until, House, Worker, dir } = require('./house');

const NOOP = 'queue "n" { kind = noop prefix = "bull" ';

async function counts(queue) {
    return queue.getJobCounts('wait', 'active', 'completed', 'failed',
        'delayed', 'prioritized');
}

async function completes(house) {
    const queue = house.queue('n');
    const events = house.queueEvents('n');
    await events.waitUntilReady();
    const worker = house.run(`${NOOP} keep_completed = 100 }`);
    await worker.ready();

    const job = await queue.add('one', { a: 1 });
    is(await job.waitUntilFinished(events, 10000), null,
        'a stock job is completed, and a stock reader hears of it');

    const many = [];
    for (let i = 0; i < 2000; i += 1) {
        many.push({ name: 'n', data: { i }, opts: i % 3 ? {}
            : { priority: 1 + i % 5, removeOnComplete: i % 2 ? true : 10 } });
    }
    const added = await queue.addBulk(many);
    await until(async () => {
        const now = await counts(queue);
        return now.wait + now.active + now.prioritized === 0;
    }, '2,000 jobs');
    const now = await counts(queue);
    is([now.failed, now.completed <= 100], [0, true],
        'two thousand are, and as many kept as the settings say');
    is(await added[3].getState(), 'unknown',
        "a job's own removeOnComplete holds");

    const began = Date.now();
    const later = await queue.add('later', {}, { delay: 300 });
    await later.waitUntilFinished(events, 10000);
    const took = Date.now() - began;
    ok(took >= 299 && took < 4500, 'a delayed job is done in time', `${took}`);

    const workers = await queue.getWorkers();
    is(workers.length, 1, 'stock clients list the worker');
    is(worker.lines('bullmq_version').length, 0, 'the majors agree');

    /* idle: nothing but a look now and then */
    const before = worker.cpu();
    const calls = async () => +/cmdstat_evalsha:calls=(\d+)/
        .exec(await house.redis.info('commandstats'))[1];
    const first = await calls();
    await new Promise((done) => { setTimeout(done, 1000); });
    ok((await calls()) - first <= 3 && worker.cpu() - before <= 5,
        'an idle queue costs nothing', `${await calls() - first}`);

    is(await worker.stop(), 0, 'it ends with 0');
    is(worker.lines('result_refused').length, 0, 'every result was accepted');

    const five = house.run(`${NOOP} bullmq = 5 }`);
    const [warned] = await five.saw('bullmq_version');
    ok(/^bullmq:6\./.test(warned.found), 'another major is warned about');
    await five.stop();
}

async function signals(house) {
    const queue = house.queue('n');
    const log = path.join(dir, 'signals.log');
    const file = path.join(dir, 'signals.conf');
    const write = (text) => fs.writeFileSync(file, text);
    const lines = (event) => fs.readFileSync(log, 'utf8').split('\n')
        .filter((line) => line.includes(`"event":"${event}"`));
    const settings = `redis = "unix:${house.socket}"\n`
        + `log { file = "${log}" format = json }\n`;

    fs.writeFileSync(log, '');
    write(`${settings}${NOOP} }\n`);
    const worker = new Worker(file);
    await until(() => lines('redis_ready').length >= 2, 'the start');

    worker.signal('SIGTSTP');
    await until(() => lines('paused').length, 'TSTP');
    await queue.add('held', {});
    await new Promise((done) => { setTimeout(done, 300); });
    is((await counts(queue)).wait, 1, 'TSTP: no job is taken');
    worker.signal('SIGCONT');
    await until(async () => (await counts(queue)).wait === 0, 'CONT');
    ok(true, 'CONT: jobs are taken again');

    fs.renameSync(log, `${log}.1`);
    worker.signal('SIGUSR1');
    await until(() => fs.existsSync(log) && lines('log_reopened').length,
        'USR1');
    ok(true, 'USR1: the log is opened anew');

    write(`${settings}pase = 1\n${NOOP} }\n`);
    worker.signal('SIGHUP');
    await until(() => lines('reload_refused').length, 'HUP');
    ok(lines('settings').some((line) => line.includes(
        "signals.conf:3: no such option 'pase'")),
    'HUP: a bad file is refused, and the log says why');

    write(settings.replace(house.socket, '/elsewhere') + `${NOOP} }\n`);
    worker.signal('SIGHUP');
    await until(() => lines('reload_refused').length === 2, 'HUP');
    ok(lines('reload_refused')[1].includes('redis cannot be changed'),
        'HUP: another Redis needs a restart, and the log says so');
    const first = await queue.add('still', {});
    await until(async () => await first.getState() === 'completed', 'a job');
    ok(true, 'HUP: the old settings go on');

    write(`${settings}queue "m" { kind = noop }\n`);
    worker.signal('SIGHUP');
    await until(() => lines('reloaded').length, 'HUP');
    const other = await house.queue('m').add('x', {});
    await until(async () => await other.getState() === 'completed', 'm');
    await queue.add('unworked', {});
    await new Promise((done) => { setTimeout(done, 300); });
    is((await counts(queue)).wait, 1,
        'HUP: a new queue is worked, one that is gone is left');
    await queue.drain();

    is(await worker.stop('SIGINT'), 0, 'INT: it ends with 0');
}

async function starts(house) {
    const worker = house.run(`redis_timeout = "1s"\n${NOOP} }`);
    await worker.saw('redis_away');
    ok(worker.child.code === undefined,
        'an unreachable Redis is no reason to leave');
    await house.startRedis();
    await worker.ready();
    const job = await house.queue('n').add('x', {});
    await until(async () => await job.getState() === 'completed', 'the job');
    ok(true, 'it works once Redis is there');
    is(await worker.stop(), 0, 'and ends with 0');

    /* a marker that is none does not end the wait for the others */
    await house.redis.set('bull:bad:marker', 'x');
    const both = house.run(`${NOOP} }\nqueue "bad" { kind = noop }`);
    const [failed] = await both.saw('watch_failed');
    is(failed.key, 'bull:bad:marker', 'a bad marker is named');
    await until(async () => / flags=b\S* .* cmd=bzpopmin/.test(
        await house.redis.client('LIST')), 'the wait');
    ok(true, 'and the others are waited for');
    await house.redis.del('bull:bad:marker');
    await house.queue('bad').add('x', {});
    await until(async () => await house.queue('bad').getCompletedCount() === 1,
        'its job');
    ok(true, 'it is a queue again when the key is gone');
    is(await both.stop(), 0, 'it ends with 0');

    /* a server that calls itself old */
    let asked = 0;
    const server = net.createServer((socket) => {
        socket.on('error', () => {});
        socket.on('data', (data) => {
            const n = (data.toString().match(/\*\d+\r\n/g) || []).length;
            const info = '# Server\r\nredis_version:5.0.14\r\n';
            asked += 1;
            for (let i = 0; i < n; i += 1) {
                socket.write(data.includes('INFO')
                    ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n');
            }
        });
    });
    const where = path.join(dir, 'old.sock');
    await new Promise((done) => { server.listen(where, done); });
    const file = path.join(dir, 'old.conf');
    fs.writeFileSync(file, `redis = "unix:${where}"\n`
        + `log { format = json }\n${NOOP} }\n`);
    const old = new Worker(file);
    const [away] = await old.saw('redis_away');
    ok(/5\.0\.14/.test(away.error) && /6\.2/.test(away.error),
        'an unsupported Redis is named', away.error);
    await until(() => asked >= 4, 'another try');
    ok(old.child.code === undefined, 'and tried again');
    is(await old.stop(), 0, 'and it ends with 0');
    server.close();
}

run(async () => {
    const house = new House('jobs');
    await starts(house);
    await completes(house);
    await signals(house);
});
