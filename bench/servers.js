/*
 * The servers at the edge: NGINX with Sluice, and its peers.
 */

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const {
    connects, freePort, nginxConf, start, startNginx, until,
} = require('./house');
const { read } = require('../tests/lua/scripts');
const webhook = require('./webhook');

/*
 * Each location is one more thing to measure; `redis` has a Redis for each kind
 * of AOF, by its name.
 */
const httpBlock = (port, redis, more, links) => `
    ${Object.entries(redis).map(([name, { socket }], i) =>
        `sluice_redis unix:${socket} connections=${links}${
            i ? ` name=${name}` : ''};`).join('\n')}
    sluice_limit_zone $server_name zone=tenants:1m;
    sluice_limit_zone $request_uri zone=full:1m;
    ${more}

    server {
        listen 127.0.0.1:${port} backlog=2048;
        server_name bench;

        location = /return {
            return 200;
        }

        location = /status {
            sluice_status;
        }

        location /hooks/ {
            sluice_verify meta secret=${webhook.SECRET} verify_token=bench;
            sluice_limit zone=tenants rate=100000r/s burst=1000000;

            ${Object.keys(redis).map((name, i) => `location = /hooks/${name} {
                sluice_enqueue webhooks tenant=acme${
        i ? ` redis=${name}` : ''};
            }`).join('\n')}

            # all that a location may have
            location = /hooks/full {
                sluice_limit zone=tenants rate=100000r/s burst=1000000;
                sluice_limit zone=full rate=100000r/s burst=1000000 early;
                sluice_json $account /entry/0/id required;
                sluice_json $number
                    /entry/0/changes/0/value/metadata/phone_number_id;
                sluice_enqueue webhooks tenant=acme name=$number
                    headers=user-agent,content-length attempts=5;
                sluice_respond 200 application/json '{"id":"$sluice_job_id"}';
            }

            location = /hooks/limited {
                sluice_limit zone=full rate=1r/h;
                sluice_enqueue webhooks tenant=acme;
            }
        }
    }
`;

/* -> { child, pids, url(path) } */
const sluice = async (dir, redis,
    { processes = 1, more = '', links = 1 } = {}) =>
{
    const port = await freePort();

    fs.mkdirSync(dir, { recursive: true });

    const { child, pids } = await startNginx(dir, nginxConf(dir, port,
        httpBlock(port, redis, more, links),
        `worker_processes ${processes};`), port, { processes });

    return { child, pids,
             url: (location) => `http://127.0.0.1:${port}${location}` };
};

/* the same call of the same script, by ngx_lua and a pool of connections */
const lua = async (dir, { socket }) => {
    const port = await freePort();

    fs.mkdirSync(dir, { recursive: true });
    fs.writeFileSync(path.join(dir, 'add.lua'), read().add.text);

    const modules = ['ndk_http_module', 'ngx_http_lua_module'].map((name) =>
        `load_module /usr/lib/nginx/modules/${name}.so;`).join('\n');
    const { pids } = await startNginx(dir, nginxConf(dir, port, `
        lua_package_path '${__dirname}/?.lua;/usr/share/lua/5.1/?.lua;;';
        init_by_lua_block {
            bench = {
                secret = "${webhook.SECRET}",
                socket = "unix:${socket}",
                script = io.open("${dir}/add.lua"):read("*a"),
            }
        }
        server {
            listen 127.0.0.1:${port} backlog=2048;
            location = /hooks/meta {
                content_by_lua_block { require("peer").run() }
            }
        }`, `worker_processes 1;\n${modules}`, false), port);

    return { pids, url: `http://127.0.0.1:${port}/hooks/meta` };
};

/* Express or Fastify, and BullMQ */
const node = async (dir, name, redis) => {
    const port = await freePort();
    const child = start(dir, name, process.execPath,
        [path.join(__dirname, `peer_${name}.js`)], {
            NODE_ENV: 'production',
            PORT: String(port),
            REDIS_SOCKET: redis.socket,
            APP_SECRET: webhook.SECRET,
        });

    await until(name, () => connects({ host: '127.0.0.1', port }), child);

    return { pids: [child.pid], url: `http://127.0.0.1:${port}/hooks/meta` };
};

module.exports = { sluice, lua, node };
