/*
 * One worker with thousands of tenants: what an idle one costs, how soon a first
 * job is started, and who gets what when there is more to do than can be done.
 */

'use strict';

const fs = require('node:fs');
const path = require('node:path');
const { ROOT, npm, sleep, start, startRedis, stop, until } = require('./house');
const { Sluice } = require('../tests/lua/scripts');

const WATCHED = 100;
const WEIGHTS = 5;

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

/* ms from before the add until its `completed` event is here */
const first = async (redis, name, add) => {
    const events = `{${name}}:m:events`;
    const ear = redis.client.duplicate();
    const [[last] = ['0']] = await redis.client.xrevrange(events, '+', '-',
        'COUNT', 1);
    const from = process.hrtime.bigint();
    const done = (async () => {
        for (let at = last; ;) {
            const [[, list]] = await ear.xread('BLOCK', 60000, 'STREAMS',
                events, at);

            if (list.some(([, fields]) => fields.includes('completed'))) {
                return Number(process.hrtime.bigint() - from) / 1e6;
            }

            at = list[list.length - 1][0];
        }
    })();

    await add();

    const ms = await done;

    ear.disconnect();

    return ms;
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
    const ours = [];
    const stock = [];
    const lua = new Sluice(redis.client);

    for (let i = 0; i < samples; i++) {
        const name = names[(i * 7919) % queues];

        lua.base = `{${name}}:m:`;
        ours.push(await first(redis, name, () => lua.add({ id: `e-${i}` })));
    }

    for (let i = 0; i < samples; i++) {
        const name = watched[(i * 37) % WATCHED];
        const queue = new Queue('m', { prefix: `{${name}}`,
            connection: { path: redis.socket } });

        await queue.waitUntilReady();
        stock.push(await first(redis, name, () => queue.add('n', {})));
        await queue.close();
    }

    await stop(child);
    say(`tenants: ${queues} queues: ${ours.length} and ${stock.length} jobs`);

    return { before, idle: idle * 1024 / queues, ours: quantiles(ours),
             stock: quantiles(stock) };
};

const shares = async (dir, redis, { tenants, backlog }, say) => {
    await redis.client.flushall('SYNC');

    const names = Array.from({ length: tenants }, (_, i) => `tenant-${i}`);
    const weight = (i) => 1 + i % WEIGHTS;
    const lua = new Sluice(redis.client);
    const share = 200;

    await register(redis, names);

    for (let i = 0; i < tenants; i++) {
        const n = i === 0 ? backlog : 2 * share * weight(i);

        lua.base = `{${names[i]}}:m:`;

        for (let left = n; left > 0; left -= 500) {
            await lua.add(...Array.from({ length: Math.min(left, 500) },
                () => ({})));
        }
    }

    say(`tenants: ${tenants} with a backlog, one of ${backlog} jobs`);

    const child = await sluiced(dir, redis, 'busy', names.map((name, i) =>
        `tenant "${name}" { weight = ${weight(i)} }\n`).join('')
        + 'concurrency = 256\n'
        + 'queue "m" { tenants = {"*"} kind = noop keep_completed = -1 }\n');
    const counts = async () => {
        const all = redis.client.multi();

        names.forEach((name) => all.zcard(`{${name}}:m:completed`));

        return (await all.exec()).map(([, n]) => n);
    };
    const sum = (list) => list.reduce((a, b) => a + b, 0);
    const weights = sum(names.map((_, i) => weight(i)));
    let from;

    await until('every tenant', async () => {
        from = await counts();
        return Math.min(...from) > 0;
    }, child, 120000);

    const begun = process.hrtime.bigint();
    let to;

    await until('a share each', async () => {
        to = await counts();
        return sum(to) - sum(from) > share / 2 * weights;
    }, child, 600000);

    const ns = Number(process.hrtime.bigint() - begun);
    const done = sum(to) - sum(from);
    const of = to.map((n, i) => (n - from[i]) * weights / (done * weight(i)));

    await stop(child);

    return { least: Math.min(...of), most: Math.max(...of), heavy: of[0],
             rate: done / ns * 1e9 };
};

/* -> figures of the two */
const tenants = async (dir, options) => {
    const redis = await startRedis(dir, options.aof);

    return { latency: await latency(dir, redis, options, options.say),
             shares: await shares(dir, redis, options, options.say) };
};

const tenantsReport = (found, options) => {
    const { latency: l, shares: s } = found;
    const ms = (q) => `${q.p50.toFixed(2)} ms at the median, `
        + `${q.p99.toFixed(2)} ms of 99 in 100`;

    return [
        `One worker, ${options.queues} registered queues of tenants without `
        + `work: ${(l.before / 1024).toFixed(1)} MB before, `
        + `${Math.round(l.idle)} bytes more for each.`,
        '',
        'From before the add to the `completed` event at the client, on the '
        + 'idle worker:',
        '',
        `- by our script: ${ms(l.ours)}`,
        `- by a stock Queue, ${WATCHED} queues watched: ${ms(l.stock)}`,
        '',
        `${options.tenants} tenants of weights 1 to ${WEIGHTS} with a backlog, `
        + `one of ${options.backlog} jobs: shares of ${s.least.toFixed(3)} to `
        + `${s.most.toFixed(3)} of what their weights say, the one `
        + `${s.heavy.toFixed(3)}; ${Math.round(s.rate)} jobs/s in all.`,
    ].join('\n');
};

module.exports = { tenants, tenantsReport };
