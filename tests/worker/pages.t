#!/usr/bin/env node
'use strict';

/*
 * What the REST API asks Redis for: the same of a long queue as of a short one.
 * PAGES_JOBS=1000000 node tests/worker/pages.t is the long form, with times.
 */

const http = require('http');
const path = require('path');
const { run, ok, is, until, House, dir } = require('./house');

const JOBS = +process.env.PAGES_JOBS || 30000;
const socketPath = path.join(dir, 'rest.sock');

function ask(method, where, body) {
    const text = body && JSON.stringify(body);
    return new Promise((done, fail) => {
        const request = http.request({ socketPath, method, path: where,
            headers: { authorization: 'Bearer k', host: 'sluiced',
                ...(text && { 'content-length': Buffer.byteLength(text) }) } },
        (answer) => {
            let got = '';
            answer.on('data', (data) => { got += data; });
            answer.on('end', () => done({ status: answer.statusCode,
                json: JSON.parse(got) }));
        });
        request.on('error', fail);
        request.end(text);
    });
}

/* as stock BullMQ lays them out; data of a few hundred bytes */
async function fill(redis, base, n) {
    const script = `
        local base, from, to = KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])
        local data = '{"text":"' .. ('x'):rep(200) .. '"}'
        for i = from, to do
            local state = i % 5
            redis.call('HSET', base .. i, 'name', 'n', 'data', data, 'opts',
                       '{"attempts":0}', 'timestamp', '1790000000000',
                       'delay', '0', 'priority', '0', 'finishedOn', i,
                       'failedReason', 'no route')
            if state == 0 then
                redis.call('LPUSH', base .. 'wait', i)
            else
                redis.call('ZADD', base .. ({'delayed', 'completed', 'failed',
                           'prioritized'})[state],
                           state == 1 and ('%.0f'):format((2e12 + i) * 4096)
                           or i, i)
            end
        end
        redis.call('SET', base .. 'id', to)`;
    for (let i = 1; i <= n; i += 5000) {
        await redis.eval(script, 1, base, i, Math.min(n, i + 4999));
    }
    await redis.hset(`${base}meta`, 'paused', '1', 'version', 'bullmq:6.7.0',
        'opts.maxLenEvents', '10000');
    for (let i = 0; i < n / 100; i += 1) {
        await redis.zadd(`${base}repeat`, 4102444800000 + i, `s${i}`);
        await redis.hset(`${base}repeat:s${i}`, 'name', 'n', 'every', '1000',
            'ic', '1', 'offset', '0');
    }
}

/* calls of each command and bytes that Redis sends, for one request */
async function cost(redis, method, where, status = 200) {
    const read = async () => {
        const text = await redis.info('commandstats');
        const stats = await redis.info('stats');
        const calls = {};
        for (const [, name, n] of text.matchAll(
            /cmdstat_([a-z|]+):calls=(\d+)/g)) {
            calls[name] = +n;
        }
        return { calls,
            bytes: +stats.match(/total_net_output_bytes:(\d+)/)[1] };
    };
    await redis.config('RESETSTAT');
    const began = process.hrtime.bigint();
    const got = await ask(method, where);
    const ms = Number(process.hrtime.bigint() - began) / 1e6;
    if (got.status !== status) {
        throw new Error(`${where}: ${got.status} ${JSON.stringify(got.json)}`);
    }
    const { calls, bytes } = await read();
    delete calls.info;
    delete calls['config|resetstat'];
    delete calls.config;
    return { calls, bytes, ms, json: got.json };
}

run(async () => {
    const house = new House('pages');
    await house.startRedis('--appendonly', 'no');
    await fill(house.redis, 'bull:short:', 500);
    await fill(house.redis, 'bull:long:', JOBS);

    const worker = house.run(`admin { listen = "unix:${socketPath}" key = "k" }
        queue "big" { kind = noop prefix = "bull" stalled = 1h }
        queue "short" { kind = noop prefix = "bull" stalled = 1h }
        queue "long" { kind = noop prefix = "bull" stalled = 1h }`);
    await worker.ready();
    worker.signal('SIGTSTP');
    await worker.saw('paused');
    await until(async () => (await ask('GET', '/queue/long')).status === 200,
        'the API');

    const n = JOBS / 5;
    const rows = [];
    for (const state of ['waiting', 'delayed', 'prioritized', 'completed',
        'failed']) {
        for (const page of ['first', 'middle', 'last']) {
            const of = (total) => ({ first: 1,
                middle: Math.ceil(total / 2 / 50),
                last: Math.floor(total / 50) })[page];
            rows.push([`the ${page} page of ${state}`, 'GET',
                `/jobs?state=${state}&count=50&statistics=true&page=${of(100)}`,
                `/jobs?state=${state}&count=50&statistics=true&page=${of(n)}`]);
        }
    }
    rows.push(['the numbers', 'GET', '', '']);
    for (const id of [100, 101, 102, 103, 104]) {
        rows.push([`one job, ${id % 5}`, 'GET', `/jobs/${id}`,
            `/jobs/${JOBS - 500 + id}`]);
    }
    rows.push(['schedulers', 'GET', '/schedulers?count=5',
        '/schedulers?count=5']);
    rows.push(['errors', 'GET', '/failed/errors?count=50',
        '/failed/errors?count=50']);
    rows.push(['a promotion', 'PUT', '/promote/job/delayed/1',
        `/promote/job/delayed/${JOBS / 2 + 1}`]);
    rows.push(['a retry', 'PUT', '/retry/job/delayed/3',
        `/retry/job/delayed/${JOBS / 2 + 3}`]);

    const seen = new Set();
    for (const [name, method, short, long] of rows) {
        const one = await cost(house.redis, method, `/queue/short${short}`);
        const other = await cost(house.redis, method, `/queue/long${long}`);
        Object.keys(other.calls).forEach((call) => seen.add(call));
        is(other.calls, one.calls, `${name}: the same commands`);
        /* ids of more digits; nothing else is read */
        ok(other.bytes < one.bytes + 2000, `${name}: as much is read (${
            one.bytes} and ${other.bytes} bytes, ${one.ms.toFixed(2)} and ${
            other.ms.toFixed(2)} ms)`);
        if (other.json.jobs) {
            is(other.json.jobs.length, 50, `${name}: a full page`);
        }
    }

    /* LPOS is of `active`, which holds what workers have */
    is([...seen].filter((name) => /^(keys|[shz]?scan|smembers|sort)$/
        .test(name)), [], `nothing was searched: ${[...seen].join(' ')}`);
    /* what is too much is not read: 8 jobs are asked for at once */
    await house.redis.eval(`
        for i = 1, 100 do
            redis.call('HSET', KEYS[1] .. i, 'name', 'n', 'data',
                       '"' .. ('x'):rep(1048576) .. '"', 'timestamp', i)
            redis.call('LPUSH', KEYS[1] .. 'wait', i)
        end`, 1, 'bull:big:');
    const big = '/queue/big/jobs?count=';
    const refused = await cost(house.redis, 'GET', `${big}100`, 400);
    is(refused.json.field, 'count', '100 jobs of 1 MB are refused');
    ok(refused.calls.hmget <= 16 + 1 + 8,
        `of which ${refused.calls.hmget} are read`);
    is((await cost(house.redis, 'GET', `${big}15`)).json.jobs.length, 15,
        '15 are a page');

    is(await worker.stop(), 0, 'a clean end');
});
