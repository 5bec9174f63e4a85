'use strict';

/*
 * The edge and stock BullMQ: what NGINX enqueues, a stock Worker takes at once,
 * and a stock Queue, QueueEvents and Job show as their own.
 *
 *   node tests/interop/edge.js
 */

const crypto = require('crypto');
const fs = require('fs');
const path = require('path');
const { start, root, modules } = require('../lua/server');
const tap = require('../lua/tap');
const nginx = require('./nginx')('edge');

const AT_ONCE = 4500;      /* ms; a Worker that slept would need 5,000 */

const sample = (name) => fs.readFileSync(path.join(root, 'tests', 'samples',
    'webhooks', name));

const locations = `
        location /5 { sluice_verify meta secret=s3cret;
                      sluice_enqueue five tenant=acme bullmq=5; }
        location /6 { sluice_verify meta secret=s3cret;
                      sluice_enqueue six tenant=acme; }
        location /bull { sluice_verify none;
                         sluice_enqueue plain envelope=raw name=told
                                        id=e-$arg_id attempts=2
                                        priority=$arg_priority
                                        delay=$arg_delay; }
        location /health { sluice_health; }`;

const ask = (method, target, body, headers) => nginx.ask(method, target, body,
    { 'Content-Type': 'application/json', ...headers });

const sign = (body) => ({ 'X-Hub-Signature-256': 'sha256='
    + crypto.createHmac('sha256', 's3cret').update(body).digest('hex') });

/* a Worker that is idle takes a webhook; all of its life is seen */

async function taken(server, major) {
    const { Worker, Queue, QueueEvents } = require(path.join(modules,
        `bullmq${major}`));
    const name = major === 5 ? 'five' : 'six';
    const options = { connection: server.connection, prefix: '{acme}' };
    const body = sample('batch-mixed.json');
    const seen = [];
    const jobs = [];
    const events = new QueueEvents(name, options);
    const queue = new Queue(name, options);

    await events.waitUntilReady();
    for (const event of ['added', 'waiting', 'active', 'completed']) {
        events.on(event, ({ jobId }) => seen.push(`${event} ${jobId}`));
    }

    const worker = new Worker(name, async (job) => {
        jobs.push({ job, at: Date.now() });
        return { taken: job.id };
    }, options);
    await worker.waitUntilReady();

    /* idle: blocked on the marker, not between two looks */
    await tap.until(async () => /cmd=bzpopmin/.test(
        await server.redis.client('LIST')), 'the Worker to wait');

    const asked = Date.now();
    const answer = await ask('POST', `/${major}`, body, sign(body));
    tap.ok(answer.status === 200, `BullMQ ${major}: accepted`, answer);
    await tap.until(() => jobs.length === 1, 'a job');
    tap.ok(jobs.length === 1 && jobs[0].at - asked < AT_ONCE,
        `BullMQ ${major}: an idle Worker takes it at once`,
        jobs.length ? jobs[0].at - asked : 'never');

    const { job } = jobs[0];
    tap.ok(/^e-/.test(job.id), `BullMQ ${major}: its id is ours`, job.id);
    tap.ok(job.data.specversion === '1.0' && job.data.tenant === 'acme'
        && JSON.stringify(job.data.data)
           === JSON.stringify(JSON.parse(body)),
    `BullMQ ${major}: the envelope holds the webhook`, job.data);

    await tap.until(() => seen.includes(`completed ${job.id}`),
        'the event completed');
    tap.ok(['added', 'active', 'completed'].every((event) => seen.includes(
        `${event} ${job.id}`)), `BullMQ ${major}: QueueEvents sees its life`,
    seen);
    tap.ok((await queue.getJobCounts('completed')).completed === 1
        && (await (await queue.getJob(job.id)).getState()) === 'completed',
    `BullMQ ${major}: the Queue counts it`);

    const result = await (await queue.getJob(job.id)).waitUntilFinished(events,
        5000);
    tap.ok(result.taken === job.id, `BullMQ ${major}: waitUntilFinished`,
        result);

    const many = 200;
    await Promise.all(Array.from({ length: many }, () => ask('POST',
        `/${major}`, body, sign(body))));
    await tap.until(() => jobs.length === 1 + many, 'all of them');
    tap.ok(new Set(jobs.map((item) => item.job.id)).size === 1 + many,
        `BullMQ ${major}: ${many} at once, each once`, jobs.length);

    const refused = await ask('POST', `/${major}`, body, sign('another'));
    tap.ok(refused.status === 401, `BullMQ ${major}: a forged one is refused`);
    tap.ok(jobs.length === 1 + many
        && (await queue.getJobCountByTypes('waiting', 'active')) === 0,
    `BullMQ ${major}: and is no job`);

    await worker.close();
    await events.close();
    await queue.close();
}

/* ids, priorities, delays and attempts as a stock Queue would have set them */

async function options(server) {
    const { Queue, Worker } = require(path.join(modules, 'bullmq6'));
    const queue = new Queue('plain', { connection: server.connection });
    const post = (query) => ask('POST', `/bull?${query}`, '{"a":"\\u00e4"}');

    await post('id=one');
    await post('id=one');
    await post('id=two&priority=5');
    await post('id=three&delay=300');
    await queue.add('stock', {}, { priority: 1, jobId: 'x-stock' });

    const counts = await queue.getJobCounts();
    tap.ok(counts.waiting === 1 && counts.prioritized === 2
        && counts.delayed === 1, 'waiting, prioritized, delayed', counts);

    const one = await queue.getJob('e-one');
    tap.ok(one.name === 'told' && one.data.a === '\u00e4'
        && one.opts.attempts === 2, 'name, data and attempts', one);

    const order = [];
    const worker = new Worker('plain', async (job) => {
        order.push(job.id);
        if (job.id === 'e-one' && job.attemptsMade === 0) {
            throw new Error('the first time');
        }
    }, { connection: server.connection, concurrency: 1 });

    await tap.until(() => order.length === 5, 'all five attempts');
    tap.ok(order.slice(0, 1).join() === 'e-one'
        && order.indexOf('x-stock') < order.indexOf('e-two')
        && order.includes('e-three'), 'in the order of BullMQ', order);
    tap.ok(order.filter((id) => id === 'e-one').length === 2,
        'tried again as attempts= says', order);

    await worker.close();
    await queue.close();
}

async function main() {
    const server = await start('edge');

    const log = await nginx.serve(`sluice_redis unix:${server.connection.path};`,
        locations, async () => {
            await tap.until(async () => (await ask('GET', '/health'))
                .status === 200, 'Redis');
            await taken(server, 6);
            await taken(server, 5);
            await options(server);
        });

    const alerts = log.filter((line) => /\[(error|alert|crit|emerg)\]/
        .test(line) && !/signature|authenticated|refused/i.test(line));
    tap.ok(alerts.length === 0, 'nothing in the error log', alerts);
    await server.stop();
}

tap.run(main);
