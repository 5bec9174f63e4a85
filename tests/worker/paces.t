#!/usr/bin/env node
'use strict';

/* Paces of numbers and of pairs, from the settings to the provider. */

const { run, ok, is, until, House, Graph, message } = require('./house');

run(async () => {
    const house = new House('paces');
    const graph = await Graph.start('--token', 'TOKEN');
    await house.startRedis();
    const queue = house.queue('messages');
    const hash = (job, ...fields) => house.redis.hmget(
        `bull:messages:${job.id}`, ...fields);
    const states = () => queue.getJobCounts('wait', 'active', 'delayed',
        'completed', 'failed');
    const worker = house.run(`
pace = 1
channel "whatsapp" { base_url = "${graph.url}" token = "TOKEN" }
number "1" { rate = 0.001 }
number "2" { pair_rate = off }
number "3" { pair_rate = "10r/s" }
queue "messages" { channel = "whatsapp" prefix = "bull" }
`);
    await worker.ready();

    /* a number that is held back: its jobs say so, and are put off by take */
    const add = (from, to, n) => queue.addBulk(Array.from({ length: n },
        (_, i) => ({ name: 'message', data: message(`${to}${i}`,
            { phone_number_id: from }) })));
    const slow = await add('1', '155501', 8);
    await until(async () => (await states()).delayed === 7
        && (await states()).completed === 1, 'a number that is held back');
    const later = [];
    for (const job of slow) {
        const [sndr, finished] = await hash(job, 'sndr', 'finishedOn');
        if (!finished) {
            later.push(job);
            is(sndr, '1', 'who waits says for whom');
        }
    }
    const about = (job) => hash(job, 'ats', 'atm', 'rcpt');
    is(await about(later[0]), ['1', null, '1555011'],
        'it was taken once, and no attempt is used');
    const places = async () => (await house.redis.zrange(
        'bull:messages:delayed', 0, -1)).map((id) => id);
    const before = await places();
    for (const job of later) {
        await (await queue.getJob(job.id)).promote();
    }
    await until(async () => (await states()).delayed === 7
        && (await states()).wait === 0, 'them to be put off again');
    is(await places(), before, 'promoted by a stock client they keep their places');
    is(await about(later[0]), ['1', null, '1555011'], 'and are not taken');

    const fast = await add('2', '155502', 50);
    await until(async () => (await states()).completed === 51,
        'another number');
    ok(fast.length, 'another number is not held up');

    /* a pair */
    const same = await queue.addBulk(Array.from({ length: 60 }, () => ({
        name: 'message', data: message('+1 (555) 03-0',
            { phone_number_id: '3' }) })));
    await queue.add('message', message('15550399', { phone_number_id: '3' }));
    await until(async () => (await states()).completed === 112, 'a pair');
    const sent = (await graph.requests()).filter((one) => /555.*03-0/
        .test(one.to)).map((one) => one.arrived).sort((a, b) => a - b);
    is(sent.length, 60, 'each is sent once');
    ok(sent[59] - sent[0] >= 1300, 'no more than may be borrowed at once',
        sent[59] - sent[0]);
    const [other] = await graph.requests('15550399');
    ok(other.arrived < sent[59], 'another recipient is not held up');
    is(await hash(same[59], 'atm', 'rcpt'), ['1', '1555030'],
        'no attempt is used by a wait');
    is([(await states()).failed, await worker.stop()], [0, 0],
        'it ends with 0');
    await graph.stop();
});
