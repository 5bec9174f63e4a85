/*
 * A round of load by wrk on one URL, and what it cost the processes behind it.
 */

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { cpu, sleep, start } = require('./house');
const webhook = require('./webhook');

const FORGED = `sha256=${'0'.repeat(64)}`;

const post = (url, signature) => fetch(url, {
    method: 'POST',
    headers: {
        'Content-Type': 'application/json',
        'X-Hub-Signature-256': signature,
    },
    body: webhook.body,
});

/* before anything is measured: exactly what is expected, or say what came */
const probe = async ({ url, status = 200, forged, guarded }) => {
    const response = await post(url, forged ? FORGED : webhook.signature);

    if (response.status !== status) {
        throw new Error(`${url} answered ${response.status}: `
                        + await response.text());
    }

    if (guarded && (await post(url, FORGED)).status !== 401) {
        throw new Error(`${url}: a forged request was not refused`);
    }
};

const load = async (dir, { url, status = 200, forged, connections = 64,
    delay }, seconds) =>
{
    const wrk = start(dir, 'wrk', 'wrk', [
        '-t1', `-c${connections}`, `-d${seconds}s`,
        '-s', path.join(__dirname, 'webhook.lua'), url,
    ], {
        WEBHOOK_BODY: webhook.body,
        WEBHOOK_SIGNATURE: forged ? FORGED : webhook.signature,
        WEBHOOK_DELAY: delay ? String(delay) : '',
    });

    await wrk.gone;

    const log = fs.readFileSync(wrk.log, 'utf8');
    const line = /^BENCH (.*)$/m.exec(log);

    if (line === null) {
        throw new Error(`wrk gave no figures:\n${log}`);
    }

    const result = JSON.parse(line[1]);

    /* wrk counts answers from 400 on */
    result.status -= status < 400 ? 0 : result.requests;

    for (const kind of ['connect', 'read', 'write', 'status', 'timeout']) {
        if (result[kind] !== 0) {
            throw new Error(`${url}: ${result[kind]} errors (${kind}) in `
                            + `${result.requests} requests`);
        }
    }

    return result;
};

const calls = async (redis) => Number(/cmdstat_evalsha:calls=(\d+)/.exec(
    await redis.client.info('commandstats'))?.[1] || 0);

/* until what the round before left open has been done, by a slow peer as well */
const settled = async (redis) => {
    let before = await calls(redis);

    for (let looks = 0; looks < 10; looks++) {
        await sleep(30);
        const now = await calls(redis);

        if (now !== before) {
            before = now;
            looks = 0;
        }
    }
};

/*
 * One round of one variant:
 *
 *   name, title, url
 *   pids         of the server's processes
 *   redis        { client, pid }, emptied before the round
 *   wait         the list that holds a job for each answered request after it;
 *                only those that wrk left open may add to it
 *   quiet        no script may have been called
 *   status       what is expected, 200
 *   forged       the signature is wrong
 *   connections  of wrk, 64; delay: ms that each rests before a request
 *   before       async () what is done before the load begins
 *   after        async (seconds) after it: more figures
 */
const round = async (variant, dir, seconds, tick) => {
    const { redis, wait, quiet } = variant;
    const groups = { server: variant.pids, redis: [redis.pid] };
    const sum = (pids) => pids.reduce((all, pid) => all + cpu(pid), 0);

    await settled(redis);
    await redis.client.flushall('SYNC');

    if (variant.before) {
        await variant.before();
    }

    const called = await calls(redis);
    const before = Object.fromEntries(Object.entries(groups)
        .map(([name, pids]) => [name, sum(pids)]));
    const result = await load(dir, variant, seconds);
    const figures = {
        rate: result.requests / (result.us / 1e6),
        p50: result.p50 / 1000,
        p99: result.p99 / 1000,
        wrk: result.ticks * tick / result.requests,
    };

    for (const [name, pids] of Object.entries(groups)) {
        figures[name] = (sum(pids) - before[name]) / result.requests;
    }

    if (variant.after) {
        Object.assign(figures, await variant.after(result.us / 1e6));
    }

    if (wait) {
        const jobs = await redis.client.llen(wait);

        if (jobs < result.requests
            || jobs > result.requests + (variant.connections || 64))
        {
            throw new Error(`${variant.name}: ${result.requests} requests were`
                            + ` answered, ${jobs} jobs are in Redis`);
        }
    }

    if (quiet && await calls(redis) !== called) {
        throw new Error(`${variant.name}: refused requests reached Redis`);
    }

    return figures;
};

/* -> { name: [figures, ...] }: interleaved, so that all have the same weather */
const rounds = async (variants, dir, { rounds: n, seconds, tick, say }) => {
    const all = {};

    for (const variant of variants) {
        await probe(variant);

        /* caches, just-in-time compilation, the connection to Redis */
        if (n > 1) {
            await round(variant, dir, Math.min(seconds, 2), tick);
        }

        all[variant.name] = [];
    }

    for (let i = 0; i < n; i++) {
        for (const variant of variants) {
            const figures = await round(variant, dir, seconds, tick);

            all[variant.name].push(figures);
            say(`edge ${i + 1}/${n} ${variant.name}: `
                + `${Math.round(figures.rate)}/s`);
        }
    }

    return all;
};

module.exports = { load, post, rounds };
