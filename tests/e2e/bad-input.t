#!/usr/bin/env node
'use strict';

/*
 * What is wrong, sent to the whole house: a clear answer, nothing enqueued,
 * nothing sent, nobody falls over; what the edge cannot know is refused by
 * sluiced with a reason.  Single steps have their own tests, not repeated here:
 *
 *   signatures, secrets   t/20-verify.t, empty at nginx -t: t/00-directives.t
 *   bodies                t/40-body.t
 *   JSON                  t/50-json.t, tests/unit/test_json_*.c
 *   settings              tests/worker/settings.t
 *   states of Redis       t/70-redis-down.t, tests/worker/jobs.t
 */

const fs = require('fs');
const net = require('net');
const path = require('path');
const { run, ok, is, until, House, Worker, Graph, Edge, closing, dir, count,
    once, sign, SERVER, ACME } = require('./edge');

const house = new House('bad');
const STORE = 'bad.db';
let edge;
let graph;
let file;

const api = { Authorization: 'Bearer acme-api-key' };
const send = (body, headers = api) => edge.ask('POST',
    `/v26.0/${ACME}/messages`, body, headers);
const hook = (body, headers) => edge.ask('POST', '/hooks/meta/acme', body,
    headers);

const good = '{"object":"whatsapp_business_account","entry":[]}';
const deep = (n) => `${'['.repeat(n)}${']'.repeat(n)}`;
const large = (bytes) => JSON.stringify({ object: 'x',
    entry: [{ id: 'y'.repeat(bytes - 40), changes: [] }] });
const zero = Buffer.from('{"object":"a\0b","entry":[]}');

/* what, request, the status, and what the answer's detail says */
const refused = [
    ['a webhook: bad JSON', () => hook('{"entry":', sign('{"entry":')), 400,
        /JSON/],
    ['a webhook: a signature of another body', () => hook(good, sign('{}')),
        401],
    ['a webhook: another secret', () => hook(good, sign(good, 'wrong')), 401],
    ['a webhook: no signature', () => hook(good, {}), 401],
    ['a webhook: two signatures, both right', () => hook(good,
        { 'X-Hub-Signature-256': Array(2).fill(
            sign(good)['X-Hub-Signature-256']) }), 401],
    ['a webhook: a signature of the raw key of nobody', () => edge.ask('POST',
        '/hooks/meta/nobody', good, sign(good, '')), 401],
    ['a webhook: unknown tenant', () => edge.ask('POST', '/hooks/meta/nobody',
        good, sign(good)), 401],
    ['a webhook: empty body, unsigned', () => hook('', {}), 401],
    ['a webhook: empty body, signed', () => hook('', sign('')), 400],
    ['a webhook: over client_max_body_size', () => hook(large(4200000),
        sign(large(4200000))), 413],
    ['a webhook: deep JSON', () => hook(deep(5000), sign(deep(5000))), 400,
        /JSON/],
    ['a webhook: NUL bytes', () => hook(zero, sign(zero)), 400, /JSON/],
    ['a webhook: an empty secret', () => edge.ask('POST', '/empty', good,
        sign(good, '')), 401],
    ['a webhook: an unset secret', () => edge.ask('POST', '/unset', good,
        sign(good, '')), 401],
    ['a webhook: GET', () => edge.get('/hooks/meta/acme'), 405],
    ['a message: no key', () => send('{"to":"1"}', {}), 401],
    ['a message: another tenant\'s key', () => send('{"to":"1"}',
        { Authorization: 'Bearer globex-api-key' }), 401],
    ['a message: an empty key', () => send('{"to":"1"}',
        { Authorization: 'Bearer ' }), 401],
    ['a message: a number of nobody', () => edge.ask('POST',
        '/v26.0/1/messages', '{}', api), 401],
    ['a message: bad JSON', () => send('{"to":}'), 400, /JSON/],
    ['a message: empty body', () => send(''), 400],
    ['a message: "to" twice', () => send('{"to":"1","to":"2"}'), 400,
        /duplicate member/],
    ['a message: deep JSON', () => send(`{"to":"1","x":${deep(3000)}}`), 400,
        /JSON/],
];

/* what the edge takes, for it is JSON: sluiced says why it is not sent */
const message = (extra) => JSON.stringify({ messaging_product: 'whatsapp',
    to: '15557000001', type: 'text', text: { body: 'x' }, ...extra });
