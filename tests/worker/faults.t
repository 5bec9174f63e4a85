#!/usr/bin/env node
'use strict';

/*
 * The worker is killed, its lease is lost, Redis goes away, it has to leave in
 * the middle: no message is lost, and none is sent twice without need.
 */

const { run, ok, is, until, House, Graph, twice, message } = require('./house');

const house = new House('faults');
let graph;
let queue;

const settings = (more = '', top = '') => `
pace = 1
claim_ttl = "1h"
connections = 200
${top}
channel "whatsapp" { base_url = "${graph.url}" token = "T" timeout = "10s" }
number "106540352242922" { rate = 100000 }
queue "messages" { channel = "whatsapp" prefix = "bull" ${more} }
`;

const to = (i) => `1555${String(i).padStart(7, '0')}`;

async function add(n, first = 0) {
    await queue.addBulk(Array.from({ length: n }, (_, i) => ({
        name: 'message', data: message(to(first + i)) })));
}

async function finished(n) {
    await until(async () => {
        const now = await queue.getJobCounts('completed', 'failed');
        return now.completed + now.failed >= n;
    }, `${n} messages`, 60000);
}

async function clean() {
    await queue.obliterate({ force: true });
    await house.redis.flushall();
    await graph.post('reset', {});
}

async function killed() {
    const short = 'lock = "1s" stalled = "500ms"';
    let worker = house.run(settings(short));
    await worker.ready();
    await add(1000);
    await until(async () => (await graph.get('requests?limit=1')).total >= 300,
        '300 requests');
    await worker.stop('SIGKILL');

    /*
     * Open: without an answer, or answered so shortly before that the worker
     * may not have read it, or Redis not its result.
     */
    const open = await graph.get('open?within=300');
    const known = new Set(open.requests.map((one) => one.to));

    worker = house.run(settings(short));
    await finished(1000);
    const count = await graph.seen();
    is(count.size, 1000, 'kill -9 in the middle of 1,000: none is lost');
    const doubled = twice(count);
    is(doubled.filter((who) => !known.has(who)), [],
        `sent twice: only what was open at the kill (${doubled.length} of ${
            known.size})`);
    ok(worker.lines('stalled').length > 0, 'what it had was recovered');
    is(worker.lines('result_refused').length, 0, 'no result was refused');
    is(await worker.stop(), 0, 'it ends with 0');
    await clean();
}

/* a provider that hangs has all connections: who waits for one fails nothing */
async function crowded() {
    const worker = house.run(`
pace = 1
connections = 1
schedule "s" { retry = "50ms 50ms" }
channel "whatsapp" { base_url = "${graph.url}" token = "T" timeout = "400ms" }
queue "messages" { channel = "whatsapp" prefix = "bull" schedule = "s" }
`);
    await worker.ready();
    is(worker.lines('connections_few').length, 1,
        'fewer connections than messages at once: the log warns');
    await graph.post('fail', { match: { to: to(0) }, mode: 'timeout',
        count: -1 });
    await add(1);
    await until(async () => (await graph.seen()).size === 1, 'the one that hangs');
    await add(2, 1);
    await finished(3);
    is([await queue.getCompletedCount(), await queue.getFailedCount()], [2, 1],
        'those behind one that hangs are sent');
    const hung = worker.lines('dead').map((line) => line.job);
    is(worker.lines('retry').filter((line) => line.job !== hung[0]), [],
        'and it costs them no attempt');
    is(await worker.stop(), 0, 'it ends with 0');
    await clean();
}

/* connections are in groups of 100: their number is that of the settings */
async function many() {
    const with_ = (connections) => settings('concurrency = 600')
        .replace('connections = 200', `connections = ${connections}`);
    const total = async () => (await graph.get('requests?limit=1')).total;
    const worker = house.run(with_(250));
    await worker.ready();
    await graph.post('fail', { match: {}, mode: 'timeout', count: -1 });
    await add(600);
    await until(async () => await queue.getActiveCount() === 600
        && await total() >= 250, 'all to be taken, and 250 requests');
    is(await total(), 250, 'as many requests at once as there are connections');
    house.write(with_(310));
    worker.signal('SIGHUP');
    await until(async () => await total() >= 310, '310 requests');
    house.write(with_(20));
    worker.signal('SIGHUP');
    await worker.saw('reloaded', 2);
    is(await total(), 310, 'HUP with more, then with fewer');
    await worker.stop('SIGKILL');
    await clean();
}

