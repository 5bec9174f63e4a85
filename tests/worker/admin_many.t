#!/usr/bin/env node
'use strict';

/* The REST API over queues of any tenant, which are in the registry. */

const http = require('http');
const path = require('path');
const { run, ok, is, until, House, dir } = require('./house');
const { Cluster } = require('./nodes');
const rest = require('./rest');

const KEY = 'key-of-all-queues';
const ACME = 'key-of-acme-alone';
const socketPath = path.join(dir, 'many-rest.sock');
const { ask, refused } = rest(socketPath, KEY);

const settings = `sweep = 1h
admin { listen = "unix:${socketPath}"
    key = "${KEY}" tenant "acme" { key = "${ACME}" } }
queue "m" { tenants = {"*"} kind = noop }
queue "e" { tenants = {"*"} kind = noop bullmq = 5 }
queue "listed m" { name = "m" tenants = {"listed"} kind = noop }
queue "n" { kind = noop prefix = "bull" }`;

const names = (queues) => queues.map((queue) => `${queue.tenant}:${queue.name}`)
    .sort();

/* all pages of the list */
async function list(count, key = KEY) {
    const found = [];
    let pages = 0;
    let most = 0;
    for (let next = ''; next !== null; pages += 1) {
        const got = await ask('GET', `/queues?count=${count}${next
            && `&cursor=${next}`}`, { key });
        if (got.status !== 200) {
            return { found: new Set() };
        }
        found.push(...got.json.queues);
        most = Math.max(most, got.json.queues.length);
        next = got.json.next;
    }
    return { found: new Set(names(found)), queues: found, pages, most };
}

/* the first event of the stream */
function reader(where, key) {
    return new Promise((done, fail) => {
        const request = http.get({ socketPath, path: where,
            headers: { authorization: `Bearer ${key}` } }, (answer) => {
            let text = '';
            answer.on('data', (data) => {
                text += data;
                const event = /event: (\w+)\ndata: (.*)\n/.exec(text);
                if (event) {
                    request.destroy();
                    done({ event: event[1], data: JSON.parse(event[2]) });
                } else if (text.startsWith('id:')) {
                    reader.open();
                }
            });
        });
        request.on('error', fail);
    });
}

async function listed(house) {
    await house.redis.sadd('sluice:queues', '{acme}:m', '{acme}:other',
        '{listed}:m', '{globex}:e', 'bull:n', '{no good}:m', '{x}:m:y');
    const all = await ask('GET', '/queues');
    is(names(all.json.queues), ['acme:m', 'globex:e', 'listed:m', 'null:n'],
        'all queues: those of the settings, and of them in the registry');
    is(all.json.next, null, 'in one page');
    is(all.json.queues.find((queue) => queue.tenant === 'globex'),
        { name: 'e', tenant: 'globex', prefix: '{globex}', kind: 'noop',
            bullmq: 5 }, 'as the section of any tenant says');
    is(names((await ask('GET', '/queues', { key: ACME })).json.queues),
        ['acme:m'], 'a key of a tenant sees its own');
    is(names((await ask('GET', '/tenant/globex/queues')).json.queues),
        ['globex:e'], 'those of a tenant by path');
    for (const [tenant, key] of [['globex', ACME], ['nobody', KEY],
        ['no%20good', KEY]]) {
        is((await ask('GET', `/tenant/${tenant}/queues`, { key })).json.queues,
            [], `none of ${tenant}`);
    }
    is(names((await ask('GET', '/tenant/listed/queues')).json.queues),
        ['listed:m'], 'a listed tenant has its queue once');

    const many = Array.from({ length: 3000 }, (_, i) => `{t${i}}:m`);
    await house.redis.sadd('sluice:queues', many);
    const { found, pages, most } = await list(50);
    is(found.size, 3004, 'pages show all of 3000 more');
    ok(pages > 20 && most < 200, 'some a page', { pages, most });
    is((await list(200, ACME)).queues.length, 1, 'but those of the tenant to it');
    for (const cursor of ['', 'x', '-1', '9'.repeat(30), '1%20']) {
        await refused(`cursor=${cursor}`, [400, 'cursor'], 'GET',
            `/queues?cursor=${cursor}`);
    }
    for (const count of ['0', '201', 'x']) {
        await refused(`count=${count}`, [400, 'count'], 'GET',
            `/queues?count=${count}`);
    }
}

