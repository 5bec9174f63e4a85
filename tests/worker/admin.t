#!/usr/bin/env node
'use strict';

/* The REST API of sluiced, beside stock clients, and docs/openapi.json. */

const fs = require('fs');
const http = require('http');
const path = require('path');
const { run, ok, is, until, House, dir, root } = require('./house');
const rest = require('./rest');

const KEY = 'key-of-all-queues';
const ACME = 'key-of-acme-alone';
const socketPath = path.join(dir, 'rest.sock');

const { ask, refused } = rest(socketPath, KEY);

async function keys() {
    await refused('no key', [401, 'Authorization'], 'GET', '/queues',
        { key: null });
    await refused('a wrong key', [401, 'Authorization'], 'GET', '/queues',
        { key: `${KEY}x` });
    await refused('the beginning of a key', [401, 'Authorization'], 'GET',
        '/queues', { key: KEY.slice(0, -1) });
    await refused('another scheme', [401, 'Authorization'], 'GET', '/queues',
        { key: null, headers: { authorization: `Basic ${KEY}` } });

    const all = await ask('GET', '/queues');
    is(all.json.queues.map((queue) => [queue.tenant, queue.name]),
        [[null, 'n'], ['acme', 'm'], ['globex', 'm'], [null, 'b'],
            ['acme', 'b']], 'all queues');
    const own = await ask('GET', '/queues', { key: ACME });
    is(own.json.queues.map((queue) => queue.tenant), ['acme', 'acme'],
        'a key of a tenant sees its queues only');
    is((await ask('GET', '/tenant/globex/queues')).json.queues.length, 1,
        'queues of a tenant by path');

    is((await ask('GET', '/queue/m', { key: ACME })).json.name, '{acme}:m',
        'a key of a tenant has its own queue of a name');
    is((await ask('GET', '/tenant/globex/queue/m')).json.name, '{globex}:m',
        'a tenant by path');
    is((await ask('GET', '/queue/b')).json.name, 'bull:b',
        'without a tenant it is the queue that has none');
    is((await ask('GET', '/queue/b', { key: ACME })).json.name, '{acme}:b',
        'and that of the tenant for its key');
    await refused('a name of several tenants', [409, 'name'], 'GET',
        '/queue/m');
    await refused('another tenant', [404, 'name'], 'GET',
        '/tenant/globex/queue/m', { key: ACME });
    await refused('a queue without tenant, for a tenant', [404, 'name'], 'GET',
        '/queue/n', { key: ACME });
    await refused('an unknown queue', [404, 'name'], 'GET', '/queue/x');
}

