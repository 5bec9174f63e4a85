#!/usr/bin/env node
'use strict';

/*
 * Redis over TLS, for sluiced and sluicectl: whom they trust, by which name, as
 * whom they come, and that jobs of any size go through.
 */

const { spawnSync } = require('child_process');
const fs = require('fs');
const path = require('path');
const { run, ok, is, until, House, dir, root, once, freePort }
    = require('./house');
const { Cluster, Watched } = require('./nodes');
const slotOf = require('../interop/node_modules/cluster-key-slot');

const house = new House('tls');
const ctl = process.env.SLUICECTL || path.join(root, 'build', 'sluicectl');
let port;

const file = (name) => path.join(dir, name);

function openssl(...args) {
    const done = spawnSync('openssl', args, { cwd: dir, encoding: 'utf8' });
    if (done.status !== 0) {
        throw new Error(`openssl ${args[0]}: ${done.stderr}`);
    }
}

function authority(name) {
    openssl('req', '-x509', '-newkey', 'ec:params.pem', '-nodes', '-keyout',
        `${name}.key`, '-subj', `/CN=${name}`, '-days', '30', '-out',
        `${name}.pem`);
}

function certificate(name, ca, alt, days = 30) {
    fs.writeFileSync(file(`${name}.ext`), `subjectAltName=${alt}\n`);
    openssl('req', '-new', '-newkey', 'ec:params.pem', '-nodes', '-keyout',
        `${name}.key`, '-subj', `/CN=${name}`, '-out', `${name}.csr`);
    openssl('x509', '-req', '-in', `${name}.csr`, '-CA', `${ca}.pem`, '-CAkey',
        `${ca}.key`, '-CAcreateserial', '-days', String(days), '-extfile',
        `${name}.ext`, '-out', `${name}.pem`);
}

async function redis(name, ...more) {
    await house.startRedis('--tls-port', String(port), '--bind', '127.0.0.1',
        '--tls-cert-file', file(`${name}.pem`), '--tls-key-file',
        file(`${name}.key`), '--tls-ca-cert-file', file('ca.pem'),
        '--requirepass', 'p4ss', ...more);
    await house.redis.sadd('sluice:queues', 'bull:q');
}

const QUEUE = 'queue "q" { kind = noop }\n';

/* settings, the reason in the log, and sluicectl's options, the same */
const refusals = [
    ['another authority', `redis_tls_ca = "${file('other.pem')}"`,
        /its certificate is not valid: self-signed certificate in/,
        ['--tls-ca', 'other.pem']],
    ['the system trusts it not', '',
        /its certificate is not valid: self-signed certificate in/, []],
    ['another name', `redis_tls_ca = "${file('ca.pem')}"
        redis_tls_name = "redis.internal"`,
    /its certificate is not for "redis.internal"/,
    ['--tls-ca', 'ca.pem', '--tls-name', 'redis.internal']],
    ['another address', `redis_tls_ca = "${file('ca.pem')}"
        redis_tls_name = "127.0.0.2"`,
    /its certificate is not for "127.0.0.2"/,
    ['--tls-ca', 'ca.pem', '--tls-name', '127.0.0.2']],
];

const trusts = [
    ['an address in the certificate', '127.0.0.1',
        `redis_tls_ca = "${file('ca.pem')}"`, ['--tls-ca', 'ca.pem']],
    ['a name in the certificate', 'localhost',
        `redis_tls_ca = "${file('ca.pem')}"`, ['--tls-ca', 'ca.pem']],
    ['a name given', '127.0.0.1', `redis_tls_ca = "${file('ca.pem')}"
        redis_tls_name = "localhost"`,
    ['--tls-ca', 'ca.pem', '--tls-name', 'localhost']],
    ['not verified', '127.0.0.1', 'redis_tls_verify = false',
        ['--tls-no-verify']],
];

const url = (host) => `rediss://:p4ss@${host}:${port}/0`;