async function lost() {
    const worker = house.run(settings('lock = "400ms" stalled = "300ms"'));
    await worker.ready();
    await graph.post('fail', { match: { to: to(1) }, mode: 'slow', ms: 1500,
        count: 1 });
    await add(1, 1);
    const [job] = await until(async () => {
        const active = await queue.getActive();
        return active.length && active;
    }, 'the job to be taken');
    await until(async () => (await graph.seen()).size === 1, 'the request');
    await house.redis.set(`bull:messages:${job.id}:lock`, 'another');
    await worker.saw('lease_lost');
    ok(true, 'a lost lease is told');
    await worker.saw('result_refused');
    ok((await queue.getActiveCount()) + (await queue.getWaitingCount()) > 0,
        'and its result does not finish the job');
    await house.redis.del(`bull:messages:${job.id}:lock`);
    await finished(1);
    is([...await graph.seen()], [[to(1), 1]],
        'the next attempt is answered from the claim: nothing is sent twice');
    is(worker.lines('sent_before').length, 1, 'and the log says so');
    is(await worker.stop(), 0, 'it ends with 0');
    await clean();
}

async function held() {
    /* longer than the lease, which is kept up meanwhile */
    const worker = house.run(settings('lock = "400ms" stalled = "200ms"'));
    await worker.ready();
    await graph.post('fail', { match: { to: to(2) }, mode: 'slow', ms: 2000,
        count: 1 });
    await add(1, 2);
    await finished(1);
    is([[...await graph.seen()], worker.lines('stalled').length],
        [[[to(2), 1]], 0],
        'a lease is kept as long as the send takes');
    is(await worker.stop(), 0, 'it ends with 0');
    await clean();
}

/* other settings while a message is under way */
async function reloaded() {
    const worker = house.run(settings('lock = "60s" stalled = "300ms"'));
    await worker.ready();
    house.write(settings('lock = "500ms" stalled = "300ms"'));
    worker.signal('SIGHUP');
    await worker.saw('reloaded');
    await graph.post('fail', { match: { to: to(3) }, mode: 'slow', ms: 2000,
        count: 1 });
    await add(1, 3);
    await finished(1);
    is([[...await graph.seen()], worker.lines('stalled').length,
        worker.lines('result_refused').length], [[[to(3), 1]], 0, 0],
    'HUP with a shorter lock: the lease is kept');

    /* a queue that pauses for its token goes on with a better one */
    await graph.post('fail', { match: { to: to(4) }, mode: 'code:190',
        count: 1 });
    await add(1, 4);
    await worker.saw('alert_queue_paused');
    await queue.promoteJobs();
    await new Promise((done) => { setTimeout(done, 300); });
    is((await graph.seen()).get(to(4)), 1, 'a refused token pauses the queue');
    worker.signal('SIGHUP');
    await worker.saw('reloaded', 2);
    await queue.promoteJobs();
    await finished(2);
    is((await graph.seen()).get(to(4)), 2, 'HUP ends the pause');
    is(await worker.stop(), 0, 'it ends with 0');
    await clean();
}

async function redisAway() {
    const worker = house.run(settings('lock = "4s" stalled = "2s"',
        'redis_timeout = "1s"'));
    await worker.ready();
    await graph.post('fail', { match: { nth: 20 }, mode: 'slow', ms: 800,
        count: 30 });
    await add(500);
    await until(async () => (await graph.get('requests?limit=1')).total >= 60,
        '60 requests');
    await house.stopRedis('SIGTERM');
    await worker.saw('redis_away', 2);
    await until(async () => (await graph.get('open')).requests.length === 0,
        'what is in flight to be answered');
    const total = async () => (await graph.get('requests?limit=1')).total;
    const sent = await total();
    await house.startRedis();
    await finished(500);
    const count = await graph.seen();
    is([count.size, twice(count)], [500, []],
        `Redis restarts with ${sent} sent: none lost, none sent twice`);
    is(worker.lines('result_refused').length, 0, 'every result was accepted');
    is(await worker.stop(), 0, 'it ends with 0');
    await clean();
}