async function wrong() {
    await refused('an unknown path', [404, 'path'], 'GET', '/queue/n/x');
    await refused('a wrong type', [404, 'path'], 'POST', '/queue/n/job/x',
        { body: {} });
    await refused('a wrong method', [405, 'path'], 'GET', '/queue/n/pause');
    is((await ask('GET', '/queue/n/pause')).allow, 'PUT', 'Allow');
    await refused('a broken path', [400, 'path'], 'GET', '/queue/n/jobs/%4');
    await refused('an unknown parameter', [400, 'stat'], 'GET',
        '/queue/n/jobs?stat=1');
    await refused('a parameter twice', [400, 'page'], 'GET',
        '/queue/n/jobs?page=1&page=2');
    await refused('an unknown state', [400, 'state'], 'GET',
        '/queue/n/jobs?state=lost');

    const rows = [
        ['page', '0'], ['page', '-1'], ['page', ''], ['page', 'x'],
        ['count', '201'], ['count', '1e1'], ['count', '9'.repeat(30)],
        ['statistics', 'yes'],
    ];
    for (const [name, value] of rows) {
        await refused(`${name}=${value}`, [400, name], 'GET',
            `/queue/n/jobs?${name}=${value}`);
    }

    const bodies = [
        ['', undefined], ['', ''], ['', '[]'], ['', '{'], ['', 'null'],
        ['', '{"name":"a","name":"b"}'],
        ['name', {}], ['name', { name: '' }], ['name', { name: 1 }],
        ['name', { name: 'a\0b' }], ['name', { name: 'x'.repeat(257) }],
        ['delay', { name: 'a', delay: -1 }],
        ['delay', { name: 'a', delay: '5' }],
        ['delay', { name: 'a', delay: 1e300 }],
        ['priority', { name: 'a', priority: 2097152 }],
        ['attempts', { name: 'a', attempts: 1.5 }],
        ['lifo', { name: 'a', lifo: 1 }],
        ['jobId', { name: 'a', jobId: 'x' }],
        ['id', { name: 'a', id: '' }], ['id', { name: 'a', id: 7 }],
        ['backoff', { name: 'a', backoff: 'x' }],
        ['backoff.type', { name: 'a', backoff: { delay: 5 } }],
        ['backoff.jitter', { name: 'a', backoff: { type: 'fixed',
            jitter: 2 } }],
        ['removeOnFail', { name: 'a', removeOnFail: -1 }],
        ['removeOnFail.days', { name: 'a', removeOnFail: { days: 1 } }],
        ['deduplication', { name: 'a', deduplication: 'x' }],
        ['deduplication.id', { name: 'a', deduplication: { ttl: 5 } }],
        ['deduplication.ttl', { name: 'a', deduplication: { id: 'x',
            ttl: 0 } }],
        ['deduplication.x', { name: 'a', deduplication: { id: 'x', x: 1 } }],
        ['every', { name: 'a', every: 5 }],
    ];
    for (const [field, body] of bodies) {
        await refused(`a new job of ${JSON.stringify(body)}`.slice(0, 60),
            [400, field], 'POST', '/queue/n/job/delayed', { body });
    }
    await refused('a body where none is taken', [400, ''], 'PUT',
        '/queue/n/pause', { body: {} });
    is((await ask('POST', '/queue/n/job/delayed',
        { headers: { 'content-length': 1024 * 1024 + 1 } })).status, 413,
    'a body of more than 1 MB');

    const year = 365 * 86400000;
    const repeat = [
        ['pattern', { name: 'a' }], ['pattern', { name: 'a', pattern: 'x' }],
        ['pattern', { name: 'a', pattern: '* * * * *', every: 5 }],
        ['pattern', { name: 'a', pattern: 5 }],
        ['every', { name: 'a', every: 0 }], ['name', { every: 5 }],
        ['every', { name: 'a', every: 11 * year }],
        ['tz', { name: 'a', pattern: '* * * * *', tz: 'Nowhere/Land' }],
        ['tz', { name: 'a', every: 5, tz: 'UTC' }],
        ['limit', { name: 'a', every: 5, limit: 0 }],
        ['endDate', { name: 'a', every: 5, endDate: 1 }],
        ['endDate', { name: 'a', pattern: '0 0 1 1 *', tz: 'UTC',
            endDate: Date.now() + 1000 }],
        ['immediately', { name: 'a', every: 5, immediately: true,
            startDate: Date.now() + year }],
        ['offset', { name: 'a', every: 5, offset: -1 }],
        ['startDate', { name: 'a', every: 5, startDate: 8640000000000000 }],
        ['delay', { name: 'a', every: 5, delay: 1 }],
        ['id', { name: 'a', every: 5, id: 'a:b' }],
        ['id', { name: 'a', every: 5, id: '' }],
        ['name', { name: 'a:b', every: 5 }],
    ];
    for (const [field, body] of repeat) {
        await refused(`a repeatable job of ${JSON.stringify(body)}`,
            [400, field], 'POST', '/queue/n/job/repeatable', { body });
    }
    await refused('a change of a scheduler that is not there', [404, 'id'],
        'PATCH', '/queue/n/job/repeatable', { body: { id: 'nobody' } });
    await refused('a change of nothing', [400, 'name'], 'PATCH',
        '/queue/n/job/repeatable', { body: {} });
    await refused('a removal of a scheduler that is not there', [404, 'id'],
        'DELETE', '/queue/n/job/repeatable?id=nobody');
}

