/*
 * One worker with thousands of tenants: what an idle one costs, how soon a first
 * job is started, who gets what when there is more to do than can be done, and
 * how soon a job of class high is started then.
 */

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { ROOT, npm, sleep, start, startRedis, stop, until } = require('./house');
const { table } = require('./report');
const { startGate } = require('./gate');
const { Sluice } = require('../tests/lua/scripts');

const WATCHED = 100;
const WEIGHTS = 5;
const LOW = 100;               /* the priority of class low */

const rss = (child) => Number(/VmRSS:\s+(\d+)/.exec(
    fs.readFileSync(`/proc/${child.pid}/status`, 'utf8'))[1]);

const sluiced = async (dir, redis, name, text) => {
    const file = path.join(dir, `${name}.conf`);

    fs.writeFileSync(file, `redis = "unix:${redis.socket}"\n`
        + `log { level = debug }\n${text}`);

    const child = start(dir, name, path.join(ROOT, 'build', 'sluiced'),
        ['-c', file]);

    await until(name, () => fs.readFileSync(child.log, 'utf8')
        .includes('redis_ready'), child);

    return child;
};

const register = async (redis, names) => {
    for (let n = 0; n < names.length; n += 1000) {
        await redis.client.sadd('sluice:queues',
            ...names.slice(n, n + 1000).map((name) => `{${name}}:m`));
    }
};

/* ms from before the add until the job's `completed` event is here */
const first = async (redis, ear, name, id, add) => {
    const events = `{${name}}:m:events`;
    const [[last] = ['0']] = await redis.client.xrevrange(events, '+', '-',
        'COUNT', 1);
    const from = process.hrtime.bigint();
    const done = (async () => {
        for (let at = last; ;) {
            const [[, list]] = await ear.xread('BLOCK', 60000, 'STREAMS',
                events, at);

            if (list.some(([, fields]) => fields[1] === 'completed'
                && fields[3] === id))
            {
                return Number(process.hrtime.bigint() - from) / 1e6;
            }

            at = list[list.length - 1][0];
        }
    })();

    await add();

    return done;
};

/* a connection that may wait for events */
const listen = async (redis) => {
    const ear = redis.client.duplicate();

    await ear.ping();

    return ear;
};

const quantiles = (list) => {
    list.sort((a, b) => a - b);

    return { p50: list[list.length >> 1],
             p99: list[Math.floor(list.length * 0.99)] };
};

const latency = async (dir, redis, { queues, samples }, say) => {
    const { Queue } = npm('bullmq6');
    const names = Array.from({ length: queues }, (_, i) => `tenant-${i}`);
    const watched = Array.from({ length: WATCHED }, (_, i) => `stock-${i}`);
    const child = await sluiced(dir, redis, 'idle', 'queue "m" { tenants = '
        + `{"*", ${watched.map((name) => `"${name}"`).join(', ')}}`
        + ' kind = noop }\n');
    const before = rss(child);

    await register(redis, names);
    process.kill(child.pid, 'SIGHUP');    /* a sweep begins */
    await sleep(2000 + queues);

    const idle = rss(child) - before;
    const edge = [];
    const script = [];
    const stock = [];
    const lua = new Sluice(redis.client);
    const gate = await startGate(dir, redis);
    const ear = await listen(redis);

    for (let i = 0; i < samples; i++) {
        const name = names[(i * 7919) % queues];

        edge.push(await first(redis, ear, name, `e-e${i}`,
            () => gate.post(name, `e${i}`)));
    }

    for (let i = 0; i < samples; i++) {
        const name = names[(i * 7919 + 1) % queues];

        lua.base = `{${name}}:m:`;
        script.push(await first(redis, ear, name, `e-s${i}`,
            () => lua.add({ id: `e-s${i}` })));
    }

    for (let i = 0; i < samples; i++) {
        const name = watched[(i * 37) % WATCHED];
        const queue = new Queue('m', { prefix: `{${name}}`,
            connection: { path: redis.socket } });

        await queue.waitUntilReady();
        stock.push(await first(redis, ear, name, `n-${i}`,
            () => queue.add('n', {}, { jobId: `n-${i}` })));
        await queue.close();
    }

    const key = await gate.keyBytes();

    ear.disconnect();
    await gate.stop();
    await stop(child);
    say(`tenants: ${queues} queues: ${samples} jobs of each producer`);

    return { before, idle: idle * 1024 / queues, key, edge: quantiles(edge),
             script: quantiles(script), stock: quantiles(stock) };
};

const SHARE = 200;
const weight = (i) => 1 + i % WEIGHTS;

/* a worker with more to do than it can; of the first tenant what is said */
const busy = async (dir, redis, { names, backlog, say }) => {
    await redis.client.flushall('SYNC');

    const lua = new Sluice(redis.client);

    await register(redis, names);

    for (const [i, name] of names.entries()) {
        const n = i === 0 ? backlog : 2 * SHARE * weight(i);

        lua.base = `{${name}}:m:`;

        for (let left = n; left > 0; left -= 500) {
            await lua.add(...Array.from({ length: Math.min(left, 500) },
                () => ({ priority: i === 0 ? LOW : 0 })));
        }
    }

    say(`tenants: ${names.length} with a backlog, one of ${backlog} jobs`);

    return sluiced(dir, redis, 'busy', names.map((name, i) =>
        `tenant "${name}" { weight = ${weight(i)} }\n`).join('')
        + 'concurrency = 256\n'
        + 'queue "m" { tenants = {"*"} kind = noop keep_completed = -1 }\n');
};

