#!/usr/bin/env node
'use strict';

/* The limits of queue { }: the floor of the lowest class, rates, the quota. */

const net = require('net');
const { run, ok, is, until, House } = require('./house');

/* `n` jobs of a priority */
const jobs = (n, priority) => Array.from({ length: n }, () => ({
    name: priority ? 'low' : 'high', data: {},
    opts: priority ? { priority } : {} }));

/* the names of the jobs of a queue in the order in which they were started */
async function started(house, base) {
    const names = new Map();
    const order = [];
    for (const [, f] of await house.redis.xrange(`${base}events`, '-', '+')) {
        if (f[1] === 'added') {
            names.set(f[3], f[5]);
        } else if (f[1] === 'active') {
            order.push(names.get(f[3]));
        }
    }
    return order;
}

async function worked(house, queue, settings, left = 0) {
    const worker = house.run(settings);
    await until(async () => await queue.getWaitingCount()
        + await queue.getPrioritizedCount() + await queue.getActiveCount()
        <= left, 'the jobs');
    return worker;
}

const lows = (order) => order.filter((name) => name === 'low').length;

/* a process that can do no more leaves markers to others */
async function full(house) {
    const sockets = [];
    const silent = net.createServer((socket) => {
        socket.on('error', () => {});
        sockets.push(socket);
    });
    await new Promise((done) => { silent.listen(0, '127.0.0.1', done); });
    const { port } = silent.address();
    const of = (limit) => `${limit}
channel "c" { kind = cloud_api base_url = "http://127.0.0.1:${port}"
    token = "TOKEN" }
queue "hang" { tenants = {"acme"} channel = "c" }
queue "b" { tenants = {"acme"} kind = noop }`;
    const [hang, b] = ['hang', 'b'].map((name) => house.queue(name,
        { prefix: '{acme}' }));
    for (const [name, limit] of [['process', 'concurrency = 1'],
        ['tenant', 'tenant "acme" { concurrency = 1 }']])
    {
        const before = sockets.length;
        const worker = house.run(of(limit));
        const waits = () => until(async () => (await house.redis.client('LIST'))
            .includes('cmd=bzpopmin'), 'the wait');
        await waits();
        await hang.add('m', { phone_number_id: '1', messaging_product:
            'whatsapp', to: '49151', type: 'text', text: { body: 'x' } });
        await until(() => sockets.length > before, 'a message that hangs');
        await waits();
        await b.add('x', {});
        await until(async () => await house.redis.exists('{acme}:b:marker'),
            'the marker');
        ok(true, `a full ${name} puts the marker back`);
        const other = house.run(
            'queue "b" { tenants = {"acme"} kind = noop }');
        await until(async () => await b.getCompletedCount() > 0, 'another one');
        ok(true, 'for another one');
        await other.stop();
        await worker.stop('SIGINT');
        await hang.obliterate({ force: true });
        await b.obliterate({ force: true });
    }
    sockets.forEach((socket) => socket.destroy());
    silent.close();
}

async function floors(house) {
    const of = (order, n) => lows(order.slice(0, n));
    for (const [name, text, n, least, most] of [
        ['one at a time', 'concurrency = 1', 400, 19, 21],
        ['many at once', 'concurrency = 50', 400, 16, 22],
        ['a part of it', 'concurrency = 7 floor = "20%"', 400, 78, 82],
        ['none', 'concurrency = 50 floor = "0%"', 500, 0, 0],
        ['held back by a rate', 'concurrency = 50 rate = "1000r/s"', 400, 16,
            22],
    ]) {
        const queue = house.queue('f');
        await queue.addBulk([...jobs(500), ...jobs(200, 100)]);
        const worker = await worked(house, queue,
            `queue "f" { kind = noop prefix = "bull" ${text} }`);
        const order = await started(house, 'bull:f:');
        const low = of(order, n);
        ok(low >= least && low <= most, `floor: ${name}`, `${low} of ${n}`);
        is(order.length, 700, 'each is started once');
        is(await worker.stop(), 0, 'it ends with 0');
        await queue.obliterate({ force: true });
        await house.redis.del('bull::sluice:rate');
    }
}

async function rates(house) {
    const queue = house.queue('r');
    await queue.addBulk(jobs(60));
    const worker = await worked(house, queue,
        'queue "r" { kind = noop prefix = "bull" rate = "50r/s" burst = 9 }');
    const times = (await queue.getCompleted()).map((job) => job.processedOn)
        .sort((a, b) => a - b);
    is(times.length, 60, 'all are done');
    const over = times.filter((from) => times.filter((at) => at >= from
        && at - from < 400).length > 10 + 400 / 20 + 1);
    is(over.length, 0, 'never more in 400 ms than the rate and its burst');
    is(await worker.stop(), 0, 'it ends with 0');
    await queue.obliterate({ force: true });
}

async function quotas(house) {
    const one = house.queue('q', { prefix: '{a}' });
    const two = house.queue('r', { prefix: '{a}' });
    const free = house.queue('r', { prefix: '{b}' });
    await one.addBulk(jobs(20));
    await two.addBulk(jobs(20));
    await free.addBulk(jobs(20));
    const worker = house.run(`
queue "q" { kind = noop tenants = {"a"} quota = 30 }
queue "r" { kind = noop tenants = {"a", "b"} quota = 30 }
`);
    await until(async () => await one.getCompletedCount()
        + await two.getCompletedCount() === 30
        && await free.getCompletedCount() === 20, 'the quota');
    const more = await free.add('one', {});
    await until(async () => await more.getState() === 'completed', 'another');
    is([await one.getWaitingCount() + await two.getWaitingCount(),
        await one.getDelayedCount(), await one.getFailedCount()], [10, 0, 0],
    'a quota is of a tenant; the rest waits in its line');
    is(await worker.stop(), 0, 'it ends with 0');
}

async function classes(house) {
    const queue = house.queue('c');
    await queue.addBulk(jobs(5, 100));
    const worker = house.run('queue "c" { kind = noop prefix = "bull"'
        + ' rate_low = "1r/d" }');
    await until(async () => await queue.getCompletedCount() === 1, 'one low');
    for (let i = 0; i < 3; i += 1) {
        await queue.addBulk(jobs(20));
        await until(async () => await queue.getCompletedCount()
            === 1 + 20 * (i + 1), 'those of class high', 3000);
    }
    is([await queue.getPrioritizedCount(), lows(await started(house,
        'bull:c:'))], [4, 1], 'a class that is held back does not hold up others');
    is(await worker.stop(), 0, 'it ends with 0');
}

run(async () => {
    const house = new House('limits');
    await house.startRedis();
    await floors(house);
    await rates(house);
    await quotas(house);
    await classes(house);
    await full(house);
});