/* ids, and all that BullMQ's add knows */
async function options(house, queue) {
    const add = (body) => ask('POST', '/queue/n/job/delayed',
        { body: { name: 'o', delay: 3600000, ...body } });

    const one = await add({ id: 'order-7', backoff: { type: 'exponential',
        delay: 500, jitter: 0.5 }, attempts: 4, removeOnComplete: true,
    removeOnFail: { age: 60, count: 5 }, keepLogs: 3, stackTraceLimit: 2 });
    is([one.status, one.json], [201, { id: 'm-order-7', result: 'added' }],
        'an id gets our prefix');
    const { opts } = await queue.getJob('m-order-7');
    is([opts.backoff, opts.attempts, opts.removeOnComplete, opts.removeOnFail,
        opts.keepLogs, opts.stackTraceLimit, opts.jobId],
    [{ type: 'exponential', delay: 500, jitter: 0.5 }, 4, true,
        { age: 60, count: 5 }, 3, 2, 'm-order-7'],
    'options as a stock client reads them');
    const again = await add({ id: 'order-7', data: 'other' });
    is([again.status, again.json],
        [200, { id: 'm-order-7', result: 'duplicate' }], 'the id again');
    const long = await add({ id: 'a:b/ü' });
    ok(/^m-[0-9a-f]{40}$/.test(long.json.id), 'an id of other characters');
    is((await queue.getJob((await add({ backoff: 250 })).json.id)).opts.backoff,
        { type: 'fixed', delay: 250 }, 'a backoff that is a number');

    const first = await add({ deduplication: { id: 'user-1', ttl: 60000 } });
    const second = await add({ deduplication: { id: 'user-1', ttl: 60000 } });
    is([first.status, second.status, second.json],
        [201, 200, { id: first.json.id, result: 'deduplicated' }],
        'deduplication');
    is(await queue.getDeduplicationJobId('user-1'), first.json.id,
        'as a stock client sees');
    const third = await add({ deduplication: { id: 'user-1', ttl: 60000,
        replace: true } });
    is([third.status, await queue.getJob(first.json.id)], [201, undefined],
        'with replace the delayed job goes');

    is((await ask('DELETE', '/queue/n/jobs?state=delayed')).json.removed, 4,
        'they are removed');
}

async function repeatable(house, queue) {
    const where = '/queue/n/job/repeatable';
    const day = 86400000;
    const added = await ask('POST', where, { body: { id: 'report',
        name: 'daily', data: { to: 'ü' }, pattern: '0 9 * * *',
        tz: 'Europe/Lisbon', limit: 5, attempts: 3, keepLogs: 7,
        endDate: Date.now() + 400 * day } });
    is([added.status, added.json.id], [201, 'report'], 'a repeatable job');

    const stock = await queue.getJobScheduler('report');
    is([stock.name, stock.pattern, stock.tz, stock.limit, stock.template.data,
        stock.template.opts.attempts, stock.template.opts.keepLogs,
        added.json.job],
    ['daily', '0 9 * * *', 'Europe/Lisbon', 5, { to: 'ü' }, 3, 7,
        `repeat:report:${stock.next}`], 'as a stock client reads it');
    is(await (await queue.getJob(added.json.job)).getState(), 'delayed',
        'its job waits');

    is((await ask('PATCH', where, { body: { id: 'report', data: [1],
        priority: 4 } })).status, 200, 'it is changed');
    let after = await queue.getJobScheduler('report');
    is([after.pattern, after.tz, after.limit, after.next, after.template.data,
        after.template.opts], ['0 9 * * *', 'Europe/Lisbon', 5, stock.next,
        [1], { attempts: 3, keepLogs: 7, priority: 4 }], 'the rest stays');
    await refused('a change to what is wrong', [400, 'pattern'], 'PATCH', where,
        { body: { id: 'report', pattern: '61 * * * *' } });
    is((await ask('PATCH', where, { body: { id: 'report', every: 60000 } }))
        .status, 200, 'another schedule');
    after = await queue.getJobScheduler('report');
    is([after.every, after.pattern, after.tz, after.limit],
        [60000, undefined, undefined, 5], 'takes the place of the first');

    await ask('POST', where, { body: { name: 'ping', every: 2000,
        immediately: true } });
    await queue.upsertJobScheduler('of a stock client', { every: 3600000 },
        { name: 'x', data: 5, opts: { attempts: 2, telemetry:
            { metadata: 'kept' } } });
    await ask('PATCH', where, { body: { id: 'of a stock client', data: 6 } });
    const kept = JSON.parse(await house.redis.hget(
        'bull:n:repeat:of a stock client', 'opts'));
    is([kept.attempts, kept.tm], [2, 'kept'], 'options of others stay');

    const list = (await ask('GET', '/queue/n/schedulers')).json;
    is([list.total, list.schedulers.map((row) => [row.id, row.name, row.every,
        row.data, row.iterations]).sort()], [3, [
        ['of a stock client', 'x', 3600000, 6, 1],
        ['ping', 'ping', 2000, undefined, 1],
        ['report', 'daily', 60000, [1], 1]]], 'the list');
    ok(list.schedulers.every((row, i) => i === 0
        || row.next >= list.schedulers[i - 1].next), 'the next one first');
    const page = (await ask('GET', '/queue/n/schedulers?page=2&count=2')).json;
    is([page.total, page.schedulers.map((row) => row.id)],
        [3, [list.schedulers[2].id]], 'a page of it');

    is((await ask('DELETE', `${where}?id=report`)).json, { removed: 1 },
        'one is removed');
    is(await queue.getJobScheduler('report'), undefined,
        'as a stock client sees');
    is((await ask('DELETE', where)).json, { removed: 2 }, 'all are');
    is((await ask('GET', '/queue/n/schedulers')).json.schedulers, [],
        'none is left');

    await queue.upsertJobScheduler('a\0b', { pattern: '0 0 1 1 *' });
    is((await ask('DELETE', where)).json, { removed: 0 },
        'an id that cannot be named is not asked for again and again');
    await queue.removeJobScheduler('a\0b');

    await queue.drain(true);
}