function queues(host, options, env) {
    const done = spawnSync(ctl, ['-r', url(host), ...options, 'queues'],
        { cwd: dir, encoding: 'utf8', env: { ...process.env, ...env } });
    return [done.status, done.stderr.trim()];
}

async function reasons(name, settings, reason, options) {
    house.url = url('127.0.0.1');
    const worker = house.run(`${settings}\n${QUEUE}`);
    const [line] = await worker.saw('redis_away');
    ok(reason.test(line.error), `${name}: told`, line);
    is(worker.lines('redis_ready'), [], `${name}: not connected`);
    is(await worker.stop(), 0, `${name}: it ends with 0`);
    const [code, text] = queues('127.0.0.1', options);
    ok(code === 3 && reason.test(text), `${name}: sluicectl`, text);
}

async function works(name, host, settings, options, env) {
    const queue = house.queue('q', { connection: { ...house.connection,
        password: 'p4ss' } });
    house.url = url(host);
    const worker = house.run(`${settings}\n${QUEUE}`,
        { env: { ...process.env, ...env } });
    await worker.ready();
    const job = await queue.add('n', { name });
    await until(async () => await job.getState() === 'completed', 'the job');
    ok(true, `${name}: a job is done`);
    is(await worker.stop(), 0, `${name}: it ends with 0`);
    is(queues(host, options, env), [0, ''], `${name}: sluicectl`);
}