/* so many of each tenant's jobs are done */
const counts = async (redis, names) => {
    const all = redis.client.multi();

    names.forEach((name) => all.zcard(`{${name}}:m:completed`));

    return (await all.exec()).map(([, n]) => n);
};

/* jobs of class high, one after the other, of the first tenant */
const urgent = async (redis, name, samples) => {
    const lua = new Sluice(redis.client, 6, `{${name}}:m:`);
    const ear = await listen(redis);
    const list = [];

    for (let i = 0; i < samples; i++) {
        list.push(await first(redis, ear, name, `e-u${i}`,
            () => lua.add({ id: `e-u${i}` })));
    }

    ear.disconnect();

    return quantiles(list);
};

const shares = async (dir, redis, { tenants, backlog, samples, say }) => {
    const names = Array.from({ length: tenants }, (_, i) => `tenant-${i}`);
    const sum = (list) => list.reduce((a, b) => a + b, 0);
    const weights = sum(names.map((_, i) => weight(i)));
    const all = (from, child) => until('every tenant', async () => {
        const now = await counts(redis, names);

        return Math.min(...now.slice(from)) > 0 && now;
    }, child, 120000);

    let child = await busy(dir, redis, { names, backlog: 0, say });

    await all(1, child);

    const alone = await urgent(redis, names[0], samples);

    await stop(child);
    child = await busy(dir, redis, { names, backlog, say });

    const from = await all(0, child);
    const begun = process.hrtime.bigint();
    let to;

    await until('a share each', async () => {
        to = await counts(redis, names);
        return sum(to) - sum(from) > SHARE / 2 * weights;
    }, child, 600000);

    const ns = Number(process.hrtime.bigint() - begun);
    const done = sum(to) - sum(from);
    const of = to.map((n, i) => (n - from[i]) * weights / (done * weight(i)));
    const beside = await urgent(redis, names[0], samples);

    await stop(child);

    return { least: Math.min(...of), most: Math.max(...of), heavy: of[0],
             rate: done / ns * 1e9, alone, beside };
};

/* -> figures of the two */
const tenants = async (dir, options) => {
    const redis = await startRedis(dir, options.aof);

    return { latency: await latency(dir, redis, options, options.say),
             shares: await shares(dir, redis, options) };
};

const tenantsReport = (found, options) => {
    const { latency: l, shares: s } = found;
    const times = (what, q) => [what, q.p50.toFixed(2), q.p99.toFixed(2)];
    const reached = (what, value, wanted, good) =>
        [what, value, wanted, good ? 'yes' : 'no'];
    const mb = l.before / 1024;
    const off = Math.max(s.most - 1, 1 - s.least);
    const high = s.beside.p99 / s.alone.p99;

    return [
        `One worker with ${options.queues} registered queues of tenants `
        + `without work; ${options.samples} jobs of each kind, one after the `
        + 'other, from before the add to the `completed` event at the client.',
        '',
        table(['a first job', 'p50 ms', 'p99 ms'], [
            times('added by our edge', l.edge),
            times('added by our script', l.script),
            times(`added by a stock Queue, ${WATCHED} queues watched`,
                l.stock),
        ]),
        '',
        `${options.tenants} tenants of weights 1 to ${WEIGHTS} with a backlog, `
        + `the first of ${options.backlog} jobs of class low, or of none.`,
        '',
        table(['a job of class high of the first', 'p50 ms', 'p99 ms'], [
            times('without its backlog', s.alone),
            times('beside its backlog', s.beside),
        ]),
        '',
        `Shares are ${s.least.toFixed(3)} to ${s.most.toFixed(3)} of what the `
        + `weights say, the first tenant's ${s.heavy.toFixed(3)}; `
        + `${Math.round(s.rate)} jobs/s in all.`,
        '',
        table(['tenants', 'figure', 'to reach', 'reached'], [
            reached('our edge, p50 ms', l.edge.p50.toFixed(2), '<= 5',
                l.edge.p50 <= 5),
            reached('stock Queue, p50 ms', l.stock.p50.toFixed(2), '<= 10',
                l.stock.p50 <= 10),
            reached('shares off by, %', (100 * off).toFixed(1), '<= 5',
                off <= 0.05),
            reached('p99 of class high beside the backlog',
                `${high.toFixed(2)}x`, '<= 1.10x', high <= 1.1),
            reached('worker without work, MB', mb.toFixed(1), '< 15', mb < 15),
            reached('bytes an idle tenant', Math.round(l.idle), '<= 2048',
                l.idle <= 2048),
            reached('bytes a limiter key', Math.round(l.key), '<= 160',
                l.key <= 160),
        ]),
    ].join('\n');
};

module.exports = { tenants, tenantsReport };