async function delayed(queue) {
    const added = await ask('POST', '/queue/n/job/delayed', { body: {
        name: 'one', data: { a: ['ü', 1.5, null] }, delay: 3600000,
        priority: 7, attempts: 3 } });
    is(added.status, 201, 'a job is added');
    const { id } = added.json;

    const job = await queue.getJob(id);
    is([job.name, job.data, job.opts.delay, job.opts.priority,
        job.opts.attempts, await job.getState()],
    ['one', { a: ['ü', 1.5, null] }, 3600000, 7, 3, 'delayed'],
    'as a stock client reads it');

    const got = (await ask('GET', `/queue/n/jobs/${id}`)).json;
    is([got.id, got.state, got.name, got.data, got.delay, got.priority,
        got.attempts, got.error, got.finished],
    [id, 'delayed', 'one', { a: ['ü', 1.5, null] }, 3600000, 7, 0, null, null],
    'one job');
    const page = (await ask('GET', '/queue/n/jobs?state=delayed')).json;
    is([page.total, page.jobs.map((row) => row.id)], [1, [id]], 'its page');

    const change = `/queue/n/job/delayed/${id}`;
    is((await ask('PATCH', change, { body: { data: [1], delay: 7200000,
        priority: 3 } })).status, 200, 'it is changed');
    const after = await queue.getJob(id);
    is([after.data, after.delay, after.priority, await after.getState()],
        [[1], 7200000, 3, 'delayed'], 'as a stock client reads the change');
    for (const [field, body] of [['', {}], ['delay', { delay: -1 }],
        ['priority', { priority: 'x' }], ['name', { name: 'x' }]]) {
        await refused(`a change of ${JSON.stringify(body)}`, [400, field],
            'PATCH', change, { body });
    }

    await refused('a retry of a delayed job', [409, 'id'], 'PUT',
        `/queue/n/retry/job/delayed/${id}`);
    is((await ask('PUT', `/queue/n/promote/job/delayed/${id}`)).status, 200,
        'it is promoted');
    is(await after.getState(), 'prioritized', 'as a stock client sees');
    await refused('a second promotion', [409, 'id'], 'PUT',
        `/queue/n/promote/job/delayed/${id}`);
    await refused('a change of a job that waits', [409, 'id'], 'PATCH', change,
        { body: { data: 1 } });
    await refused('a removal of a job that waits', [409, 'id'], 'DELETE',
        change);

    const other = await queue.add('two', {}, { delay: 3600000 });
    is((await ask('DELETE', `/queue/n/job/delayed/${other.id}`)).status, 200,
        'a delayed job is removed');
    is(await queue.getJob(other.id), undefined, 'and gone');

    for (const name of ['meta', 'wait', 'nobody', 'a%2Fb']) {
        await refused(`no job ${name}`, [404, 'id'], 'GET',
            `/queue/n/jobs/${name}`);
        await refused(`no change of ${name}`, [404, 'id'], 'PATCH',
            `/queue/n/job/delayed/${name}`, { body: { data: 1 } });
        await refused(`no removal of ${name}`, [404, 'id'], 'DELETE',
            `/queue/n/job/delayed/${name}`);
        await refused(`no retry of ${name}`, [404, 'id'], 'PUT',
            `/queue/n/retry/job/delayed/${name}`);
    }
}

