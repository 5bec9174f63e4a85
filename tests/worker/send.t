#!/usr/bin/env node
'use strict';

/* Messages: sent once, retried at a time, paced, or dead with the reason. */

const { execFileSync } = require('child_process');
const path = require('path');
const { run, ok, is, until, House, Graph, dir, message } = require('./house');

const NUMBER = '106540352242922';

function rows(where) {
    const out = execFileSync('sqlite3', ['-json', path.join(dir, 'send.db'),
        `select * from communication_logs where ${where}`],
    { encoding: 'utf8' });
    return out ? JSON.parse(out) : [];
}

run(async () => {
    const house = new House('send');
    const graph = await Graph.start('--token', 'TOKEN');
    await house.startRedis();
    const queue = house.queue('messages');
    const events = house.queueEvents('messages');
    await events.waitUntilReady();

    const settings = (rate = 1000) => `
store = "${path.join(dir, 'send.db')}"
pace = 1
schedule "messages" { retry = "100ms 150ms" }
channel "whatsapp" { base_url = "${graph.url}" token = "TOKEN" timeout = "1s" }
number "${NUMBER}" { rate = ${rate} }
number "5" { token = "WRONG" }
queue "messages" { channel = "whatsapp" prefix = "bull" }
`;
    const worker = house.run(settings());
    await worker.ready();

    const done = (job) => job.waitUntilFinished(events, 15000)
        .then((value) => ({ value }), (e) => ({ reason: e.message }));

    /* sent */
    const first = await queue.add('message', message('15550000001'));
    const { value } = await done(first);
    const [request] = await graph.requests('15550000001');
    is([value.provider_id, value.id], [request.wamid,
        `bull:messages:${first.id}`], 'sent: the result names both ids');
    is(request.biz_opaque_callback_data, value.id,
        'our id comes back with each status');
    let [row] = await until(() => {
        const found = rows("recipient = '15550000001'");
        return found.length && found;
    }, 'the record');
    is([row.status, row.provider_id, row.attempts, row.channel, row.sender],
        ['sent', request.wamid, 1, 'whatsapp', NUMBER],
        'sent: the row of communication_logs');

    /* the same message a second time */
    const own = { jobId: 'm-once' };
    const once = await queue.add('message', message('15550000002'), own);
    const before = (await done(once)).value;
    await once.remove();
    const twice = await queue.add('message', message('15550000002'), own);
    is((await done(twice)).value, before,
        'a second job with the id is answered from the claim');
    is((await graph.requests('15550000002')).length, 1,
        'and nothing is sent for it');

    /* an id that Redis counts is only that of its job */
    const counted = await queue.add('message', message('15550000003'));
    await done(counted);
    await counted.remove();
    await house.redis.set('bull:messages:id', +counted.id - 1);
    const recounted = await queue.add('message', message('15550000004'));
    is(recounted.id, counted.id, 'an id is given again by an emptied queue');
    await done(recounted);
    is((await graph.requests('15550000004')).length, 1,
        'its message is sent, not answered from the other claim');

    /* retried, then sent */
    await graph.post('fail', { match: { to: '15550000005' }, mode: '429',
        count: 1 });
    const retried = await queue.add('message', message('15550000005'));
    ok((await done(retried)).value, 'retried after a 429');
    is((await graph.requests('15550000005')).length, 2, 'with two requests');
    const log = worker.lines('retry').find((line) => line.job === retried.id)
        || worker.lines('delay').find((line) => line.job === retried.id);
    ok(log, 'the log tells', worker.lines());

    /* dead, by the schedule */
    await graph.post('fail', { match: { to: '15550000006' }, mode: '500',
        count: -1 });
    const dead = await queue.add('message', message('15550000006'));
    const began = Date.now();
    const { reason } = await done(dead);
    ok(/./.test(reason) && Date.now() - began >= 250,
        'dead after the delays of the schedule', reason);
    is((await graph.requests('15550000006')).length, 3, 'three attempts');
    const failed = await queue.getJob(dead.id);
    is([await dead.getState(), failed.attemptsMade, failed.stacktrace.length],
        ['failed', 3, 3], 'in the failed set, with its attempts');
    [row] = await until(() => {
        const found = rows("recipient = '15550000006' and status = 'failed'");
        return found.length && found;
    }, 'the record of a failure');
    is([row.attempts, row.error], [3, reason], 'and in communication_logs');

    /* requeued */
    await graph.post('reset', {});
    await failed.retry('failed');
    await until(async () => await dead.getState() === 'completed',
        'a requeued message');
    [row] = await until(() => {
        const found = rows("recipient = '15550000006' and status = 'sent'");
        return found.length && found;
    }, 'the record of the requeued');
    ok(row.provider_id, 'a dead message that is requeued is sent');

    /* the job's own attempts and backoff win */
    await graph.post('fail', { match: { to: '15550000007' }, mode: '500',
        count: -1 });
    const owned = await queue.add('message', message('15550000007'),
        { attempts: 2, backoff: { type: 'fixed', delay: 20 } });
    await done(owned);
    is((await graph.requests('15550000007')).length, 2,
        "the job's own attempts win");
    const single = await queue.add('message', message('15550000007'),
        { attempts: 1 });
    await done(single);
    is((await graph.requests('15550000007')).length, 3, 'one attempt is one');

    /* a timeout: it may have been sent, so it is sent again */
    await graph.post('fail', { match: { to: '15550000008' },
        mode: 'timeout_after', count: 1 });
    const slow = await queue.add('message', message('15550000008'));
    ok((await done(slow)).value, 'after a timeout it is sent again');
    is(worker.lines('retry').filter((line) => line.job === slow.id
        && line.ambiguous === 1).length, 1, 'and the log says ambiguous');

    /* the connection is cut after the request */
    await graph.post('fail', { match: { to: '15550000009' },
        mode: 'reset_after', count: 1 });
    const cut = await queue.add('message', message('15550000009'));
    ok((await done(cut)).value, 'after a cut connection too');

    /* dead at once */
    const poison = [
        ['no object', 'text', /object|JSON|member/],
        ['no recipient', message(undefined), /to|recipient/],
        ['no sender', { messaging_product: 'whatsapp', to: '1', type: 'text',
            text: { body: 'x' } }, /phone_number_id/],
        ['a type that is unknown', message('1', { type: 'smell' }), /type/],
        ['an empty object', {}, /./],
    ];
    for (const [name, data, pattern] of poison) {
        const job = await queue.add('message', data);
        const answer = await done(job);
        ok(pattern.test(answer.reason || ''), `poison: ${name}`, answer);
    }
    await house.redis.hset('bull:messages:raw', 'name', 'n', 'data', '{"a":',
        'opts', '{}', 'timestamp', '1', 'delay', '0', 'priority', '0');
    await house.redis.lpush('bull:messages:wait', 'raw', 'ghost');
    await house.redis.zadd('bull:messages:marker', 0, '0');
    await until(async () => await house.redis.zscore('bull:messages:failed',
        'raw') && await queue.getWaitingCount() === 0
        && await queue.getActiveCount() === 0, 'the poison to go');
    ok(true, 'poison: broken JSON, and an id without a job');
    const defa = await queue.add('message', message('15550000010'),
        { delay: 400 });
    await house.redis.hset(`bull:messages:${defa.id}`, 'defa', 'child failed');
    is((await done(defa)).reason, 'child failed',
        'a deferred failure is final');
    is((await graph.requests('15550000010')).length, 0, 'and nothing is sent');

    /* a token that is refused pauses, and is told loudly */
    const refused = await queue.add('message',
        message('15550000011', { phone_number_id: '5' }));
    await until(() => worker.lines('alert_queue_paused').length
        || worker.lines('alert_number_paused').length
        || worker.lines('dead').some((line) => line.job === refused.id),
    'what becomes of a refused token');
    ok(true, 'a refused token is an alert or a death, not a loop');
    ok(!/TOKEN|WRONG/.test(worker.child.out), 'no secret is in the log');
    ok(!/hello/.test(worker.child.out), 'and no body');
    is(await worker.stop(), 0, 'it ends with 0');

    /* paced: 40 messages at 40 a second */
    await queue.obliterate({ force: true });
    await graph.post('reset', {});
    const paced = house.run(settings(40));
    await paced.ready();
    const jobs = await queue.addBulk(Array.from({ length: 40 }, () => ({
        name: 'message', data: message('15550000012') })));
    await Promise.all(jobs.map(done));
    const sent = (await graph.requests('15550000012'))
        .map((one) => one.arrived).sort();
    const took = sent[sent.length - 1] - sent[0];
    ok(sent.length === 40 && took >= 700,
        'a number is held to its rate', `${sent.length} in ${took} ms`);
    let most = 0;
    for (const from of sent) {
        most = Math.max(most, sent.filter((at) => at >= from
            && at < from + 250).length);
    }
    ok(most <= 18, 'evenly', `${most} within 250 ms`);
    const [one] = await Promise.all(jobs.slice(-1).map((job) =>
        queue.getJob(job.id)));
    is(one.attemptsMade, 1, 'and a throttle uses no attempt');
    is(await paced.stop(), 0, 'it ends with 0');
    await graph.stop();
});
