#!/usr/bin/env node
'use strict';

/* Hooks of sluiced: a sink of HTTP, a command, and what they are told. */

const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');
const { run, ok, is, until, freePort, once, House, closing, dir, message }
    = require('./house');

const SECRET = 'whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw';

/* answers as `verdict` says, keeps what came */
class Sink {
    static async start() {
        const sink = new Sink();
        sink.got = [];
        sink.verdict = () => 200;
        sink.port = await freePort();
        sink.server = http.createServer((request, answer) => {
            let text = '';
            request.on('data', (data) => { text += data; });
            request.on('end', () => {
                const entry = { where: request.url, headers: request.headers,
                    text, json: JSON.parse(text), method: request.method };
                sink.got.push(entry);
                const status = sink.verdict(entry, sink.got.length);
                if (status) {
                    answer.statusCode = status;
                    answer.end();
                }
            });
        });
        await new Promise((done) => {
            sink.server.listen(sink.port, '127.0.0.1', done);
        });
        closing.push(() => sink.server.closeAllConnections(),
            () => sink.server.close());
        return sink;
    }

    url(where = '/') { return `http://127.0.0.1:${this.port}${where}`; }

    at(where) { return this.got.filter((entry) => entry.where === where); }

    saw(where, n = 1) {
        return until(() => this.at(where).length >= n && this.at(where),
            `${n} at ${where}`);
    }
}

function settings(house) {
    const rows = [
        ['url or command', 'on = {"failed"}'],
        ['url or command',
            'on = {"failed"} url = "http://a/" command = "/bin/true"'],
        ['on is missing', 'url = "http://a/"'],
        ['on must be of failed', 'on = {"lost"} url = "http://a/"'],
        ['url must be a URL', 'on = {"failed"} url = "ftp://a/"'],
        ['command must be the whole path', 'on = {"failed"} command = "true"'],
        ['command cannot be executed',
            'on = {"failed"} command = "/nowhere/x"'],
        ['rate is not a rate', 'on = {"failed"} url = "http://a/" rate = "5"'],
        ['timeout must be from',
            'on = {"failed"} url = "http://a/" timeout = "1ms"'],
        ['secret is for url only',
            `on = {"failed"} command = "/bin/true" secret = "${SECRET}"`],
        ['secret is ', 'on = {"failed"} url = "http://a/" secret = "%%%"'],
        ['no such option', 'on = {"failed"} url = "http://a/" x = 1'],
    ];
    for (const [what, text] of rows) {
        const got = once(['-t', '-c', house.write(
            `hook "h" { ${text} }\nqueue "q" { kind = noop }`, 'wrong.conf')]);
        ok(got.code === 1 && got.err.includes(what) && !got.err.includes('%%%')
            && /wrong\.conf:\d+: /.test(got.err), `${what}: ${got.err.trim()}`);
    }
    const latin = house.write('hook "\xff" { on = {"failed"} url ='
        + ' "http://a/" }\nqueue "q" { kind = noop }', 'wrong.conf');
    fs.writeFileSync(latin, fs.readFileSync(latin, 'utf8'), 'latin1');
    ok(once(['-t', '-c', latin]).err.includes('of UTF-8'),
        'a name that no message can hold');
}

function signed(entry) {
    const { headers, text } = entry;
    const key = Buffer.from(SECRET.slice(6), 'base64');
    const what = `${headers['webhook-id']}.${headers['webhook-timestamp']}.${
        text}`;
    return headers['webhook-signature'] === `v1,${
        crypto.createHmac('sha256', key).update(what).digest('base64')}`;
}

/* each has a connection of its own */
async function beside(house, sink) {
    sink.got.length = 0;
    sink.verdict = (entry) => (entry.where === '/hang' ? 0 : 200);
    const n = house.queue('n');
    await n.pause();
    const hook = (name, where) => `hook "${name}" { on = {"paused"}
        url = "${sink.url(where)}" timeout = 1h }\n`;
    const worker = house.run(`${Array.from({ length: 12 },
        (none, i) => hook(`h${i}`, '/hang')).join('')}${hook('last', '/last')}
        queue "n" { kind = noop }`);
    await worker.ready();
    is((await sink.saw('/last')).length, 1,
        'a hook beside many whose sinks say nothing');
    is(await worker.stop(), 0, 'a clean end');
}

