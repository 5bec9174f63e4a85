/*
 * The edge against its peers: the same signed POST to each, in turn.
 *
 *   return    NGINX answers by `return 200`: what a request costs at least
 *   sluice    verified, limited, enqueued with its envelope, then answered
 *   express   Express 5 + BullMQ 6 (peer_express.js)
 */

'use strict';

const path = require('node:path');
const {
    cpu, connects, freePort, nginxConf, start, startNginx, startRedis, until,
} = require('./house');
const webhook = require('./webhook');

const CONNECTIONS = 64;

const httpBlock = (port, socket) => `
    sluice_redis unix:${socket};
    sluice_limit_zone $server_name zone=tenants:1m;

    server {
        listen 127.0.0.1:${port} backlog=1024;
        server_name bench;

        location = /return {
            return 200;
        }

        location = /hooks/meta {
            sluice_verify meta secret=${webhook.SECRET} verify_token=bench;
            sluice_limit zone=tenants rate=100000r/s burst=1000000;
            sluice_enqueue webhooks tenant=acme;
        }
    }
`;

/* one request, before anything is measured: exactly 200, or say what came */
const probe = async (url) => {
    const response = await fetch(url, {
        method: 'POST',
        headers: {
            'Content-Type': 'application/json',
            'X-Hub-Signature-256': webhook.signature,
        },
        body: webhook.body,
    });

    if (response.status !== 200) {
        throw new Error(`${url} answered ${response.status}: `
                        + await response.text());
    }

    const forged = await fetch(url, {
        method: 'POST',
        headers: {
            'Content-Type': 'application/json',
            'X-Hub-Signature-256': `sha256=${'0'.repeat(64)}`,
        },
        body: webhook.body,
    });

    return forged.status;
};

const load = async (dir, url, seconds) => {
    const wrk = start(dir, 'wrk', 'wrk', [
        '-t1', `-c${CONNECTIONS}`, `-d${seconds}s`,
        '-s', path.join(__dirname, 'webhook.lua'), url,
    ], {
        WEBHOOK_BODY: webhook.body,
        WEBHOOK_SIGNATURE: webhook.signature,
    });

    await wrk.gone;

    const log = require('node:fs').readFileSync(wrk.log, 'utf8');
    const line = /^BENCH (.*)$/m.exec(log);

    if (line === null) {
        throw new Error(`wrk gave no figures:\n${log}`);
    }

    const result = JSON.parse(line[1]);

    for (const kind of ['connect', 'read', 'write', 'status', 'timeout']) {
        if (result[kind] !== 0) {
            throw new Error(`${url}: ${result[kind]} errors (${kind}) in `
                            + `${result.requests} requests`);
        }
    }

    return result;
};

/*
 * One round of one variant.  Redis is emptied before it, and holds a job for
 * each answered request after it; only those that wrk left open may add to it.
 */
const round = async (variant, redis, dir, seconds, tick) => {
    await redis.client.flushall('SYNC');

    const pids = { server: variant.pid, redis: redis.pid };
    const before = {};

    for (const name of Object.keys(pids)) {
        before[name] = cpu(pids[name]);
    }

    const result = await load(dir, variant.url, seconds);
    const figures = {
        rate: result.requests / (result.us / 1e6),
        p50: result.p50 / 1000,
        p99: result.p99 / 1000,
        wrk: result.ticks * tick / result.requests,
    };

    for (const name of Object.keys(pids)) {
        figures[name] = (cpu(pids[name]) - before[name]) / result.requests;
    }

    if (variant.wait) {
        const jobs = await redis.client.llen(variant.wait);

        if (jobs < result.requests || jobs > result.requests + CONNECTIONS) {
            throw new Error(`${variant.name}: ${result.requests} requests were`
                            + ` answered, ${jobs} jobs are in Redis`);
        }
    }

    return figures;
};

/* -> { variants, rounds: { name: [figures, ...] } } */
const edge = async (dir, { rounds, seconds, aof, tick, say }) => {
    const redis = await startRedis(dir, aof);
    const port = await freePort();
    const nginx = await startNginx(dir, nginxConf(dir, port,
        httpBlock(port, redis.socket), 'worker_processes 1;'), port);
    const expressPort = await freePort();
    const express = start(dir, 'express', process.execPath,
        [path.join(__dirname, 'peer_express.js')], {
            NODE_ENV: 'production',
            PORT: String(expressPort),
            REDIS_SOCKET: redis.socket,
            APP_SECRET: webhook.SECRET,
        });

    await until('express', () => connects({
        host: '127.0.0.1', port: expressPort,
    }), express);

    const variants = [
        { name: 'return', title: 'NGINX `return 200`', pid: nginx.pid,
          url: `http://127.0.0.1:${port}/return` },
        { name: 'sluice', title: 'Sluice: verified, limited, enqueued',
          pid: nginx.pid, url: `http://127.0.0.1:${port}/hooks/meta`,
          wait: '{acme}:webhooks:wait' },
        { name: 'express', title: 'Express 5 + BullMQ 6', pid: express.pid,
          url: `http://127.0.0.1:${expressPort}/hooks/meta`,
          wait: 'bull:webhooks:wait' },
    ];
    const all = {};

    for (const variant of variants) {
        const forged = await probe(variant.url);

        if (variant.wait && forged !== 401) {
            throw new Error(`${variant.url}: a forged request got ${forged}`);
        }

        /* caches, just-in-time compilation, the connection to Redis */
        await round(variant, redis, dir, Math.min(seconds, 2), tick);
        all[variant.name] = [];
    }

    for (let i = 0; i < rounds; i++) {
        for (const variant of variants) {
            const figures = await round(variant, redis, dir, seconds, tick);

            all[variant.name].push(figures);
            say(`edge ${i + 1}/${rounds} ${variant.name}: `
                + `${Math.round(figures.rate)}/s`);
        }
    }

    return { variants, all, connections: CONNECTIONS };
};

module.exports = { edge };