async function found(house, worker) {
    await refused('without tenant it may be of several', [409, 'name'], 'GET',
        '/queue/m');
    await refused('a name of no section', [404, 'name'], 'GET',
        '/tenant/acme/queue/other');
    await refused('a tenant that is not in the registry', [404, 'name'], 'GET',
        '/tenant/globex/queue/m');
    await refused('to which nothing can be added', [404, 'name'], 'POST',
        '/tenant/globex/queue/m/job/delayed', { body: { name: 'a' } });
    await refused('another tenant', [404, 'name'], 'GET',
        '/tenant/globex/queue/e', { key: ACME });
    await refused('another tenant, listed', [404, 'name'], 'PUT',
        '/tenant/listed/queue/m/pause', { key: ACME });
    for (const tenant of ['no%20good', '%7Bacme%7D', '*', 'x'.repeat(65),
        'a%3Am', '..%2Facme']) {
        await refused(`a tenant ${tenant}`.slice(0, 30), [404, 'name'], 'GET',
            `/tenant/${tenant}/queue/m`);
    }
    is((await house.redis.keys('{*')).filter((key) => !/^\{listed\}/.test(key)),
        [], 'nothing was written by that');

    is((await ask('GET', '/queue/m', { key: ACME })).json.name, '{acme}:m',
        'the key says whose it is');
    is((await ask('GET', '/tenant/acme/queue/m')).json.name, '{acme}:m',
        'or the path');
    is((await ask('GET', '/tenant/acme/queue/m', { key: ACME })).json.name,
        '{acme}:m', 'or both');
    is((await ask('GET', '/tenant/listed/queue/m')).json.name, '{listed}:m',
        'one that is listed needs no registry');
    is((await ask('GET', '/queue/n')).json.name, 'bull:n',
        'one without tenant is as before');
    const opened = worker.lines('queue_opened').length;
    is(opened, 0, 'no queue was opened for a question');
}

async function used(house) {
    const base = '/tenant/acme/queue/m';

    is((await ask('PUT', `${base}/pause`)).status, 200, 'paused');
    is(await house.redis.hget('{acme}:m:meta', 'paused'), '1', 'in Redis');
    const opening = new Promise((done) => { reader.open = done; });
    const event = reader(`${base}/events`, ACME);
    await opening;
    const made = await ask('POST', `${base}/job/delayed`, { key: ACME,
        body: { name: 'a', id: '1', delay: 3600000, data: { x: 1 } } });
    is([made.status, made.json.id], [201, 'm-1'], 'a delayed job');
    is((await event).data.jobId, 'm-1', 'its event');
    is((await ask('GET', `${base}/jobs?state=delayed`)).json.jobs
        .map((job) => [job.id, job.data]), [['m-1', { x: 1 }]], 'a page');
    is((await ask('GET', `${base}/jobs/m-1`)).json.state, 'delayed', 'one job');
    await refused('not through another tenant', [404, 'name'], 'GET',
        '/tenant/nobody/queue/m/jobs/m-1');
    is((await ask('PATCH', `${base}/job/delayed/m-1`, { body: { delay: 5000 } }))
        .status, 200, 'changed');
    is((await ask('PUT', `${base}/promote/job/delayed/m-1`)).status, 200,
        'promoted');
    is((await ask('POST', `${base}/job/repeatable`, { body: { name: 's',
        pattern: '0 0 1 1 *' } })).status, 201, 'a scheduler');
    is((await ask('DELETE', `${base}/job/repeatable`)).status, 200, 'removed');
    is((await ask('PUT', `${base}/resume`)).status, 200, 'resumed');
    await until(async () => await house.redis.zcard('{acme}:m:completed') === 1,
        'the job');
    ok(true, 'and worked on: the word opens it');
    await ask('PUT', `${base}/pause`);
    is((await ask('DELETE', `${base}?confirm=m`)).json, { obliterated: true },
        'removed with all that is in it');
    is((await ask('GET', base)).status, 200, 'it is still in the registry');
}

async function changed(house, worker) {
    house.write(settings.replace(/^queue "m".*$/m, ''));
    worker.signal('SIGHUP');
    await worker.saw('reloaded', 1);
    await refused('a section that left the settings', [404, 'name'], 'GET',
        '/tenant/acme/queue/m');
    is(names((await ask('GET', '/queues', { key: ACME })).json.queues), [],
        'nor is it listed');
    await house.stopRedis('SIGKILL');
    await until(async () => (await ask('GET', '/tenant/globex/queue/e'))
        .status === 503, '503');
    ok(true, 'without Redis nobody knows');
    await refused('nor which there are', [503, undefined], 'GET', '/queues');
    is(await worker.stop(), 0, 'it ends with 0');
}

async function cluster(house) {
    const nodes = await Cluster.start('manyrest', 3);
    house.url = nodes.url;
    const worker = house.run(settings.replace(/^queue "n".*$/m, ''));
    const all = Array.from({ length: 20 }, (_, i) => `{t${i}}:m`);
    await nodes.redis.sadd('sluice:queues', all);
    await worker.saw('started', 1);
    await until(async () => (await list(200)).found.size === 21, 'the list');
    ok(true, 'the list of a cluster');
    for (let i = 0; i < 20; i += 1) {
        await until(async () => (await ask('POST',
            `/tenant/t${i}/queue/m/job/delayed`, { body: { name: 'a' } }))
            .status === 201, `t${i}`);
    }
    ok(true, 'tenants on all nodes of a cluster');
    await worker.stop();
}

run(async () => {
    const house = new House('manyrest');
    await house.startRedis();
    const worker = house.run(settings);
    await worker.ready();
    await until(async () => (await ask('GET', '/queue/n')).status === 200,
        'the API');
    await listed(house);
    await found(house, worker);
    await used(house);
    await changed(house, worker);
    await cluster(house);
});
