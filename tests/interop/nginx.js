'use strict';

/*
 * An NGINX with our module on a unix socket below build/tests/, and a client
 * of it.
 */

const { spawn, spawnSync } = require('child_process');
const fs = require('fs');
const http = require('http');
const path = require('path');
const { root } = require('../lua/server');
const tap = require('../lua/tap');

const nginx = process.env.TEST_NGINX_BINARY || '/usr/sbin/nginx';

module.exports = (name) => {
    const dir = path.join(root, 'build', 'tests', `${name}-${process.pid}`);
    const socketPath = path.join(dir, 'n');
    const log = path.join(dir, 'error.log');

    fs.mkdirSync(dir, { recursive: true });

    function ask(method, target, body = '', headers = {}) {
        return new Promise((resolve, reject) => {
            const request = http.request({ socketPath, path: target, method,
                headers: { ...headers,
                    'Content-Length': Buffer.byteLength(body) } },
            (response) => {
                const parts = [];
                response.on('data', (part) => parts.push(part));
                response.on('end', () => resolve({
                    status: response.statusCode,
                    body: Buffer.concat(parts).toString() }));
            });
            request.on('error', reject);
            request.end(body);
        });
    }

    /* while `fn` runs; `http` is what stands in http { } beside its server */

    async function serve(http_, locations, fn) {
        const user = process.getuid() === 0 ? 'user root root;' : '';
        const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
            .map((what) => `${what}_temp_path ${dir}/${what};`).join(' ');
        const file = path.join(dir, 'nginx.conf');

        fs.writeFileSync(file, `${user} daemon off; worker_processes 2;
load_module ${root}/build/ngx_http_sluice_module.so;
pid ${dir}/nginx.pid; error_log ${log} notice;
events { worker_connections 512; }
http {
    access_log off; ${temporary}
    ${http_}
    server {
        listen unix:${socketPath};
        location = / { return 204; }
        ${locations}
    }
}`);

        const options = ['-p', dir, '-c', file, '-e', log];
        const test = spawnSync(nginx, ['-t', ...options], { encoding: 'utf8' });
        tap.ok(test.status === 0, 'nginx -t', test.stderr);
        const child = spawn(nginx, options, { stdio: 'ignore' });
        const gone = new Promise((done) => { child.on('exit', done); });
        const kill = () => child.kill('SIGTERM');
        process.on('exit', kill);

        try {
            await tap.until(() => ask('GET', '/').then(() => true,
                () => false), 'NGINX');
            await fn();
        } finally {
            child.kill('SIGQUIT');
            tap.ok(await gone === 0, 'NGINX ends');
            process.off('exit', kill);
        }

        const errors = fs.readFileSync(log, 'utf8');
        fs.rmSync(dir, { recursive: true, force: true });

        return errors.split('\n');
    }

    return { dir, ask, serve };
};
