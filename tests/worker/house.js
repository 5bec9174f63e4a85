'use strict';

/*
 * What a test of sluiced needs: a Redis, the stand-in for the Graph API and
 * sluiced itself, each started by the test below build/tests/ and stopped by
 * its pid.
 */

const { spawn, spawnSync } = require('child_process');
const fs = require('fs');
const http = require('http');
const net = require('net');
const path = require('path');
const tap = require('../lua/tap');

const root = path.join(__dirname, '..', '..');
const modules = path.join(root, 'tests', 'interop', 'node_modules');
const bullmq = require(path.join(modules, 'bullmq6'));
const Redis = require(path.join(modules, 'ioredis'));

/* a sanitized or other build may be tested in its place */
const sluiced = process.env.SLUICED || path.join(root, 'build', 'sluiced');
const graph = process.env.GRAPH_API || path.join(root, 'build', 'graph-api');

const CLOSE = 5000;            /* ms that a client has to close */

const dir = path.join(root, 'build', 'tests', `worker-${process.pid}`);
const children = new Set();
const closing = [];
const logs = new Map();        /* of each sluiced, kept when a test fails */

fs.mkdirSync(dir, { recursive: true });
process.on('exit', (code) => {
    for (const child of children) {
        child.kill('SIGKILL');
    }
    if (code === 0) {
        fs.rmSync(dir, { recursive: true, force: true });
        return;
    }
    for (const [pid, out] of logs) {
        fs.writeFileSync(path.join(dir, `sluiced-${pid}.log`), out());
    }
});


function start(program, args, options = {}) {
    const child = spawn(program, args, { cwd: dir,
        stdio: ['ignore', 'pipe', 'pipe'], ...options });
    child.out = '';
    child.stdout.on('data', (data) => { child.out += data; });
    child.stderr.on('data', (data) => { child.out += data; });
    child.ended = new Promise((done) => {
        child.on('exit', (code, signal) => {
            children.delete(child);
            child.code = signal || code;
            done(child.code);
        });
    });
    children.add(child);
    return child;
}

async function stop(child, signal = 'SIGTERM') {
    child.kill(signal);
    return child.ended;
}

function freePort() {
    return new Promise((done) => {
        const server = net.createServer();
        server.listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => done(port));
        });
    });
}


/* A Redis that keeps what it has over a restart. */

class House {
    constructor(name) {
        this.name = name;
        this.socket = path.join(dir, `${name}.sock`);
        this.connection = { path: this.socket, maxRetriesPerRequest: null,
            retryStrategy: () => 20 };
    }

    async startRedis(...args) {
        const home = path.join(dir, `${this.name}.redis`);
        fs.mkdirSync(home, { recursive: true });
        this.mend(home);
        this.server = start('redis-server', ['--port', '0', '--unixsocket',
            this.socket, '--dir', home, '--save', '', '--appendonly', 'yes',
            '--appendfsync', 'everysec', ...args]);
        if (!this.redis) {
            const secret = args[args.indexOf('--requirepass') + 1];
            this.redis = new Redis({ ...this.connection,
                password: args.includes('--requirepass') ? secret : null });
            this.redis.on('error', () => {});
            closing.push(() => this.redis.disconnect());
        }
        await tap.until(() => this.redis.ping().then((pong) => pong === 'PONG')
            .catch(() => false), 'Redis');
    }

    /*
     * A kill may leave half of a script's writes at the end of the file.  Redis
     * leaves them out once, and runs them at the start after that (docs/redis.md).
     */
    mend(home) {
        const file = path.join(home, 'appendonlydir', 'appendonly.aof.manifest');
        if (fs.existsSync(file)) {
            spawnSync('redis-check-aof', ['--fix', file], { input: 'y\n' });
        }
    }

    async stopRedis(signal) {
        await stop(this.server, signal);
    }

    queue(name, options = {}) {
        const queue = new bullmq.Queue(name, { connection: this.connection,
            prefix: 'bull', ...options });
        queue.on('error', () => {});
        queue.setMaxListeners(0);
        closing.push(() => queue.close());
        return queue;
    }

    queueEvents(name, options = {}) {
        const events = new bullmq.QueueEvents(name,
            { connection: this.connection, prefix: 'bull', ...options });
        events.on('error', () => {});
        events.setMaxListeners(0);
        closing.push(() => events.close());
        return events;
    }

    /* the settings of a test: what is common, then its own */
    write(text, file = `${this.name}.conf`) {
        fs.writeFileSync(path.join(dir, file),
            `redis = "${this.url || `unix:${this.socket}`}"\n`
            + 'log { level = debug format = json }\n'
            + `${text}\n`);
        return path.join(dir, file);
    }