const dead = [
    ['no recipient', message({ to: undefined }), /recipient|"to"/],
    ['a recipient that is no number', message({ to: 'nobody\n' }), /to/],
    ['a recipient that is an object', message({ to: {} }), /to/],
    ['no text', message({ text: undefined }), /text/],
    ['a text of 5,000', message({ text: { body: 'x'.repeat(5000) } }), /text/],
    ['a type that is none', message({ type: 'pigeon' }), /type/],
    ['an array', `[${message({})}]`, /object/],
    ['a string', '"hello"', /object/],
    ['null', 'null', /object/],
    ['deep, but allowed by the edge', `{"to":"15557000001","type":"text",`
        + `"text":{"body":"x"},"x":${deep(60)}}`, null],
];

async function empty() {
    const keys = (await house.redis.keys('*'))
        .filter((key) => /:(wait|active|completed|failed)$/.test(key));
    return keys;
}

async function answers() {
    const before = edge.processes();
    for (const [name, ask, expected, detail] of refused) {
        const answer = await ask();
        const problem = /^application\/problem\+json/.test(
            answer.headers['content-type'] || '');
        ok(answer.status === expected && (expected === 413 || expected === 405
            || problem) && (!detail || detail.test(answer.text)),
        `${name}: ${expected}`, `${answer.status} ${answer.text}`);
        ok(!/app-secret|api-key|sha256=/.test(answer.text),
            `${name}: no secret in the answer`, answer.text);
    }
    is(await empty(), [], 'nothing of it is enqueued');
    const status = await edge.status();
    is([status.events.enqueued, status.events.failed], [0, 0],
        'the ledger agrees');
    is(edge.processes(), before, 'no process has ended');
    is((await hook(good, sign(good))).status, 200, 'a good one passes');
}

async function sized() {
    /* 3 MB, as Meta may send: in a file at the edge, read by sluiced */
    const body = JSON.stringify({ object: 'whatsapp_business_account',
        entry: [{ id: '1', changes: [{ field: 'messages', value: {
            metadata: { phone_number_id: ACME }, statuses: Array.from(
                { length: 2000 }, (_, i) => ({ id: `wamid.${i}`,
                    status: 'read', timestamp: '1700000000',
                    recipient_id: `1555${i}`, pad: 'z'.repeat(1450) })) } }] }],
    });
    ok(body.length > 2900000 && body.length < 3145728, '3 MB', body.length);
    is((await hook(body, sign(body))).status, 200, '3 MB: accepted');
    await until(() => count(STORE) === 2000, '2,000 rows')
        .catch(() => {});
    is(count(STORE, "status = 'read'"), 2000,
        '3 MB: each of its 2,000 statuses is a row');
}

async function reasons() {
    const queue = house.queue('messages', { prefix: '{acme}' });
    for (const [name, body, pattern] of dead) {
        const answer = await send(body);
        if (answer.status === 400) {
            ok(true, `${name}: the edge refuses it`);
            continue;
        }
        const { id } = JSON.parse(answer.text).messages[0];
        const job = await until(async () => {
            const found = await queue.getJob(id);
            return found && found.finishedOn && found;
        }, name);
        ok(pattern ? pattern.test(job.failedReason || '')
            && job.attemptsMade === 1 : job.returnvalue.provider_id,
        `${name}: ${pattern ? 'dead at once, with the reason' : 'sent'}`,
        job.toJSON());
    }
    is((await graph.requests()).length, dead.filter(([, , pattern]) =>
        !pattern).length, 'nothing of it is asked of the provider');

    /* a zero byte in a text is the application's */
    const answer = await send(message({ text: { body: 'a\u0000b' } }));
    is(answer.status, 200, 'a NUL that is escaped: accepted');
    const { id } = JSON.parse(answer.text).messages[0];
    const job = await until(async () => {
        const found = await queue.getJob(id);
        return found && found.finishedOn && found;
    }, 'the NUL');
    ok(job.returnvalue || job.failedReason, 'a NUL that is escaped: settled',
        job.toJSON());
}

