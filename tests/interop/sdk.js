'use strict';

/*
 * The edge and the senders' own libraries: what they sign the edge accepts,
 * what they refuse it refuses.  Libraries that only verify are asked about
 * what is signed here, so that both say the same of it.
 *
 *   node tests/interop/sdk.js
 */

const { spawn, spawnSync } = require('child_process');
const fs = require('fs');
const http = require('http');
const path = require('path');
const tap = require('../lua/tap');
const { SECRET, senders } = require('./sdk/senders');

const root = path.join(__dirname, '..', '..');
const nginx = process.env.TEST_NGINX_BINARY || '/usr/sbin/nginx';
const dir = path.join(root, 'build', 'tests', `sdk-${process.pid}`);
const socket = path.join(dir, 'n');
const settled = (fn) => Promise.resolve().then(fn)
    .then((value) => value === true, () => false);

function configuration(all) {
    const user = process.getuid() === 0 ? 'user root root;' : '';
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
        .map((name) => `${name}_temp_path ${dir}/${name};`).join(' ');
    const locations = Object.entries(all).map(([name, one], i) => {
        const file = path.join(dir, `secret-${i}`);
        fs.writeFileSync(file, `${one.secret || SECRET}\n`, { mode: 0o600 });
        return `location = /${i} { sluice_verify ${one.scheme || name}
            secret=file:${file} ${one.conf || ''};
            sluice_respond 200 taken; }`;
    });

    return `${user} daemon off; worker_processes 1;
load_module ${root}/build/ngx_http_sluice_module.so;
pid ${dir}/nginx.pid; error_log ${dir}/error.log notice;
events { worker_connections 512; }
http {
    access_log off; ${temporary}
    server { listen unix:${socket}; ${locations.join('\n')} }
}`;
}

function ask(target, body, headers) {
    return new Promise((resolve, reject) => {
        const request = http.request({ socketPath: socket, path: target,
            method: 'POST', headers: { Host: 'hooks.example.com', ...headers,
                'Content-Length': Buffer.byteLength(body) } },
        (response) => {
            const parts = [];
            response.on('data', (part) => parts.push(part));
            response.on('end', () => resolve({ status: response.statusCode,
                body: Buffer.concat(parts).toString() }));
        });
        request.on('error', reject);
        request.end(body);
    });
}

/* One character in the middle is another, in whatever encoding. */

function altered(value) {
    const middle = value.length >> 1;

    return value.slice(0, middle) + (value[middle] === 'b' ? 'c' : 'b')
        + value.slice(middle + 1);
}

async function both(name, one, location) {
    const body = one.body || '{"id":"ev_1","object":"event","type":"a.b"}';
    const target = location + (one.query ? one.query(body) : '');
    const type = { 'Content-Type': one.type || 'application/json' };
    const signed = await one.sign(body, target);

    const judged = async (what, expected, text, headers) => {
        const { status } = await ask(target, text, { ...type, ...headers });

        tap.is(status, expected ? 200 : 401,
            `${name}: ${what}, ${expected ? 'taken' : 'refused'}`);
        tap.is(await settled(() => one.verify(text, headers, target)),
            expected, `${name}: ${what}, the library says so, too`);
    };

    await judged('signed', true, body, signed);

    if (!one.tokenOnly) {
        await judged('another body', false, body.replace('ev_1', 'xxxx'),
            signed);
    }

    for (const field of Object.keys(signed)) {
        const without = { ...signed };
        delete without[field];
        await judged(`without ${field}`, false, body, without);
        await judged(`another ${field}`, false, body,
            { ...signed, [field]: altered(signed[field]) });
    }

    if (one.handshake) {
        const headers = await one.sign(one.handshake, target);
        const answer = await ask(target, one.handshake,
            { ...type, ...headers });
        const sorted = (object) => Object.entries(object).sort();

        tap.is(sorted(JSON.parse(answer.body)), sorted(await one.answer(
            one.handshake, headers)), `${name}: the library's answer`);
    }
}

async function main() {
    fs.mkdirSync(dir, { recursive: true });
    const all = await senders();
    fs.writeFileSync(path.join(dir, 'nginx.conf'), configuration(all));

    const arguments_ = ['-p', dir, '-c', path.join(dir, 'nginx.conf'), '-e',
        path.join(dir, 'error.log')];
    const test = spawnSync(nginx, ['-t', ...arguments_], { encoding: 'utf8' });
    tap.ok(test.status === 0, 'nginx -t', test.stderr);
    const child = spawn(nginx, arguments_, { stdio: 'ignore' });
    const gone = new Promise((done) => { child.on('exit', done); });
    const kill = () => child.kill('SIGTERM');
    process.on('exit', kill);

    try {
        await tap.until(() => ask('/none', '', {}).then(() => true,
            () => false), 'NGINX');
        let location = 0;
        for (const [name, one] of Object.entries(all)) {
            await both(name, one, `/${location}`);
            location += 1;
        }
    } finally {
        child.kill('SIGQUIT');
        tap.ok(await gone === 0, 'NGINX ends');
        process.off('exit', kill);
    }

    fs.rmSync(dir, { recursive: true, force: true });
}

tap.run(main);
