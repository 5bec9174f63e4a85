/*
 * The edge as the producer of tenants' jobs, and what a key of its limits takes.
 */

'use strict';

const http = require('node:http');
const { freePort, nginxConf, startNginx, stop } = require('./house');

const ZONE = 1024 * 1024;

const httpBlock = (port, redis) => `
    sluice_redis unix:${redis.socket};
    sluice_limit_zone $arg_t zone=keys:${ZONE};

    server {
        listen 127.0.0.1:${port};

        location = /job {
            sluice_verify none;
            sluice_enqueue m tenant=$arg_t id=$arg_id;
        }

        # charged, then not found
        location = /limited {
            sluice_limit zone=keys rate=1r/m burst=1;
        }

        location = /status {
            sluice_status;
        }
    }
`;

/* -> { post(tenant, id), keyBytes(), stop() } */
const startGate = async (dir, redis) => {
    const port = await freePort();
    const nginx = await startNginx(dir, nginxConf(dir, port,
        httpBlock(port, redis)), port);
    const agent = new http.Agent({ keepAlive: true });
    const ask = (method, path, wanted) => new Promise((resolve, reject) => {
        const request = http.request({ host: '127.0.0.1', port, agent, method,
            path, headers: { 'content-type': 'application/json' } },
        (answer) => {
            let text = '';

            answer.on('data', (data) => { text += data; });
            answer.on('end', () => {
                if (answer.statusCode !== wanted) {
                    reject(new Error(`${path}: ${answer.statusCode} ${text}`));
                }

                resolve(text);
            });
        });

        request.on('error', reject);
        request.end(method === 'POST' ? '{"a":1}' : undefined);
    });

    return {
        post: (tenant, id) => ask('POST', `/job?t=${tenant}&id=${id}`, 200),

        /* keys come until the first has to go */
        keyBytes: async () => {
            for (let n = 0; ; ) {
                await Promise.all(Array.from({ length: 100 }, () =>
                    ask('GET', `/limited?t=${n++}`, 404)));

                const { zones } = JSON.parse(await ask('GET', '/status', 200));
                const { bytes, keys, evicted } = zones.find(
                    (zone) => zone.name === 'keys');

                if (evicted > 0) {
                    return bytes / keys;
                }
            }
        },

        stop: async () => {
            agent.destroy();
            await stop(nginx.child);
        },
    };
};

module.exports = { startGate };