async function settings(worker) {
    const bad = house.write('pace = 7\n\nqueue "q" { kind = walk }\n',
        'wrong.conf');
    const done = once(['-c', bad]);
    ok(done.code === 1 && /wrong.conf:3: pace must/.test(done.err)
        && /wrong.conf:5: queue "q": kind must/.test(done.err),
    'sluiced does not start with wrong settings, and names all lines', done);
    fs.copyFileSync(bad, file);
    worker.signal('SIGHUP');
    await worker.saw('reload_refused');
    is((await edge.message('acme', '15557000002')).status, 200,
        'wrong settings at HUP');
    await until(async () => (await graph.requests('15557000002')).length,
        'the message');
    ok(true, 'the old settings are worked by');
}

/* INFO says 5.0.7, everything else is as it should be */
function old(socket) {
    const info = '# Server\r\nredis_version:5.0.7\r\n';
    const clients = new Set();
    const server = net.createServer((client) => {
        client.on('error', () => {});
        clients.add(client);
        let text = '';
        client.on('data', (data) => {
            text += data.toString('latin1');
            /* *N, then N times $length and bytes; none here has a CRLF inside */
            for (;;) {
                const lines = text.split('\r\n');
                const n = 2 * Number(lines[0].slice(1)) + 1;
                if (!/^\*/.test(text) || lines.length <= n) {
                    return;
                }
                text = lines.slice(n).join('\r\n');
                client.write(lines[2] === 'INFO'
                    ? `$${info.length}\r\n${info}\r\n` : '+OK\r\n');
            }
        });
    });
    const end = () => {
        server.close();
        clients.forEach((client) => client.destroy());
    };
    closing.push(end);
    return new Promise((done) => { server.listen(socket, () => done(end)); });
}

async function unsupported() {
    const place = new House('old');
    const end = await old(place.socket);
    const door = await new Edge('door', `unix:${place.socket}`,
        { options: 'timeout=2s' }).start();
    const answer = await door.hook('acme', good);
    is(answer.status, 503, 'Redis 5.0.7: the edge answers 503');
    ok(/^[1-9]/.test(answer.headers['retry-after'] || ''),
        'Redis 5.0.7: with Retry-After', answer.headers);
    const worker = place.run('queue "q" { kind = noop }');
    const told = /Redis 5\.0\.7 is too old, 6\.2 or later is needed/;
    await until(() => told.test(fs.readFileSync(door.log, 'utf8')),
        'the log of the edge');
    ok(true, 'Redis 5.0.7: the log of the edge says what is needed');
    await worker.saw('redis_away');
    ok(told.test(worker.child.out), 'Redis 5.0.7: so does sluiced',
        worker.child.out);
    ok(worker.child.code === undefined, 'and waits for another');
    is((await door.get('/sluice/health')).status, 503, 'the edge is not ready');

    /* another takes its place */
    end();
    fs.rmSync(place.socket, { force: true });
    await place.startRedis();
    await until(async () => (await door.hook('acme', good)).status === 200,
        'the edge to take the new one', 30000);
    ok(true, 'a newer one in its place: the edge goes on by itself');
    await worker.ready();
    ok(true, 'and sluiced');
    is(await worker.stop(), 0, 'sluiced ends with 0');
    await door.stop();
}

run(async () => {
    await house.startRedis();
    edge = await new Edge('edge', `unix:${house.socket}`, {
        more: 'map $uri $nothing { default ""; }',
        server: `${SERVER}
    location = /empty { sluice_verify meta secret=$nothing;
                        sluice_enqueue e; }
    location = /unset { sluice_verify meta secret=$http_x_unset;
                        sluice_enqueue e; }`,
    }).start();
    graph = await Graph.start('--token', 'T');
    await answers();

    file = house.write(`
store = "${dir}/${STORE}"
pace = 1
channel "whatsapp" { base_url = "${graph.url}" token = "T" timeout = "5s" }
number "${ACME}" { rate = 1000 }
queue "messages" { channel = "whatsapp" tenants = {"acme"} }
queue "events" { kind = events tenants = {"acme"} }
`);
    const worker = new Worker(file);
    await worker.ready();
    await sized();
    await reasons();
    await settings(worker);
    is(await worker.stop(), 0, 'sluiced ends with 0');
    is(edge.complaints(), [], 'nothing in the error log of the edge');
    ok(!/acme-app-secret|acme-api-key/.test(fs.readFileSync(
        path.join(edge.home, 'error.log'), 'utf8')), 'no secret either');
    await edge.stop();
    await unsupported();
    await graph.stop();
});
