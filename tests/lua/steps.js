'use strict';

/* The steps of a worker, done by stock BullMQ or by our scripts. */

const path = require('path');
const { start, modules } = require('./server');
const { Sluice } = require('./scripts');
const { dump, normal, differences } = require('./keyspace');
const tap = require('./tap');

const QUEUES = ['qp', 'qc'];

/* what attempt_keep() of the worker makes of removeOn... */
function keep(rule) {
    if (rule === true) {
        return '0:0:';
    }
    return typeof rule === 'number' ? `${rule}:0:` : '';
}


/* the same steps by stock BullMQ, by us, or each step by one or the other */

const LOCK = 3600000;    /* ms: a long history must not lose one */


class Steps {
    constructor(lib, server, major) {
        this.redis = server.redis;
        this.server = server;
        this.major = major;
        this.queues = {};
        this.workers = {};
        this.sluices = {};
        const connection = { connection: server.connection };
        this.flow = new lib.FlowProducer(connection);
        this.flow.on('error', () => {});
        for (const name of QUEUES) {
            this.queues[name] = new lib.Queue(name, connection);
            this.workers[name] = new lib.Worker(name, null,
                { ...connection, autorun: false, lockDuration: LOCK });
            this.queues[name].on('error', () => {});
            this.workers[name].on('error', () => {});
            this.sluices[name] = new Sluice(server.redis, major,
                `bull:${name}:`);
        }
    }

    async ready() {
        for (const name of QUEUES) {
            await this.queues[name].waitUntilReady();
            await this.workers[name].waitUntilReady();
            await tap.until(() => this.redis.hget(`bull:${name}:meta`,
                'version'), 'the meta of the stock queue');
        }
    }

    async close() {
        await this.flow.close();
        for (const name of QUEUES) {
            await this.queues[name].close();
            await this.workers[name].close();
        }
    }

    async add(name, id, opts = {}) {
        await this.queues[name].add('n', { id }, { jobId: id, ...opts });
    }

    /* a parent in qp, its children in qc */
    async tree(children, opts = {}, parent = 'P') {
        await this.flow.add({ name: 'p', queueName: 'qp', data: {},
            opts: { jobId: parent, ...opts },
            children: Object.entries(children).map(([id, o]) => ({ name: 'c',
                queueName: 'qc', data: {}, opts: { jobId: id, ...o } })) });
    }

    async remove(name, id) {
        return this.queues[name].remove(id, { removeChildren: false });
    }

    async pause(name, on) {
        await (on ? this.queues[name].pause() : this.queues[name].resume());
    }

    async promote(name, id) {
        await (await this.queues[name].getJob(id)).promote();
    }

    /* waits until the clock has moved: ties are sorted by id */
    async tick() {
        const begun = Math.floor(await this.ms());
        await tap.until(async () => await this.ms() > begun + 1, 'the clock');
    }

    async ms() {
        const [s, us] = await this.redis.time();
        return s * 1000 + us / 1000;
    }

    async opts(name, id) {
        return JSON.parse(await this.redis.hget(`bull:${name}:${id}`, 'opts')
            || '{}');
    }
}

/* a job that is to fail is failed, as BullMQ 5 does by itself, and the next taken */
class Stock extends Steps {
    async take(name, n = 1) {
        const ids = [];
        for (let i = 0; i < n; i += 1) {
            let job;
            for (;;) {
                job = await this.workers[name].getNextJob('tok',
                    { block: false });
                if (!job || !job.deferredFailure) {
                    break;
                }
                await this.fail(name, job.id, job.deferredFailure);
            }
            ids.push(job ? job.id : null);
        }
        return ids;
    }

    async job(name, id) {
        return this.queues[name].getJob(id);
    }

    async code(promise) {
        try {
            await promise;
            return 0;
        } catch (e) {
            if (e.code === undefined) {
                throw e;
            }
            return e.code;
        }
    }

    async complete(name, id, value = 'v') {
        return this.code((await this.job(name, id))
            .moveToCompleted(value, 'tok', false));
    }

    async fail(name, id, reason = 'boom') {
        const error = new Error(reason);
        error.stack = 'stack';
        return this.code((await this.job(name, id)).moveToFailed(error, 'tok',
            false));
    }

    async requeue(name, id, set = 'failed') {
        return this.code((await this.job(name, id)).retry(set));
    }