async function whole(queue) {
    await queue.addBulk(Array.from({ length: 450 }, (none, i) => ({
        name: 'bulk', data: { i }, opts: i < 25 ? { priority: 1 } : {} })));
    await queue.add('later', {}, { delay: 3600000 });

    const page = (await ask('GET',
        '/queue/n/jobs?page=2&count=200&statistics=true')).json;
    is([page.state, page.total, page.jobs.length, page.statistics.prioritized,
        page.statistics.delayed],
    ['waiting', 425, 200, 25, 1], 'a page of many, with numbers');

    is((await ask('PUT', '/queue/n/resume')).json, { paused: false },
        'resumed');
    is(await queue.isPaused(), false, 'as a stock client sees');
    is((await ask('PUT', '/queue/n/pause')).json, { paused: true }, 'paused');
    is(await queue.isPaused(), true, 'as a stock client sees');
    is((await ask('GET', '/queue/n')).json.paused, true, 'and as is told');

    await queue.addBulk(Array.from({ length: 20 }, () => ({ name: 'large',
        data: 'x'.repeat(1024 * 1024) })));
    await refused('a page of 20 MB', [400, 'count'], 'GET', '/queue/n/jobs');
    is((await ask('GET', '/queue/n/jobs?count=9')).json.jobs.length, 9,
        'a page of 9 MB');
    is((await ask('PUT', '/queue/n/empty')).json.removed, 470, 'emptied');
    await queue.addBulk(Array.from({ length: 450 }, (none, i) => ({
        name: 'bulk', data: { i }, opts: i < 25 ? { priority: 1 } : {} })));

    await refused('an obliteration without confirmation', [400, 'confirm'],
        'DELETE', '/queue/n');
    await refused('with another name', [400, 'confirm'], 'DELETE',
        '/queue/n?confirm=m');

    is((await ask('PUT', '/queue/n/empty')).json, { removed: 450, left: 0 },
        'emptied');
    is(await queue.getJobCounts('wait', 'prioritized', 'delayed'),
        { wait: 0, prioritized: 0, delayed: 1 }, 'the delayed job stays');
    is((await ask('PUT', '/queue/n/empty?delayed=true')).json,
        { removed: 1, left: 0 }, 'unless asked for');
}

/* jobs that failed, as a stock worker leaves them */
async function fail(house, queue, n) {
    const { Worker } = require('./house').bullmq;
    await queue.resume();
    const worker = new Worker('n', async (job) => {
        throw new Error(job.data.i % 3 ? `131056: to ${job.data.i}`
            : 'no route');
    }, { connection: house.connection, prefix: 'bull', concurrency: 50 });
    worker.on('error', () => {});
    await queue.addBulk(Array.from({ length: n }, (none, i) => ({
        name: 'f', data: { i } })));
    await until(async () => await queue.getFailedCount() === n, 'failures');
    await worker.close();
    await queue.pause();
}

async function failures(house, queue) {
    await fail(house, queue, 300);

    const errors = (await ask('GET', '/queue/n/failed/errors')).json;
    is([errors.looked, errors.errors.map((kind) => [kind.error, kind.jobs,
        kind.ids.length])],
    [300, [['131056: to #', 200, 100], ['no route', 100, 100]]],
    'what failed jobs have in common');

    const [{ ids }] = errors.errors;
    const one = (await ask('GET', `/queue/n/jobs/${ids[0]}`)).json;
    is([one.state, one.error.slice(0, 10), one.attempts,
        one.stacktrace.length], ['failed', '131056: to', 1, 1],
    'one of them');

    is((await ask('PUT', `/queue/n/retry/job/delayed/${ids[0]}`)).status, 200,
        'one is tried again');
    is((await ask('PUT', '/queue/n/failed/requeue',
        { body: { ids: [...ids.slice(0, 10), 'nobody'] } })).json,
    { requeued: 9, refused: [
        { id: ids[0], why: 'the job is not in that state' },
        { id: 'nobody', why: 'there is no such job' }] },
    'some are, and others refused');
    for (const [field, body] of [['ids', {}], ['ids', { ids: [] }],
        ['ids', { ids: [1] }], ['ids', { ids: ['1'], all: true }],
        ['all', { all: 'yes' }], ['x', { all: true, x: 1 }]]) {
        await refused(`a requeue of ${JSON.stringify(body)}`, [400, field],
            'PUT', '/queue/n/failed/requeue', { body });
    }

    is((await ask('DELETE', '/queue/n/jobs?state=failed&age=1h')).json,
        { removed: 0, left: 0 }, 'none is an hour old');
    await refused('a purge of no state', [400, 'state'], 'DELETE',
        '/queue/n/jobs');
    await refused('a wrong age', [400, 'age'], 'DELETE',
        '/queue/n/jobs?state=failed&age=x');

    is((await ask('PUT', '/queue/n/failed/requeue',
        { body: { all: true, reset: true } })).json,
    { requeued: 290, left: 0 }, 'all are tried again');
    is(await queue.getFailedCount(), 0, 'none is left');
    is((await ask('DELETE', '/queue/n/jobs?state=waiting')).json,
        { removed: 300, left: 0 }, 'a purge of those that wait');
}