/* more than a record of TLS, a write and a socket's buffer take */
async function large() {
    const queue = house.queue('q', { connection: { ...house.connection,
        password: 'p4ss' } });
    house.url = url('127.0.0.1');
    const worker = house.run(`redis_tls_ca = "${file('ca.pem')}"\n${QUEUE}`);
    await worker.ready();
    const some = await queue.addBulk(Array.from({ length: 20 }, (_, i) => ({
        name: 'n', data: { i, text: 'x'.repeat(700000) } })));
    await until(async () => (await Promise.all(some.map((job) =>
        job.getState()))).every((state) => state === 'completed'), 'all');
    ok(true, 'large: all are done');
    /* a job's data, as sluicectl reads it */
    const done = spawnSync(ctl, ['-c', worker.file, '--json', 'job', 'bull:q',
        some[0].id], { cwd: dir, encoding: 'utf8', maxBuffer: 1e8 });
    is([done.status, JSON.parse(done.stdout).data.text.length], [0, 700000],
        'large: sluicectl, by the settings');

    await queue.addBulk(Array.from({ length: 3000 }, (_, i) => ({ name: 'n',
        data: { i } })));
    await until(async () => await queue.getWaitingCount() === 0
        && await queue.getActiveCount() === 0, 'many');
    is(await queue.getFailedCount(), 0, 'many: all are done');

    await house.redis.client('KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    await worker.saw('redis_ready', 4);
    ok(true, 'a connection that was cut is made again');
    const [line] = worker.lines('redis_away');
    is(line.error, 'closed by Redis', 'and told as that');
    const after = await queue.add('n', {});
    await until(async () => await after.getState() === 'completed', 'the job');
    ok(true, 'and works');
    is(await worker.stop(), 0, 'it ends with 0');
}

async function mutual() {
    const own = `redis_tls_ca = "${file('ca.pem')}"
        redis_tls_cert = "${file('client.pem')}"
        redis_tls_key = "${file('client.key')}"`;
    await works('a client certificate', '127.0.0.1', own, ['--tls-ca', 'ca.pem',
        '--tls-cert', 'client.pem', '--tls-key', 'client.key']);
    await reasons('no client certificate', `redis_tls_ca = "${file('ca.pem')}"`,
        /certificate required|closed/, ['--tls-ca', 'ca.pem']);
}

async function silent() {
    house.url = url('127.0.0.1');
    house.server.kill('SIGSTOP');
    const worker = house.run('redis_timeout = "300ms"\n'
        + `redis_tls_ca = "${file('ca.pem')}"\n${QUEUE}`);
    const [line] = await worker.saw('redis_away');
    is(line.error, 'timed out connecting', 'a silent handshake: told');
    house.server.kill('SIGCONT');
    await worker.ready();
    is(await worker.stop(), 0, 'back by itself, and ends with 0');
}

const tls = () => [`tls-cert-file ${file('good.pem')}`,
    `tls-key-file ${file('good.key')}`, `tls-ca-cert-file ${file('ca.pem')}`];

/* a job of each tenant is done; sluicectl finds what the settings say */
async function done(name, url_, tenants, connections) {
    house.url = url_;
    const worker = house.run(`redis_tls_ca = "${file('ca.pem')}"
        queue "q" { kind = noop tenants = {${tenants.map((tenant) =>
        `"${tenant}"`).join(', ')}} }`);
    for (const [i, tenant] of tenants.entries()) {
        const queue = house.queue('q', { prefix: `{${tenant}}`,
            connection: connections[i] });
        const job = await queue.add('n', {});
        await until(async () => await job.getState() === 'completed',
            `the job of ${tenant}`, 30000);
    }
    ok(true, `${name}: jobs are done`);
    const list = spawnSync(ctl, ['-c', worker.file, 'queues'],
        { cwd: dir, encoding: 'utf8' });
    is([list.status, tenants.every((tenant) =>
        list.stdout.includes(`${tenant}/q`))], [0, true], `${name}: sluicectl`);
    return worker;
}

/* nodes ask for one another over TLS, too */
async function cluster() {
    const nodes = await Cluster.start('tls-cluster', 3, 0, tls());
    const owners = new Map();
    for (let i = 0; owners.size < 3; i += 1) {
        const node = await nodes.owner(slotOf(`t${i}`));
        owners.set(node, owners.get(node) || `t${i}`);
    }
    const at = (node) => ({ host: '127.0.0.1', port: node.port });
    const worker = await done('a cluster', nodes.url, [...owners.values()],
        [...owners.keys()].map(at));

    const [[from, tenant], [to]] = owners;
    await nodes.move(slotOf(tenant), to);
    const queue = house.queue('q', { prefix: `{${tenant}}`,
        connection: at(to) });
    const job = await queue.add('n', {});
    await until(async () => await job.getState() === 'completed', 'the job',
        30000);
    ok(from !== to, 'a cluster: a slot that was moved');
    is(await worker.stop(), 0, 'a cluster: it ends with 0');

    house.url = nodes.url;
    const other = house.run(`redis_tls_ca = "${file('other.pem')}"
        queue "q" { kind = noop tenants = {"${tenant}"} }`);
    const [line] = await other.saw('cluster_map_failed');
    ok(/its certificate is not valid: self-signed certificate in/
        .test(line.error), 'a cluster: another authority', line);
    is(other.lines('redis_ready'), [], 'a cluster: not connected');
    await other.stop();
    await Promise.all(nodes.nodes.map((node) => node.kill()));
}

async function sentinels() {
    const watched = await Watched.start('tls-sentinel', 1, 3, tls());
    const at = (server) => ({ host: '127.0.0.1', port: server.port });
    const old = await watched.master();
    const worker = await done('sentinels', watched.url, ['acme'], [at(old)]);

    await until(() => watched.sentinels[0].redis.call('SENTINEL', 'FAILOVER',
        watched.name).then(() => true, () => false), 'a failover');
    const master = await until(async () => {
        const now = await watched.master();
        return now && now !== old && now;
    }, 'another master', 30000);
    const queue = house.queue('q', { prefix: '{acme}', connection: at(master) });
    const job = await queue.add('n', {});
    await until(async () => await job.getState() === 'completed', 'the job',
        60000);
    ok(true, 'sentinels: another master');
    is(await worker.stop(), 0, 'sentinels: it ends with 0');
    await Promise.all([...watched.servers, ...watched.sentinels].map((server) =>
        server.kill()));
}

/* what -t says to settings that cannot work */
function settings() {
    const head = `redis = "rediss://h"\n`;
    const cases = [
        ['a file that is not there', 'redis_tls_ca = "none.pem"\n',
            'redis_tls_ca "none.pem" cannot be used: No such file or directory'],
        ['a file that is no PEM', 'redis_tls_ca = "ca.key"\n',
            /redis_tls_ca "ca.key" cannot be used: /],
        ['a key of another certificate', 'redis_tls_cert = "client.pem"\n'
            + 'redis_tls_key = "ca.key"\n',
        'redis_tls_key "ca.key" cannot be used: key values mismatch'],
        ['a key with a password', 'redis_tls_cert = "client.pem"\n'
            + 'redis_tls_key = "locked.key"\n',
        /redis_tls_key "locked.key" cannot be used: /],
        ['a certificate without its key', 'redis_tls_cert = "client.pem"\n',
            'redis_tls_cert and redis_tls_key go together'],
        ['a name that is not looked at', 'redis_tls_verify = false\n'
            + 'redis_tls_name = "h"\n',
        /^redis_tls_ca and redis_tls_name are of no use/],
        ['an empty one', 'redis_tls_name = ""\n', 'redis_tls_name is empty'],
        ['good ones', 'redis_tls_ca = "ca.pem"\nredis_tls_cert = "client.pem"\n'
            + 'redis_tls_key = "client.key"\n', null],
    ];
    for (const [name, text, expected] of cases) {
        fs.writeFileSync(file('a.conf'), head + text + QUEUE);
        const told = once(['-c', 'a.conf', '-t']);
        const line = told.err.replace(/^a\.conf:\d+: /, '').trim();
        ok(told.code === (expected ? 1 : 0) && (!expected || (expected.test
            ? expected.test(line) : expected === line)), `-t: ${name}`, told);
    }
    fs.writeFileSync(file('a.conf'),
        `redis = "redis://h"\nredis_tls_ca = "ca.pem"\n${QUEUE}`);
    ok(/redis_tls_\.\.\. is for rediss:\/\/ only/
        .test(once(['-c', 'a.conf', '-t']).err), '-t: without TLS');
    const done = spawnSync(ctl, ['-r', 'redis://h', '--tls-ca', 'ca.pem',
        'queues'], { cwd: dir, encoding: 'utf8' });
    is([done.status, done.stderr], [2,
        'sluicectl: --tls-... is for -r rediss://... only\n'],
    'sluicectl without TLS');
    is(queues('127.0.0.1', ['--tls-ca', 'none.pem']), [2, 'sluicectl: --tls-ca'
        + ' "none.pem" cannot be used: No such file or directory'],
    'sluicectl with a file that is not there');
}

run(async () => {
    port = await freePort();
    openssl('ecparam', '-name', 'prime256v1', '-out', 'params.pem');
    ['ca', 'other'].forEach(authority);
    certificate('good', 'ca', 'DNS:localhost,IP:127.0.0.1');
    certificate('expired', 'ca', 'DNS:localhost,IP:127.0.0.1', -1);
    certificate('client', 'ca', 'DNS:worker');
    openssl('ec', '-in', 'client.key', '-out', 'locked.key', '-aes128',
        '-passout', 'pass:secret');

    await redis('good', '--tls-auth-clients', 'no');
    for (const [name, host, text, options] of trusts) {
        await works(name, host, text, options);
    }
    await works('the system trusts it', '127.0.0.1', '', [],
        { SSL_CERT_FILE: file('ca.pem') });
    for (const refusal of refusals) {
        await reasons(...refusal);
    }
    await large();
    await silent();
    settings();
    await house.stopRedis();
    await cluster();
    await sentinels();

    await redis('expired', '--tls-auth-clients', 'no');
    await reasons('expired', `redis_tls_ca = "${file('ca.pem')}"`,
        /its certificate is not valid: certificate has expired/,
        ['--tls-ca', 'ca.pem']);
    await house.stopRedis();

    await redis('good', '--tls-auth-clients', 'yes');
    await mutual();
});
