'use strict';

/*
 * What a job costs Redis: CPU of its main thread in µs a job, for our scripts
 * and for stock BullMQ 6, interleaved, medians.
 *
 *   node tests/lua/cost.js [rounds [jobs]]
 */

const path = require('path');
const { start, modules } = require('./server');
const { Sluice } = require('./scripts');
const tap = require('./tap');

const rounds = +(process.argv[2] || 5);
const jobs = +(process.argv[3] || 10000);
const data = JSON.stringify({ object: 'whatsapp_business_account',
    text: 'x'.repeat(560 - 52) });

async function cpu(redis) {
    const info = await redis.info('cpu');
    const read = (name) => +new RegExp(`${name}:([\\d.]+)`).exec(info)[1];
    return (read('used_cpu_user_main_thread') + read('used_cpu_sys_main_thread'))
        * 1e6;
}

/* µs a job of fn, which handles all of them */
async function cost(redis, fn) {
    const before = await cpu(redis);
    const begun = process.hrtime.bigint();
    await fn();
    const ns = Number(process.hrtime.bigint() - begun);
    return { us: (await cpu(redis) - before) / jobs, rate: jobs / ns * 1e9 };
}

/* up to `flight` calls at once */
async function flying(flight, fn) {
    let left = true;
    await Promise.all(Array.from({ length: flight }, async () => {
        while (left) {
            left = await fn();
        }
    }));
}

async function addOurs(sluice, batch, first = 0) {
    let n = first;
    await flying(Math.max(2, Math.ceil(50 / batch)), async () => {
        const list = [];
        while (list.length < batch && n < jobs) {
            n += 1;
            list.push({ id: `e-${n}`, name: 'meta.messages', data,
                opts: '{"attempts":3}' });
        }
        if (list.length) {
            await sluice.add(...list);
        }
        return list.length > 0;
    });
}

async function finishOurs(sluice, batch) {
    await flying(Math.max(2, Math.ceil(50 / batch)), async () => {
        let { jobs: got } = await sluice.take(batch);
        while (got.length) {
            const { next } = await sluice.finish(got.map((j) => ({ id: j.id,
                value: 'null', keep: '' })), batch, 'tok',
            { keepCompleted: '1000:0' });
            got = next.jobs;
        }
        return false;
    });
}

const cases = {};
for (const batch of [1, 4, 16, 32]) {
    cases[`add, ${batch} a call`] = async (s, o) => {
        o.result = await cost(s.redis, () => addOurs(o.sluice, batch));
    };
}
for (const batch of [1, 10, 50]) {
    cases[`finish + take, ${batch} a call`] = async (s, o) => {
        await addOurs(o.sluice, 100);
        o.result = await cost(s.redis, () => finishOurs(o.sluice, batch));
    };
}
cases['stock add, 50 in flight'] = async (s, o) => {
    let n = 0;
    o.result = await cost(s.redis, () => flying(50, async () => {
        n += 1;
        if (n <= jobs) {
            await o.queue.add('meta.messages', JSON.parse(data),
                { attempts: 3 });
        }
        return n < jobs;
    }));
};
for (const concurrency of [1, 50, 500]) {
    cases[`stock worker, concurrency ${concurrency}`] = async (s, o) => {
        await addOurs(o.sluice, 100);
        o.result = await cost(s.redis, async () => {
            const worker = new o.lib.Worker('q', async () => null, {
                connection: s.connection, concurrency,
                removeOnComplete: { count: 1000 } });
            let done = 0;
            worker.on('error', () => {});
            await new Promise((all) => {
                worker.on('completed', () => {
                    done += 1;
                    if (done === jobs) { all(); }
                });
            });
            await worker.close();
        });
    };
}


(async () => {
    const server = await start('cost');
    const lib = require(path.join(modules, 'bullmq6'));
    const results = {};
    for (let round = 0; round <= rounds; round += 1) {
        for (const [name, fn] of Object.entries(cases)) {
            await server.redis.flushall();
            const queue = new lib.Queue('q', { connection: server.connection });
            queue.on('error', () => {});
            await queue.waitUntilReady();
            await tap.until(() => server.redis.hget('bull:q:meta', 'version'),
                'the meta of the stock queue');
            const o = { lib, queue, sluice: new Sluice(server.redis) };
            await fn(server, o);
            await queue.close();
            if (round) {      /* the first warms up */
                (results[name] = results[name] || []).push(o.result);
            }
        }
    }
    const middle = (list) => list.sort((a, b) => a - b)[list.length >> 1];
    console.log(`| ${jobs} jobs of ${data.length} bytes, ${rounds} rounds |`
        + ' Redis µs a job (min..max) | jobs/s seen by Node |');
    console.log('|---|---|---|');
    for (const [name, list] of Object.entries(results)) {
        const us = list.map((r) => r.us);
        console.log(`| ${name} | ${middle(us).toFixed(1)} `
            + `(${us[0].toFixed(1)}..${us[us.length - 1].toFixed(1)}) | `
            + `${Math.round(middle(list.map((r) => r.rate)))} |`);
    }
    await server.stop();
    process.exit(0);
})();