/* what a reader of events gets, until it is closed */
function reader(last, { name = 'n', key = KEY } = {}) {
    const state = { text: '' };
    state.request = http.get({ socketPath, path: `/queue/${name}/events`,
        agent: false, headers: { authorization: `Bearer ${key}`,
        ...(last && { 'last-event-id': last }) } }, (answer) => {
        state.status = answer.statusCode;
        state.type = answer.headers['content-type'];
        answer.on('data', (data) => { state.text += data; });
        answer.on('end', () => { state.ended = true; });
        answer.on('error', () => {});
    });
    state.request.on('error', () => {});
    state.events = () => state.text.split('\n\n').map((block) => ({
        id: (block.match(/^id: (.*)$/m) || [])[1],
        event: (block.match(/^event: (.*)$/m) || [])[1],
        data: JSON.parse((block.match(/^data: (.*)$/m) || [])[1] || 'null') }))
        .filter((event) => event.event);
    return state;
}

async function events(queue) {
    const one = reader();
    await until(() => one.text.startsWith('id: '), 'the begin of the events');
    is([one.status, one.type], [200, 'text/event-stream'], 'a stream');

    await queue.resume();
    const job = await queue.add('told', {}, { delay: 3600000 });
    await until(() => one.events().some((event) => event.event === 'delayed'),
        'the event of a job');
    is(one.events().filter((event) => event.event === 'added'
        && event.data.jobId === job.id).map((event) => event.data.name),
    ['told'], 'with what it says');
    const { id } = one.events()[0];
    const rest = one.events().slice(1);
    one.request.destroy();

    const two = reader(id);
    await until(() => two.events().length >= rest.length, 'the events again');
    is(two.events(), rest, 'a reader goes on behind its last event');
    two.request.destroy();

    await refused('a wrong Last-Event-ID', [400, 'Last-Event-ID'], 'GET',
        '/queue/n/events', { headers: { 'last-event-id': 'x' } });

    await queue.pause();
    await job.remove();
}

/* all asked for while Redis says nothing */
async function readers(house, worker) {
    await house.redis.client('PAUSE', 500, 'ALL');
    const all = Array.from({ length: 80 }, () => reader());
    await until(() => all.every((one) => one.status), 'all answers');
    is([200, 503].map((status) => all.filter(
        (one) => one.status === status).length), [64, 16], 'no more than 64');
    all.forEach((one) => one.request.destroy());

    const acme = { name: 'm', key: ACME };
    let one;
    const room = (options) => until(async () => {
        one = reader(null, options);
        await until(() => one.status, 'an answer');
        return one.status === 200 && one;
    }, 'room for a reader');
    const own = [];
    while (own.length < 16) {
        own.push(await room(acme));
    }
    own.push(await room());
    one = reader(null, acme);
    await until(() => one.status, 'an answer');
    is(one.status, 503, 'a tenant has no more than 16, others find room');
    own.forEach((each) => each.request.destroy());

    await room(acme);
    fs.writeFileSync(path.join(dir, 'acme.key'), 'another');
    worker.signal('SIGHUP');
    await until(() => one.ended, 'the end of a reader');
    const two = reader('0-0', acme);
    await until(() => two.status, 'an answer');
    is(two.status, 401, 'a key that is no more reads nothing more');
}