async function leaves() {
    /* TERM: what is here is finished, the rest stays */
    let worker = house.run(settings('concurrency = 10'));
    await worker.ready();
    await graph.post('fail', { match: { nth: 1 }, mode: 'slow', ms: 700,
        count: 10 });
    await add(30);
    await until(async () => (await graph.seen()).size === 10, '10 requests');
    is(await worker.stop('SIGTERM'), 0, 'TERM: it ends with 0');
    is(await queue.getJobCounts('wait', 'active', 'completed'),
        { wait: 20, active: 0, completed: 10 },
        'TERM: what was sent is finished, the rest waits');
    await clean();

    /* TERM with a deadline that is too short: given back */
    worker = house.run(settings('concurrency = 10', 'drain = "200ms"'));
    await worker.ready();
    await graph.post('fail', { match: { nth: 1 }, mode: 'slow', ms: 5000,
        count: 10 });
    await add(12);
    await until(async () => (await graph.seen()).size === 10, '10 requests');
    is(await worker.stop('SIGTERM'), 0, 'TERM, past its deadline');
    is(await queue.getJobCounts('wait', 'active'), { wait: 12, active: 0 },
        'the rest is given back');
    is((await queue.getWaiting()).map((job) => job.attemptsMade).join(''),
        '0'.repeat(12), 'no attempt is used');
    is(worker.lines('given_back_open').length, 10,
        'and the log names what may have been sent');

    /* INT: at once */
    await graph.post('reset', {});
    await graph.post('fail', { match: { nth: 1 }, mode: 'slow', ms: 5000,
        count: 10 });
    worker = house.run(settings('concurrency = 10'));
    await until(async () => (await graph.seen()).size === 10, '10 requests');
    const began = Date.now();
    is(await worker.stop('SIGINT'), 0, 'INT: it ends with 0');
    ok(Date.now() - began < 4500, 'at once');
    is(await queue.getJobCounts('wait', 'active'), { wait: 12, active: 0 },
        'INT: all is given back');
    const order = (await queue.getWaiting()).map((job) => +job.id)
        .sort((a, b) => a - b);
    is(order.length, 12, 'each once');

    /* more than one call gives back: the line is as it was */
    await clean();
    await graph.post('fail', { match: { nth: 1 }, mode: 'slow', ms: 5000,
        count: 200 });
    await add(150);
    worker = house.run(settings('concurrency = 150'));
    await until(async () => (await graph.seen()).size === 150, '150 requests');
    is(await worker.stop('SIGINT'), 0, 'INT with 150 under way');
    is((await house.redis.lrange('bull:messages:wait', 0, -1)).map(Number),
        Array.from({ length: 150 }, (_, i) => 150 - i),
        'they are in their old order');
    await clean();
    await add(12);

    /* two TERMs are as one INT */
    await graph.post('reset', {});
    await graph.post('fail', { match: { nth: 1 }, mode: 'slow', ms: 5000,
        count: 10 });
    worker = house.run(settings('concurrency = 10'));
    await until(async () => (await graph.seen()).size === 10, '10 requests');
    worker.signal('SIGTERM');
    await worker.saw('drain');
    is(await worker.stop('SIGTERM'), 0, 'a second TERM hurries');
    is(await queue.getActiveCount(), 0, 'and gives all back');
    await clean();

    /* no Redis to give back to */
    worker = house.run(settings('concurrency = 5', 'redis_timeout = "500ms"'));
    await worker.ready();
    await graph.post('fail', { match: { nth: 1 }, mode: 'slow', ms: 5000,
        count: 10 });
    await add(5);
    await until(async () => (await graph.seen()).size === 5, '5 requests');
    await house.stopRedis('SIGTERM');
    await worker.saw('redis_away');
    is(await worker.stop('SIGINT'), 0, 'INT without a Redis: it ends');
    is(worker.lines('left_behind').length, 1, 'and says what is left behind');
    await house.startRedis();
}

run(async () => {
    await house.startRedis();
    graph = await Graph.start('--delay', '20');
    queue = house.queue('messages');
    for (const test of [killed, crowded, many, lost, held, reloaded,
        redisAway, leaves]) {
        await test();
    }
    await graph.stop();
});
