/*
 * The edge in groups of variants; those of a group take turns.
 *
 *   peers      the same signed POST to NGINX's `return 200`, to Sluice and to
 *              what one would write instead
 *   refused    what Sluice does not let in
 *   durable    Redis without AOF, with everysec, with always and with a disk
 *              that is slow, by clients, and by connections to Redis
 *   processes  two worker processes
 *   spool      Redis away, events on the disk, synced
 *   latency    at half of the rate that Sluice reached: what it adds
 *   replay     live requests beside the replay of what was spooled
 */

'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');
const { startRedis, stop, stopAll, until } = require('./house');
const { load, post, rounds } = require('./load');
const servers = require('./servers');
const webhook = require('./webhook');

const KINDS = ['no', 'everysec', 'always'];
const CONNECTIONS = [64, 256, 1024];
const LINKS = 4;           /* to Redis, beside one, with AOF */
const RESTING = 256;      /* connections at half load */
const SPOOLED = 50000;    /* events that are replayed, by seconds of a round */
const WAIT = '{acme}:webhooks:wait';

const median = (values) => [...values].sort((a, b) => a - b)[
    values.length >> 1];

const plain = (nginx, redis, more) => ({ name: 'return',
    title: 'NGINX `return 200`', pids: nginx.pids, redis,
    url: nginx.url('/return'), ...more });

const sluice = (nginx, redis, more) => ({ name: 'sluice', guarded: true,
    title: 'Sluice: verified, limited, enqueued', pids: nginx.pids, redis,
    url: nginx.url('/hooks/meta'), wait: WAIT, ...more });

const peers = async (dir, options) => {
    const redis = await startRedis(dir, options.aof);
    const nginx = await servers.sluice(path.join(dir, 'sluice'),
        { meta: redis });
    const lua = await servers.lua(path.join(dir, 'lua'), redis);
    const fastify = await servers.node(dir, 'fastify', redis);
    const express = await servers.node(dir, 'express', redis);

    return [
        plain(nginx, redis),
        sluice(nginx, redis),
        sluice(nginx, redis, { name: 'full', url: nginx.url('/hooks/full'),
            title: 'Sluice: and two members, a second limit, headers, '
                + 'an answer with the id' }),
        { name: 'lua', title: 'NGINX Lua: verified, enqueued', redis, ...lua,
          wait: WAIT, guarded: true },
        { name: 'fastify', title: 'Fastify 5 + BullMQ 6', redis, ...fastify,
          wait: 'bull:webhooks:wait', guarded: true },
        { name: 'express', title: 'Express 5 + BullMQ 6', redis, ...express,
          wait: 'bull:webhooks:wait', guarded: true },
    ];
};

const refused = async (dir, options) => {
    const redis = await startRedis(dir, options.aof);
    const nginx = await servers.sluice(path.join(dir, 'sluice'),
        { meta: redis });

    /* the one that the rate allows: the probe's is refused already */
    await post(nginx.url('/hooks/limited'), webhook.signature);

    return [
        plain(nginx, redis),
        { name: 'forged', title: 'Sluice: a bad signature, 401',
          pids: nginx.pids, redis, url: nginx.url('/hooks/meta'), forged: true,
          status: 401, quiet: true },
        { name: 'limited', title: 'Sluice: over the rate, 429',
          pids: nginx.pids, redis, url: nginx.url('/hooks/limited'),
          status: 429, quiet: true },
    ];
};

/* redis-server with syncs of 2 ms and more */
const slow = (dir) => {
    const file = path.join(dir, 'slow_sync.so');

    execFileSync('cc', ['-shared', '-fPIC', '-o', file,
        path.join(__dirname, 'slow_sync.c')]);

    return ['env', `LD_PRELOAD=${file}`, 'redis-server'];
};

const durable = async (dir, options) => {
    const redis = {};

    for (const kind of [...KINDS, 'slow']) {
        const own = path.join(dir, kind);

        fs.mkdirSync(own, { recursive: true });
        redis[kind] = kind === 'slow'
            ? await startRedis(own, 'always', slow(own))
            : await startRedis(own, kind);
    }

    const nginx = await servers.sluice(path.join(dir, 'sluice'), redis);
    const more = await servers.sluice(path.join(dir, 'more'), redis,
        { links: LINKS });

    const variants = (server, kind, suffix, title) => CONNECTIONS.map((n) =>
        sluice(server, redis[kind], {
            name: `${kind}-${n}${suffix}`, connections: n,
            title: `AOF ${kind}, ${n} connections${title}`,
            url: server.url(`/hooks/${kind}`),
        }));

    /* what shares a sync of the disk is bound by the connections to Redis */
    return [
        ...Object.keys(redis).flatMap((kind) => variants(nginx, kind, '', '')),
        ...['always', 'slow'].flatMap((kind) =>
            variants(more, kind, '-more', `, ${LINKS} to Redis`)),
    ];
};