async function end(house, queue) {
    await queue.add('last', {});
    is((await ask('DELETE', '/queue/n?confirm=n')).json,
        { obliterated: true }, 'obliterated');
    is(await house.redis.keys('bull:n:*'), [], 'no key is left');
    await refused('a queue that is not paused', [409, 'name'], 'DELETE',
        '/queue/n?confirm=n');

    await house.stopRedis('SIGKILL');
    await until(async () => (await ask('GET', '/queue/n')).status === 503,
        '503');
    await refused('without Redis', [503, undefined], 'GET', '/queue/n/jobs');
    is((await ask('GET', '/queues')).status, 200, 'the settings need none');
}

/* the document has what the server has, no more and no less */
async function document() {
    const api = JSON.parse(fs.readFileSync(
        path.join(root, 'docs', 'openapi.json')));
    const source = fs.readFileSync(
        path.join(root, 'worker', 'admin', 'route.c'), 'utf8');
    const served = [...source.matchAll(
        /\{ "([A-Z]+)", "([^"]+)", ROUTE_\w+,\s*"([^"]*)" \}/g)]
        .map(([all, method, where, query]) => [method,
            where.replace(/:(\w+)/g, '{$1}'), query].join(' ').trim());
    const written = [];

    is(api.openapi.slice(0, 4), '3.1.', 'OpenAPI 3.1');
    for (const [where, item] of Object.entries(api.paths)) {
        for (const [method, operation] of Object.entries(item)) {
            if (method === 'parameters') {
                continue;
            }
            const query = (operation.parameters || [])
                .filter((parameter) => parameter.in === 'query')
                .map((parameter) => parameter.name).join(' ');
            written.push(`${method.toUpperCase()} ${where} ${query}`.trim());

            const named = [...(item.parameters || []),
                ...(operation.parameters || [])]
                .map((parameter) => parameter.$ref || parameter.name)
                .map((name) => name.split('/').pop());
            ok((where.match(/\{(\w+)\}/g) || [])
                .every((name) => named.includes(name.slice(1, -1))),
            `${method} ${where}: its parts are described`);
            if (operation.responses['200']
                && operation.responses['200'].content['text/event-stream'])
            {
                continue;
            }
            const body = operation.requestBody;
            const got = await ask(method.toUpperCase(),
                where.replace('{name}', 'n').replace('{id}', 'nobody'),
                { body: body ? { 'no such member': 1 } : undefined });
            ok(got.status in operation.responses,
                `${method} ${where}: ${got.status} is described`);
            if (body) {
                is([got.status, got.json.field], [400, 'no such member'],
                    `${method} ${where}: members are checked`);
            }
        }
    }
    is(written.sort(), served.sort(), 'the same operations and parameters');
}

run(async () => {
    const house = new House('admin');
    await house.startRedis();
    fs.writeFileSync(path.join(dir, 'acme.key'), `${ACME}\n`);
    const queue = house.queue('n');
    await queue.waitUntilReady();
    await queue.pause();

    const worker = house.run(`admin { listen = "unix:${socketPath}"
        key = "${KEY}" tenant "acme" { key = "file:acme.key" } }
        queue "n" { kind = noop prefix = "bull" }
        queue "m" { kind = noop tenants = {"acme", "globex"} }
        queue "b" { kind = noop prefix = "bull" }
        queue "acme b" { kind = noop name = "b" tenants = {"acme"} }`);
    await worker.ready();

    /* the jobs are for the stock worker */
    worker.signal('SIGTSTP');
    await worker.saw('paused');
    await until(async () => (await ask('GET', '/queue/n')).status === 200,
        'the API');
    is(fs.statSync(socketPath).mode & 0o777, 0o660,
        'the socket is for its owner and group');

    await keys();
    await wrong();
    await document();
    await delayed(queue);
    await queue.drain(true);
    await options(house, queue);
    await repeatable(house, queue);
    await whole(queue);
    await failures(house, queue);
    await events(queue);
    await readers(house, worker);

    const last = reader();
    await until(() => last.status === 200, 'a reader that stays');
    await end(house, queue);

    const text = worker.child.out;
    ok(!text.includes(KEY) && !text.includes(ACME), 'no key is logged');
    is(await worker.stop(), 0, 'a clean end');
    ok(!fs.existsSync(socketPath), 'the socket goes with it');
});
