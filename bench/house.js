/*
 * The processes of a benchmark: started below build/, measured by
 * /proc/<pid>/stat, stopped by their ids.
 */

'use strict';

const { spawn, execFileSync } = require('node:child_process');
const { createRequire } = require('node:module');
const fs = require('node:fs');
const net = require('node:net');
const path = require('node:path');

const ROOT = path.dirname(__dirname);
const INTEROP = path.join(ROOT, 'tests', 'interop');
const TICK = 1e6 / Number(execFileSync('getconf', ['CLK_TCK']));
const SOCKET_PATH_MAX = 107;
const PATIENCE = 15000;

/* BullMQ, ioredis and Express are installed for the interop tests */
const npm = createRequire(path.join(INTEROP, 'package.json'));

const children = new Set();
const closers = [];

const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

/* resolves with the first true value of probe(); fails when `child` died */
const until = async (what, probe, child, patience = PATIENCE) => {
    const deadline = Date.now() + patience;

    for ( ;; ) {
        const value = await probe();

        if (value) {
            return value;
        }

        if (child && child.exitCode !== null) {
            throw new Error(`${child.title} exited with ${child.exitCode}`
                            + `: see ${child.log}`);
        }

        if (Date.now() > deadline) {
            throw new Error(`${what}: not within ${patience} ms`);
        }

        await sleep(10);
    }
};

/* standard output and error go to <dir>/<title>.log */
const start = (dir, title, file, args, env = {}) => {
    const log = path.join(dir, `${title}.log`);
    const fd = fs.openSync(log, 'w');
    const child = spawn(file, args, {
        stdio: ['ignore', fd, fd],
        env: { ...process.env, ...env },
    });

    fs.closeSync(fd);
    child.title = title;
    child.log = log;
    child.gone = new Promise((resolve) => {
        child.on('error', (error) => {
            fs.appendFileSync(log, `${error.message}\n`);
            children.delete(child);
            resolve();
        });
        child.on('exit', () => {
            children.delete(child);
            resolve();
        });
    });
    children.add(child);

    return child;
};

/* user + system µs of a process, all its threads included */
const cpu = (pid) => {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'latin1');
    /* the name, in brackets, may hold spaces; utime is field 14 */
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');

    return (Number(fields[11]) + Number(fields[12])) * TICK;
};

const freePort = () => new Promise((resolve, reject) => {
    const server = net.createServer();

    server.on('error', reject);
    server.listen(0, '127.0.0.1', () => {
        const { port } = server.address();

        server.close(() => resolve(port));
    });
});

const connects = (options) => new Promise((resolve) => {
    const socket = net.connect(options);

    socket.on('connect', () => {
        socket.destroy();
        resolve(true);
    });
    socket.on('error', () => resolve(false));
});

/* -> { child, pid, socket, client }; aof: 'no', 'everysec', 'always' */
const startRedis = async (dir, aof = 'no', command = ['redis-server'],
    more = []) => {
    const socket = path.join(dir, 'redis.sock');

    if (Buffer.byteLength(socket) > SOCKET_PATH_MAX) {
        throw new Error(`the path of a socket is too long: ${socket}`);
    }

    fs.rmSync(socket, { force: true });

    const [file, ...before] = command;
    const child = start(dir, 'redis', file, [
        ...before, '--port', '0', '--unixsocket', socket, '--dir', dir,
        '--save', '', '--appendonly', aof === 'no' ? 'no' : 'yes',
        '--appendfsync', aof === 'no' ? 'everysec' : aof, ...more,
    ]);

    await until('redis-server', () => connects({ path: socket }), child);

    const client = new (npm('ioredis'))({
        path: socket,
        maxRetriesPerRequest: null,
    });

    client.on('error', () => {});      /* told by the command that fails */
    closers.push(() => client.disconnect());

    return { child, pid: child.pid, socket, client };
};

/*
 * -> { child, pid, pids of the worker processes, port }; single: the one process
 * is also the master
 */
const startNginx = async (dir, conf, port,
    { command = ['nginx'], single = false, processes = 1 } = {}) =>
{
    const file = path.join(dir, 'nginx.conf');

    fs.mkdirSync(path.join(dir, 'tmp'), { recursive: true });
    fs.writeFileSync(file, conf);

    const [binary, ...before] = command;
    const child = start(dir, 'nginx', binary,
        [...before, '-p', dir, '-e', path.join(dir, 'error.log'),
         '-c', file]);

    await until('nginx', () => connects({ host: '127.0.0.1', port }), child);

    if (single) {
        return { child, pid: child.pid, pids: [child.pid], port };
    }

    /* the sockets listen before the worker processes are there */
    const list = `/proc/${child.pid}/task/${child.pid}/children`;
    const pids = await until('worker processes of nginx', () => {
        const found = fs.readFileSync(list, 'latin1').match(/\d+/g) || [];

        return found.length >= processes && found.map(Number);
    }, child);

    return { child, pid: pids[0], pids, port };
};

/* the rest of a configuration of NGINX, around `http` */
const nginxConf = (dir, port, http, main = '', module = true) => `
${process.getuid() === 0 ? 'user root;' : ''}
${main}
daemon off;
pid ${dir}/nginx.pid;
worker_rlimit_nofile 8192;
${module ? `load_module ${ROOT}/build/ngx_http_sluice_module.so;` : ''}
events { worker_connections 4096; }
http {
    access_log off;
    keepalive_requests 1000000000;
    client_max_body_size 3m;
    client_body_buffer_size 64k;
    client_body_temp_path ${dir}/tmp;
    proxy_temp_path ${dir}/tmp;
    fastcgi_temp_path ${dir}/tmp;
    uwsgi_temp_path ${dir}/tmp;
    scgi_temp_path ${dir}/tmp;
${http}
}
`;

const stop = async (child) => {
    if (!children.has(child)) {
        return;
    }

    child.kill('SIGTERM');

    const late = setTimeout(() => child.kill('SIGKILL'), 5000);

    await child.gone;
    clearTimeout(late);
};

const stopAll = async () => {
    while (closers.length) {
        closers.pop()();
    }

    /* last started first: the users of Redis before Redis */
    for (const child of [...children].reverse()) {
        await stop(child);
    }
};

/* runs main, stops everything on every way out, exits 1 on failure */
const run = async (main) => {
    for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP']) {
        process.on(signal, () => {
            stopAll().then(() => process.exit(1));
        });
    }

    try {
        process.exitCode = await main() || 0;

    } catch (error) {
        process.stderr.write(`${error.stack}\n`);
        process.exitCode = 1;
    }

    await stopAll();
    process.exit();      /* clients may still be trying to reconnect */
};

/* an empty directory below build/ */
const freshDir = (name) => {
    const dir = path.join(ROOT, 'build', name);

    fs.rmSync(dir, { recursive: true, force: true });
    fs.mkdirSync(dir, { recursive: true });

    return dir;
};

const version = (file, args) => {
    try {
        /* nginx and wrk print theirs to standard error; wrk -v exits 1 */
        return execFileSync('sh', ['-c', '"$0" "$@" 2>&1 || :', file, ...args],
            { encoding: 'utf8' }).split('\n')[0].trim();

    } catch {
        return `${file}: not found`;
    }
};

module.exports = {
    ROOT, npm, sleep, until, start, stop, stopAll, cpu, freePort, connects,
    startRedis, startNginx, nginxConf, run, freshDir, version,
};
