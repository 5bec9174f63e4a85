/*
 * The edge in groups of variants; those of a group take turns.
 *
 *   peers      the same signed POST to NGINX's `return 200`, to Sluice and to
 *              what one would write instead
 *   refused    what Sluice does not let in
 *   durable    Redis without AOF, with everysec and with always, by connections
 *   processes  two worker processes
 *   spool      Redis away, events on the disk, synced
 *   latency    at half of the rate that Sluice reached: what it adds
 */

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { startRedis, stopAll } = require('./house');
const { post, rounds } = require('./load');
const servers = require('./servers');
const webhook = require('./webhook');

const KINDS = ['no', 'everysec', 'always'];
const CONNECTIONS = [64, 256, 1024];
const PROCESSES = 4;       /* of NGINX, beside one, with AOF */
const RESTING = 256;      /* connections at half load */
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

const durable = async (dir, options) => {
    const redis = {};

    for (const kind of KINDS) {
        const own = path.join(dir, kind);

        fs.mkdirSync(own, { recursive: true });
        redis[kind] = await startRedis(own, kind);
    }

    const nginx = await servers.sluice(path.join(dir, 'sluice'), redis);
    const more = await servers.sluice(path.join(dir, 'more'), redis,
        { processes: PROCESSES });

    /* what shares a sync of the disk is bound by the connections to Redis */
    const variants = (server, connections, suffix, title) =>
        KINDS.map((kind) => sluice(server, redis[kind], {
            name: `${kind}-${connections}${suffix}`, connections,
            title: `AOF ${kind}, ${connections} connections${title}`,
            url: server.url(`/hooks/${kind}`),
        }));

    return [
        ...CONNECTIONS.flatMap((n) => variants(nginx, n, '', '')),
        ...variants(more, 256, '-more', `, ${PROCESSES} worker processes`),
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

/* `before`: the rounds of the peers, when they ran */
const latency = async (dir, options, before) => {
    const redis = await startRedis(dir, options.aof);
    const nginx = await servers.sluice(path.join(dir, 'sluice'),
        { meta: redis });
    const reached = before.peers
        ? median(before.peers.all.sluice.map(({ rate }) => rate)) : 40000;
    const delay = Math.max(1, Math.round(RESTING * 1000 / (reached / 2)));
    const half = { connections: RESTING, delay };

    return [plain(nginx, redis, half), sluice(nginx, redis, half)];
};

const GROUPS = { peers, refused, durable, processes, spool, latency };

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
        fs.rmSync(path.join(own, 'spool'), { recursive: true, force: true });
    }

    return results;
};

module.exports = { edge, GROUPS: Object.keys(GROUPS) };