    async children(name, id) {
        try {
            const job = await this.job(name, id);
            return await job.moveToWaitingChildren('tok') ? 0 : 1;
        } catch (e) {
            return e.code;
        }
    }
}

class Ours extends Steps {
    async take(name, n = 1) {
        const ids = [];
        for (let i = 0; i < n; i += 1) {
            let job;
            for (;;) {
                [job] = (await this.sluices[name].take(1, 'tok',
                    { lock: LOCK })).jobs;
                if (!job || !job.defa) {
                    break;
                }
                await this.fail(name, job.id, job.defa);
            }
            ids.push(job ? job.id : null);
        }
        return ids;
    }

    async complete(name, id, value = 'v') {
        const opts = await this.opts(name, id);
        const { codes } = await this.sluices[name].finish([{ id,
            value: JSON.stringify(value), keep: keep(opts.removeOnComplete) }]);
        return codes[0];
    }

    async fail(name, id, reason = 'boom') {
        const opts = await this.opts(name, id);
        const made = +await this.redis.hget(`bull:${name}:${id}`, 'atm') || 0;
        const job = { id, reason, stacktrace: '["stack"]',
            keep: keep(opts.removeOnFail) };
        if (made + 1 < (opts.attempts || 0)) {
            return (await this.sluices[name].retry(job))[0];
        }
        return (await this.sluices[name].finish([job])).codes[0];
    }

    async requeue(name, id, set = 'failed') {
        const [code] = await this.sluices[name].requeue(set, [id]);
        return code === 1 ? 0 : code;
    }

    async children(name, id) {
        return (await this.sluices[name].retry({ id, mode: 'children' }))[0];
    }
}


/*
 * The keyspace, but for the text of stacktraces, which stock makes itself, and
 * the order of sets by time.
 */
async function left(redis) {
    const keys = await dump(redis);
    for (const { type, value } of Object.values(keys)) {
        for (const field of type === 'hash' ? value : []) {
            if (field[0] === 'stacktrace') {
                field[1] = `${JSON.parse(field[1]).length} stacks`;
            }
        }
    }
    const found = normal(keys, new Set());
    for (const [key, entry] of Object.entries(found)) {
        if (entry.type === 'zset' && !/:(prioritized|marker)$/.test(key)) {
            entry.value.sort((a, b) => (a[0] < b[0] ? -1 : 1));
        }
    }
    return found;
}

async function once(steps, of, meta, keys) {
    await steps.redis.flushall();
    for (const [key, fields] of Object.entries(meta)) {
        await steps.redis.hset(key, fields);
    }
    const result = await of(steps);
    return { result, keys: await keys(steps.redis) };
}

/*
 * Each of `cases` by stock and by ours, of both majors: the same result and the
 * same keys.  `of6`: cases of BullMQ 6 only; `keys`: what is compared.  The
 * arguments of the program are parts of names: only those cases are run.
 */
function compare(name, [StockKind, OurKind], cases,
    { of6 = [], keys = left } = {})
{
    const only = process.argv.slice(2);

    return tap.run(async () => {
        const server = await start(name);
        const { redis } = server;
        try {
            for (const major of [6, 5]) {
                const lib = require(path.join(modules, `bullmq${major}`));
                await redis.flushall();
                const both = [StockKind, OurKind].map((Kind) =>
                    new Kind(lib, server, major));
                for (const steps of both) {
                    await steps.ready();
                }

                /* the clients serve all cases: what they wrote is put back */
                const meta = {};
                for (const key of await redis.keys('*:meta')) {
                    meta[key] = await redis.hgetall(key);
                }
                for (const [title, of] of Object.entries(cases)) {
                    if (only.length && !only.some((o) => title.includes(o))
                        || major === 5 && of6.includes(title)) {
                        continue;
                    }
                    const stock = await once(both[0], of, meta, keys);
                    const ours = await once(both[1], of, meta, keys);
                    tap.is(ours.result, stock.result,
                        `v${major}: ${title}: results`);
                    const diff = differences(ours.keys, stock.keys);
                    tap.ok(diff === '', `v${major}: ${title}: keys`, diff);
                }
                await Promise.all(both.map((steps) => steps.close()));
            }
        } finally {
            await server.stop();
        }
    });
}

module.exports = { Stock, Ours, left, compare, QUEUES };