const processes = async (dir, options) => {
    const redis = await startRedis(dir, options.aof);
    const nginx = await servers.sluice(path.join(dir, 'sluice'),
        { meta: redis }, { processes: 2 });

    return [plain(nginx, redis), sluice(nginx, redis)];
};

const spool = async (dir, options) => {
    const redis = await startRedis(dir, options.aof);
    const nginx = await servers.sluice(path.join(dir, 'sluice'),
        { meta: redis });
    const away = await servers.sluice(path.join(dir, 'away'),
        { meta: { socket: path.join(dir, 'nowhere.sock') } },
        { more: `sluice_spool ${dir}/spool size=16g;` });

    return [64, 256].flatMap((connections) => [
        sluice(nginx, redis, { name: `enqueued-${connections}`, connections,
            title: `enqueued, ${connections} connections` }),
        { name: `spooled-${connections}`, connections, pids: away.pids, redis,
          title: `spooled, ${connections} connections`, guarded: true,
          url: away.url('/hooks/meta'), quiet: true },
    ]);
};

/* a load of half of what was reached; `before`: the rounds of the peers, when
   they ran */
const halfLoad = (before) => {
    const reached = before.peers
        ? median(before.peers.all.sluice.map(({ rate }) => rate)) : 40000;
    const delay = Math.max(1, Math.round(RESTING * 1000 / (reached / 2)));

    return { connections: RESTING, delay };
};

const latency = async (dir, options, before) => {
    const redis = await startRedis(dir, options.aof);
    const nginx = await servers.sluice(path.join(dir, 'sluice'),
        { meta: redis });
    const half = halfLoad(before);

    return [plain(nginx, redis, half), sluice(nginx, redis, half)];
};

/* files of so many events, as an edge leaves them that finds no Redis */
const fill = async (dir, seconds) => {
    const spool = path.join(dir, 'spooled');
    const away = await servers.sluice(path.join(dir, 'away'),
        { meta: { socket: path.join(dir, 'nowhere.sock') } },
        { more: `sluice_spool ${spool} size=16g;` });
    let n = 0;

    while (n < SPOOLED * Math.max(seconds, 2)) {
        n += (await load(dir, { url: away.url('/hooks/meta') },
            seconds)).requests;
    }

    await stop(away.child);
    return fs.readdirSync(spool).map((file) => path.join(spool, file));
};

const replay = async (dir, options, before) => {
    const redis = await startRedis(dir, options.aof);
    const files = await fill(dir, options.seconds);
    const spool = path.join(dir, 'spool');
    const nginx = await servers.sluice(path.join(dir, 'sluice'),
        { meta: redis }, { more: `sluice_spool ${spool} size=16g;` });
    const status = async () => (await (await fetch(nginx.url('/status'),
        { headers: { connection: 'close' } })).json()).spool;
    let from;

    const beside = {
        /* they are adopted within a second; the same again and again */
        async before() {
            files.forEach((file) => fs.linkSync(file,
                path.join(spool, path.basename(file))));
            from = (await status()).replayed;
            await until('the replay', async () =>
                (await status()).replayed > from);
            from = (await status()).replayed;
        },
        /* and what is left, alone */
        async after(seconds) {
            const there = await status();
            const began = Date.now();

            await until('the end of the replay', async () =>
                (await status()).segments === 0, null, 600000);
            return {
                replayed: (there.replayed - from) / seconds,
                alone: ((await status()).replayed - there.replayed)
                    / Math.max(Date.now() - began, 1) * 1000,
            };
        },
        wait: null,
    };

    return [
        ['half', 'half load', halfLoad(before)],
        ['full', '64 connections that never rest', {}],
    ].flatMap(([name, title, kind]) => [
        sluice(nginx, redis, { ...kind, name, title: `${title}, no replay` }),
        sluice(nginx, redis, { ...kind, ...beside, name: `${name}-replay`,
            title: `${title}, beside a replay` }),
    ]);
};

const GROUPS = { peers, refused, durable, processes, spool, latency, replay };

/* -> { group: { variants, all } } of those named */
const edge = async (dir, names, options) => {
    const results = {};

    for (const name of names) {
        const own = path.join(dir, name);

        fs.mkdirSync(own, { recursive: true });

        const variants = await GROUPS[name](own, options, results);

        results[name] = { variants, all: await rounds(variants, own, options) };
        await stopAll();
        /* what was spooled is large */
        for (const spool of ['spool', 'spooled']) {
            fs.rmSync(path.join(own, spool), { recursive: true, force: true });
        }
    }

    return results;
};

module.exports = { edge, GROUPS: Object.keys(GROUPS) };