    run(text, options) {
        return new Worker(this.write(text), options);
    }
}


/* a sluiced and its log */

class Worker {
    constructor(file, options) {
        this.file = file;
        this.child = start(sluiced, ['-c', file], options);
        this.pid = this.child.pid;
        logs.set(this.pid, () => this.child.out);
    }

    lines(event) {
        const found = [];
        for (const line of this.child.out.split('\n')) {
            if (line.startsWith('{')) {
                try {
                    const entry = JSON.parse(line);
                    if (!event || entry.event === event) {
                        found.push(entry);
                    }
                } catch (e) {
                    if (this.child.code !== undefined) {
                        throw new Error(`no JSON: ${line}`);
                    }
                }
            }
        }
        return found;
    }

    saw(event, n = 1) {
        return tap.until(() => {
            if (this.child.code !== undefined
                && this.lines(event).length < n)
            {
                throw new Error(`sluiced ended: ${this.child.out}`);
            }
            return this.lines(event).length >= n && this.lines(event);
        }, `${event} in the log of sluiced`);
    }

    ready() {
        return this.saw('redis_ready', 2);
    }

    signal(name) {
        this.child.kill(name);
    }

    stop(signal) {
        return stop(this.child, signal);
    }

    cpu() {
        const stat = fs.readFileSync(`/proc/${this.pid}/stat`, 'utf8')
            .split(') ')[1].split(' ');
        return +stat[11] + +stat[12];
    }
}


/* the stand-in for the Graph API */

class Graph {
    static async start(...args) {
        const port = await freePort();
        const graphApi = new Graph();
        graphApi.url = `http://127.0.0.1:${port}`;
        const quiet = args.includes('--webhook') ? [] : ['--no-status'];
        graphApi.child = start(graph, ['--listen', `127.0.0.1:${port}`,
            ...quiet, ...args]);
        graphApi.child.ended.then((code) => {
            if (code !== 0) {
                console.log(`# the stand-in ended with ${code}: ${
                    graphApi.child.out}`);
            }
        });
        await tap.until(() => graphApi.get('health').then(() => true)
            .catch(() => false), 'the stand-in');
        return graphApi;
    }

    call(method, what, body) {
        return new Promise((done, fail) => {
            const request = http.request(`${this.url}/standin/${what}`,
                { method, headers: body
                    ? { 'content-type': 'application/json' } : {} },
                (answer) => {
                    let text = '';
                    answer.on('data', (data) => { text += data; });
                    answer.on('end', () => {
                        try {
                            done(JSON.parse(text));
                        } catch (e) {
                            done(text);
                        }
                    });
                });
            request.on('error', fail);
            request.end(body && JSON.stringify(body));
        });
    }

    get(what) { return this.call('GET', what); }

    post(what, body) { return this.call('POST', what, body); }

    async requests(to) {
        const answer = await this.get(`requests?limit=10000${
            to ? `&to=${to}` : ''}`);
        return answer.requests || answer;
    }

    /* recipient -> how often it was asked for */
    async seen() {
        const count = new Map();
        for (const { to } of await this.requests()) {
            count.set(to, (count.get(to) || 0) + 1);
        }
        return count;
    }

    stop() { return stop(this.child); }
}

/* of what seen() gives */
const twice = (count) => [...count].filter(([, n]) => n > 1)
    .map(([who]) => who);


function once(args, env) {
    const done = spawnSync(sluiced, args, { cwd: dir, encoding: 'utf8',
        env: { ...process.env, ...env } });
    return { code: done.status, out: done.stdout, err: done.stderr };
}

/* Runs the test and leaves nothing behind. */
function run(fn) {
    return tap.run(async () => {
        try {
            await fn();
        } catch (e) {
            console.log(String((e && e.stack) || e).replace(/^/gm, '# '));
            throw e;
        } finally {
            /* a client may wait for ever for a Redis that is no more */
            for (const close of closing.reverse()) {
                await Promise.race([close(), new Promise((done) => {
                    setTimeout(done, CLOSE); })]);
            }
            for (const child of [...children]) {
                await stop(child, 'SIGKILL');
            }
        }
    });
}

module.exports = { ...tap, run, freePort, House, Worker, Graph, twice, once,
    start, stop, closing, root, dir, bullmq,
    message: (to, extra) => ({ messaging_product: 'whatsapp',
        phone_number_id: '106540352242922', to, type: 'text',
        text: { body: 'hello' }, ...extra }) };
