'use strict';

/* A Redis of the test's own, on a unix socket below build/. */

const { spawn } = require('child_process');
const fs = require('fs');
const path = require('path');

const root = path.join(__dirname, '..', '..');
const modules = path.join(root, 'tests', 'interop', 'node_modules');
const Redis = require(path.join(modules, 'ioredis'));

/* args: more of redis-server's, later ones count */
async function start(name, args = []) {
    const dir = path.join(root, 'build', 'tests', `redis-${name}-${process.pid}`);
    fs.mkdirSync(dir, { recursive: true });
    const socket = path.relative(process.cwd(), path.join(dir, 's'));
    const child = spawn('redis-server', ['--port', '0', '--unixsocket',
        path.join(dir, 's'), '--save', '', '--appendonly', 'no', '--dir', dir,
        '--logfile', path.join(dir, 'log'), ...args], { stdio: 'ignore' });
    let ended = false;
    child.on('exit', () => { ended = true; });
    const kill = () => { if (!ended) { child.kill('SIGKILL'); } };
    process.on('exit', kill);

    const clients = [];
    const connect = (options = {}) => {
        const client = new Redis({ path: path.join(dir, 's'),
            retryStrategy: () => (ended ? null : 20),
            maxRetriesPerRequest: null, ...options });
        client.on('error', () => {});
        clients.push(client);
        return client;
    };
    const redis = connect();
    await redis.ping();

    return {
        redis,
        connect,
        pid: child.pid,
        connection: { path: path.join(dir, 's'), maxRetriesPerRequest: null },
        socket,
        async stop() {
            for (const client of clients) {
                client.disconnect();
            }
            const gone = new Promise((done) => {
                if (ended) { done(); } else { child.on('exit', done); }
            });
            child.kill('SIGTERM');
            await gone;
            process.off('exit', kill);
            fs.rmSync(dir, { recursive: true, force: true });
        },
    };
}

module.exports = { start, root, modules };