run(async () => {
    const house = new House('hooks');
    await house.startRedis();
    settings(house);

    const sink = await Sink.start();
    const file = path.join(dir, 'told.jsonl');
    const command = path.join(dir, 'told.sh');
    fs.writeFileSync(command, `#!/bin/sh
cat >> ${file}
echo >> ${file}
env | grep -v -e ^PATH= -e ^PWD= -e ^SHLVL= -e ^_= >> ${file}.env
ls -l /proc/self/fd | grep -c -e socket -e sock -e redis >> ${file}.fd
true
`, { mode: 0o755 });
    const slow = path.join(dir, 'slow.sh');
    fs.writeFileSync(slow, '#!/bin/sh\nsleep 600 & echo $! > '
        + `${dir}/slow.pid\nwait\n`, { mode: 0o755 });

    const m = house.queue('m', { prefix: '{acme}' });
    const text = (rate) => `
        channel "w" { base_url = "http://127.0.0.1:1" token = "t" timeout = 1s }
        hook "all" { on = {"failed", "stalled", "drained", "paused", "limited"}
            url = "${sink.url('/all')}" secret = "${SECRET}" rate = "${rate}" }
        hook "few" { on = {"failed"} url = "${sink.url('/few')}"
            rate = "1r/2s" queues = {"acme/m"} }
        hook "none" { on = {"failed"} url = "${sink.url('/none')}"
            queues = {"other"} }
        hook "script" { on = {"failed"} command = "${command}"
            rate = "1000r/s" }
        hook "slow" { on = {"paused"} command = "${slow}" timeout = 300ms }
        queue "m" { kind = send channel = "w" tenants = {"acme"}
            stalled = 300ms lock = 400ms }`;
    const worker = house.run(text('1000r/s'),
        { env: { ...process.env, TOLD_SECRET: 'xyz' } });
    await worker.ready();

    /* a message that can never be sent: it fails for good at once */
    const one = await m.add('say "hi" ü', { nothing: true });
    const [failed] = await sink.saw('/all');
    is([failed.method, failed.headers['content-type'], failed.json.type],
        ['POST', 'application/json', 'job.failed'], 'a job that failed');
    const { data } = failed.json;
    is([data.hook, data.queue, data.prefix, data.tenant, data.job,
        data.attempts, data.dropped, data.host], ['all', 'm', '{acme}', 'acme',
        { id: one.id, name: 'say "hi" ü' }, 1, 0, require('os').hostname()],
    'whose, and which');
    ok(data.reason.length > 5
        && data.reason === (await m.getJob(one.id)).failedReason,
    `and why: ${data.reason}`);
    ok(signed(failed), 'signed by Standard Webhooks');
    ok(Math.abs(Date.now() - Date.parse(failed.json.timestamp)) < 60000,
        'with its time');
    const drained = (await sink.saw('/all', 2))[1].json;
    is([drained.type, drained.data.queue, drained.data.job],
        ['queue.drained', 'm', undefined], 'and the queue is drained');

    /* the command */
    await until(() => fs.existsSync(`${file}.fd`)
        && fs.readFileSync(`${file}.fd`, 'utf8'), 'the command');
    const told = JSON.parse(fs.readFileSync(file, 'utf8').split('\n')[0]);
    is([told.type, told.data.job.id, told.data.hook],
        ['job.failed', one.id, 'script'], 'a command gets it on its input');
    is([fs.readFileSync(`${file}.env`, 'utf8').trim().split('\n').sort(),
        fs.readFileSync(`${file}.fd`, 'utf8').trim()],
    [['SLUICE_EVENT=job.failed', 'SLUICE_HOOK=script'], '0'],
    'and nothing else of ours');

    /* many at once: one now, the newest of the rest when its time has come */
    await m.addBulk(Array.from({ length: 40 }, (none, i) => ({ name: `b${i}`,
        data: {} })));
    await until(async () => await m.getFailedCount() === 41, 'failures');
    const few = await sink.saw('/few', 2);
    is(few[0].json.data.job.id, one.id, 'a hook of this queue has the first');
    const rest = await until(() => sink.at('/few').reduce((sum, entry) => sum
        + 1 + entry.json.data.dropped, 0) === 41 && sink.at('/few'),
    'the counts of what was left out');
    ok(rest.length < 6, `${rest.length} messages for 41 failures`);
    is(sink.at('/none'), [], 'a hook of another queue has none');
    ok(!('webhook-signature' in few[0].headers)
        && /^h-[0-9a-f]+$/.test(few[0].headers['webhook-id']),
    'without a secret nothing is signed');

    /* a sink that is ill is tried again, with the same id */
    sink.got.length = 0;
    sink.verdict = (entry, n) => (n === 1 ? 503 : 200);
    await m.pause();
    const [first, second] = await sink.saw('/all', 2);
    is([first.json.type, first.headers['webhook-id'], first.text],
        ['queue.paused', second.headers['webhook-id'], second.text],
        'a queue that is paused, told again after a 503');
    ok(signed(first) && signed(second), 'each try is signed');

    /* a command that does not end */
    const [killed] = await worker.saw('hook_failed');
    is([killed.hook, killed.reason],
        ['slow', 'killed: it did not end in time'], 'a command is killed');
    const pid = +fs.readFileSync(`${dir}/slow.pid`, 'utf8');
    await until(() => {
        try {
            return /^State:\s+Z/m.test(
                fs.readFileSync(`/proc/${pid}/status`, 'utf8'));
        } catch (e) {
            return true;
        }
    }, 'with what it has started');
    const children = () => fs.readFileSync(
        `/proc/${worker.pid}/task/${worker.pid}/children`, 'utf8').trim();
    is(await until(() => children() === '' && 'none', 'no child is left'),
        'none', 'no child is left');

    /* refused: not again */
    sink.got.length = 0;
    sink.verdict = () => 400;
    await m.resume();
    await m.add('refused', {});
    const [, refused] = await worker.saw('hook_failed', 2);
    is([refused.reason, refused.tries], ['status 400', 1],
        'a message that is refused is not sent again');

    /* a job whose worker is gone */
    sink.verdict = () => 200;
    sink.got.length = 0;
    await m.pause();
    await house.redis.hset('{acme}:m:lost', 'name', 'l', 'data', '{}', 'opts',
        '{"attempts":0}', 'timestamp', Date.now(), 'delay', 0, 'priority', 0);
    await house.redis.lpush('{acme}:m:active', 'lost');
    const stalled = await until(() => sink.at('/all')
        .find((entry) => entry.json.type === 'job.stalled'), 'a stalled job');
    is(stalled.json.data.job, { id: 'lost' }, 'a job that stalled');
    await m.resume();

    /* the queue's own rate */
    await m.setGlobalRateLimit(1, 60000);
    await m.addBulk([{ name: 'r', data: {} }, { name: 'r', data: {} }]);
    const limited = await until(() => sink.at('/all')
        .find((entry) => entry.json.type === 'queue.limited'), 'a limit');
    ok(limited.json.data.wait > 0, 'a queue that its rate holds');
    await m.removeGlobalRateLimit();

    /* a sink that says nothing slows nothing; a reload goes on */
    sink.verdict = () => 0;
    await m.drain();
    await m.add('x', {});
    await sink.saw('/few');
    const began = await m.getFailedCount();
    await m.addBulk(Array.from({ length: 200 }, () => ({ name: 'y',
        data: {} })));
    await until(async () => await m.getFailedCount() >= began + 200,
        'jobs beside a sink that says nothing');
    ok(true, 'jobs go on beside a sink that says nothing');
    sink.verdict = () => 200;
    house.write(text('500r/s'));
    worker.signal('SIGHUP');
    await worker.saw('reloaded');
    sink.got.length = 0;
    await m.add('after', {});
    await until(() => sink.at('/all').some((entry) => entry.json.data.job
        && entry.json.data.job.name === 'after'), 'after a reload');
    ok(true, 'told after a reload');

    ok(!worker.child.out.includes(SECRET) && !worker.child.out.includes('/few'),
        'neither secret nor URL is logged');
    is(await worker.stop(), 0, 'a clean end, with a message on its way');
    await beside(house, sink);
});
