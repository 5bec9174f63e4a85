#!/usr/bin/env node
'use strict';

/* The messages of a conversation, in order, by two sluiced. */

const { run, ok, is, until, House, Worker, Graph, message } = require('./house');

const TO = ['15550000001', '15550000002', '15550000003', '15550000004'];
const EACH = 15;

const settings = (graph) => `schedule "messages" { retry = "20ms 20ms 20ms" }
number "106540352242922" { rate = 1000 pair_rate = off }
channel "w" { token = t base_url = "${graph.url}" }
queue "messages" { kind = send channel = w concurrency = 2 lock = 1s
    stalled = 300ms max_stalled = 100 }`;

/* what the provider saw of a conversation: the number of each message */
async function seen(graph, to) {
    return (await graph.requests(to)).map((request) =>
        +request.biz_opaque_callback_data.split('-').pop());
}

/* in order, but for what was sent again */
function inOrder(numbers) {
    const first = [...new Set(numbers)];
    return first.every((n, i) => n === i) && first.length === EACH;
}

async function add(queue, part) {
    const jobs = [];
    for (let i = 0; i < EACH; i += 1) {
        for (const to of TO) {
            jobs.push({ name: 'message', data: message(to),
                opts: { groupKey: to, jobId: `${part}-${to}-${i}` } });
        }
    }
    await queue.addBulk(jobs);
}

async function empty(queue) {
    await until(async () => await queue.getJobCountByTypes('waiting', 'active',
        'delayed', 'prioritized') === 0, 'all messages', 60000);
}

run(async () => {
    const house = new House('groups');
    await house.startRedis();
    const graph = await Graph.start();
    const queue = house.queue('messages');
    const lines = () => house.redis.keys('bull::sluice:group:*');

    /* the first message of a conversation fails at first */
    await graph.post('fail', { match: { to: TO[0] }, mode: '500', count: 2 });
    const file = house.write(settings(graph));
    let workers = [new Worker(file), new Worker(file)];
    await Promise.all(workers.map((worker) => worker.ready()));
    graph.child.kill('SIGSTOP');
    await add(queue, 'one');
    await until(async () => await queue.getActiveCount() === TO.length,
        'two jobs in each of them');
    graph.child.kill('SIGCONT');
    await empty(queue);
    const all = [];
    for (const to of TO) {
        all.push(await seen(graph, to));
    }
    ok(all.every(inOrder), 'each conversation in its order', all);
    is(all[0].slice(0, 3), [0, 0, 0], 'what is sent again is not passed');
    is(all.slice(1).map((n) => n.length), [EACH, EACH, EACH],
        'the others are sent once');
    is([await queue.getCompletedCount(), await lines()], [TO.length * EACH, []],
        'all are done, and no line is left');
    ok(workers.every((worker) => worker.lines('sent').length > 0),
        'both of them have sent some');
    for (const worker of workers) {
        is(await worker.stop(), 0, 'it ends with 0');
    }

    /* one conversation stands still: the others go on */
    await graph.post('reset', {});
    await graph.post('fail', { match: { to: TO[0] }, mode: '500', count: -1 });
    const held = new Worker(house.write(settings(graph).replace(
        '20ms 20ms 20ms', '1h'), 'held.conf'));
    await held.ready();
    await add(queue, 'two');
    await until(async () => (await Promise.all(TO.slice(1).map((to) => seen(
        graph, to)))).every((n) => n.length === EACH), 'the others');
    is(await seen(graph, TO[0]), [0], 'the first waits for its next attempt');
    is(await queue.getDelayedCount(), EACH, 'the others of it wait for it');
    is(await held.stop(), 0, 'it ends with 0');
    await queue.obliterate({ force: true });

    /* killed in between: at least once, and still in order */
    await graph.post('reset', {});
    workers = [new Worker(file), new Worker(file)];
    await Promise.all(workers.map((worker) => worker.ready()));
    await add(queue, 'three');
    for (let i = 0; i < 3; i += 1) {
        await workers[i].saw('sent', 2);
        await workers[i].stop('SIGKILL');
        workers.push(new Worker(file));
    }
    await empty(queue);
    for (const to of TO) {
        const numbers = await seen(graph, to);
        ok(inOrder(numbers), `in order, after kills: ${to}`, numbers);
    }
    is(await lines(), [], 'no line is left');
    for (const worker of workers.slice(3)) {
        is(await worker.stop(), 0, 'it ends with 0');
    }
    await graph.stop();
});
