'use strict';

/*
 * Flows, and jobs kept for the time after their owner: each case is done once by
 * stock BullMQ and once by our scripts, and the keyspaces are compared.
 *
 *   node tests/lua/flows.js [case ...]
 */

const path = require('path');
const { start, modules } = require('./server');
const { Sluice } = require('./scripts');
const { dump, normal, differences } = require('./keyspace');
const tap = require('./tap');

const only = process.argv.slice(2);
const QUEUES = ['qp', 'qc'];
const P = { id: 'P', queue: 'bull:qp' };

/* what attempt_keep() of the worker makes of removeOn... */
function keep(rule) {
    if (rule === true) {
        return '0:0:';
    }
    return typeof rule === 'number' ? `${rule}:0:` : '';
}


/* the same steps by stock BullMQ, by us, or each step by one or the other */
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
                { ...connection, autorun: false });
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

    add(name, id, opts = {}) {
        return this.queues[name].add('n', { id }, { jobId: id, ...opts });
    }

    /* P in qp, its children in qc (or in `where`) */
    tree(children, opts = {}, where = 'qc') {
        return this.flow.add({ name: 'p', queueName: 'qp', data: {},
            opts: { jobId: 'P', ...opts },
            children: Object.entries(children).map(([id, o]) => ({ name: 'c',
                queueName: where, data: {}, opts: { jobId: id, ...o } })) });
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

class Stock extends Steps {
    async take(name, n = 1) {
        const ids = [];
        for (let i = 0; i < n; i += 1) {
            const job = await this.workers[name].getNextJob('tok',
                { block: false });
            if (job && job.deferredFailure) {
                await this.fail(name, job.id, job.deferredFailure);
                ids.push(null);
            } else {
                ids.push(job ? job.id : null);
            }
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
            const { jobs: [job] } = await this.sluices[name].take(1);
            if (job && job.defa) {
                await this.fail(name, job.id, job.defa);
                ids.push(null);
            } else {
                ids.push(job ? job.id : null);
            }
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


const fpof = { failParentOnFailure: true };
const cpof = { continueParentOnFailure: true };
const idof = { ignoreDependencyOnFailure: true };
const rdof = { removeDependencyOnFailure: true };
const K = { deduplication: { id: 'K', keepLastIfActive: true } };

/* each returns codes and ids that must be the same, too */
const cases = {
    async 'children complete, the last one releases'(c) {
        await c.tree({ C1: {}, C2: {} });
        await c.take('qc', 2);
        const one = await c.complete('qc', 'C2', { a: 1 });
        await c.tick();
        return [one, await c.complete('qc', 'C1'), await c.take('qp'),
            await c.complete('qp', 'P')];
    },
    async 'a parent of the same queue'(c) {
        await c.flow.add({ name: 'p', queueName: 'qc', data: {},
            opts: { jobId: 'P' }, children: [{ name: 'c', queueName: 'qc',
                opts: { jobId: 'C1' } }] });
        await c.take('qc');
        return [await c.complete('qc', 'C1'), await c.take('qc')];
    },
    async 'a parent of parents'(c) {
        await c.flow.add({ name: 'g', queueName: 'qp', data: {},
            opts: { jobId: 'G' }, children: [{ name: 'p', queueName: 'qp',
                opts: { jobId: 'P', ...fpof }, children: [{ name: 'c',
                    queueName: 'qc', opts: { jobId: 'C1', ...fpof } }] }] });
        await c.take('qc');
        await c.fail('qc', 'C1');
        const one = await c.take('qp');
        await c.tick();
        return [one, await c.take('qp')];
    },
    async 'a delayed parent'(c) {
        await c.tree({ C1: {} }, { delay: 60000, priority: 3 });
        await c.take('qc');
        await c.complete('qc', 'C1');
    },
    async 'a prioritized parent'(c) {
        await c.tree({ C1: {} }, { priority: 3 });
        await c.add('qp', 'x', { priority: 3 });
        await c.take('qc');
        await c.complete('qc', 'C1');
        return c.take('qp', 2);
    },
    async 'a released parent is next'(c) {
        await c.tree({ C1: {} });
        await c.add('qp', 'x');
        await c.take('qc');
        await c.complete('qc', 'C1');
        return c.take('qp', 2);
    },
    async 'a parent of a paused queue'(c) {
        await c.tree({ C1: {} });
        await c.queues.qp.pause();
        await c.take('qc');
        await c.complete('qc', 'C1');
    },
    async 'a parent of a queue at its concurrency'(c) {
        await c.queues.qp.setGlobalConcurrency(1);
        await c.tree({ C1: {} });
        await c.add('qp', 'x');
        await c.take('qp');
        await c.redis.del('bull:qp:marker');
        await c.take('qc');
        await c.complete('qc', 'C1');
    },
    async 'fpof: the parent fails when it is taken'(c) {
        await c.tree({ C1: fpof, C2: {} });
        await c.take('qc', 2);
        await c.fail('qc', 'C1');
        return [await c.take('qp'), await c.complete('qc', 'C2')];
    },
    async 'fpof: a parent that has a delay'(c) {
        await c.tree({ C1: fpof, C2: {} }, { delay: 60000 });
        await c.take('qc', 2);
        return [await c.fail('qc', 'C1'), await c.complete('qc', 'C2')];
    },
    async 'fpof: a parent that is delayed'(c) {
        await c.tree({ C0: {} }, { delay: 60000 });
        await c.take('qc');
        await c.complete('qc', 'C0');
        await c.add('qc', 'C1', { ...fpof, parent: P });
        await c.take('qc');
        await c.fail('qc', 'C1');
        return c.take('qp');
    },
    async 'fpof: an active parent'(c) {
        await c.add('qp', 'P');
        await c.take('qp');
        await c.add('qc', 'C1', { ...fpof, parent: P });
        await c.take('qc');
        await c.fail('qc', 'C1');
        return [await c.children('qp', 'P'), await c.complete('qp', 'P')];
    },
    async 'fpof: a failed parent'(c) {
        await c.add('qp', 'P');
        await c.take('qp');
        await c.add('qc', 'C1', { ...fpof, parent: P });
        await c.take('qc');
        await c.fail('qp', 'P');
        await c.fail('qc', 'C1');
    },
    async 'fpof: a parent that is gone'(c) {
        await c.tree({ C1: fpof });
        await c.take('qc');
        await c.redis.del('bull:qp:P', 'bull:qp:P:dependencies');
        return c.fail('qc', 'C1');
    },
    async 'fpof: attempts are left'(c) {
        await c.tree({ C1: { ...fpof, attempts: 2 } });
        await c.take('qc');
        await c.fail('qc', 'C1');
        await c.take('qc');
        await c.fail('qc', 'C1');
    },
    async 'cpof: the parent goes on at once'(c) {
        await c.tree({ C1: cpof, C2: {} });
        await c.take('qc', 2);
        await c.fail('qc', 'C1');
    },
    async 'cpof: not a parent that is active'(c) {
        await c.add('qp', 'P');
        await c.take('qp');
        await c.add('qc', 'C1', { ...cpof, parent: P });
        await c.take('qc');
        await c.fail('qc', 'C1');
        return c.complete('qp', 'P');
    },
    async 'cpof: not a parent that is delayed'(c) {
        await c.add('qp', 'P', { delay: 60000 });
        await c.add('qc', 'C1', { ...cpof, parent: P });
        await c.take('qc');
        await c.fail('qc', 'C1');
    },
    async 'idof'(c) {
        await c.tree({ C1: idof, C2: {} });
        await c.take('qc', 2);
        return [await c.fail('qc', 'C1', 'no "reason"'),
            await c.complete('qc', 'C2'), await c.take('qp')];
    },
    async 'rdof'(c) {
        await c.tree({ C1: rdof, C2: rdof });
        await c.take('qc', 2);
        return [await c.fail('qc', 'C1'), await c.fail('qc', 'C2'),
            await c.take('qp')];
    },
    async 'no option: the parent waits'(c) {
        await c.tree({ C1: {}, C2: {} });
        await c.take('qc', 2);
        await c.fail('qc', 'C1');
        await c.complete('qc', 'C2');
        return c.take('qp');
    },
    async 'an old hash without parent, completed'(c) {
        await c.tree({ C1: {} });
        await c.redis.hdel('bull:qc:C1', 'parent');
        await c.take('qc');
        await c.complete('qc', 'C1');
    },
    async 'an old hash without parent, failed'(c) {
        await c.tree({ C1: fpof });
        await c.redis.hdel('bull:qc:C1', 'parent');
        await c.take('qc');
        await c.fail('qc', 'C1');
    },
    async 'removed when completed'(c) {
        await c.tree({ C1: { removeOnComplete: true }, C2: {} });
        await c.take('qc', 2);
        await c.complete('qc', 'C1');
        await c.complete('qc', 'C2');
    },
    async 'removed when failed'(c) {
        await c.tree({ C1: { removeOnFail: true } });
        await c.take('qc');
        await c.fail('qc', 'C1');
        return c.take('qp');
    },
    async 'removed to keep to a rule'(c) {
        await c.tree({ C1: {} });
        await c.take('qc');
        await c.fail('qc', 'C1');
        await c.add('qc', 'X', { removeOnFail: 1 });
        await c.take('qc');
        await c.fail('qc', 'X');
    },
    async 'removed to keep to a rule, others are waited for'(c) {
        await c.tree({ C1: {}, C2: {} });
        await c.take('qc', 2);
        await c.fail('qc', 'C1');
        await c.add('qc', 'X', { removeOnFail: 1 });
        await c.take('qc');
        await c.fail('qc', 'X');
        await c.complete('qc', 'C2');
    },
    async 'removed to keep to a rule, when it was done'(c) {
        await c.tree({ C1: {}, C2: {} });
        await c.take('qc', 2);
        await c.complete('qc', 'C1');
        await c.add('qc', 'X', { removeOnComplete: 1 });
        await c.take('qc');
        await c.complete('qc', 'X');
    },
    async 'a parent that is removed'(c) {
        await c.tree({ C1: fpof, C2: {} }, { removeOnFail: true });
        await c.take('qc', 2);
        await c.fail('qc', 'C1');
        await c.take('qp');
        return c.complete('qc', 'C2');
    },
    async 'back: a completed child'(c) {
        await c.tree({ C1: {}, C2: {} });
        await c.take('qc', 2);
        await c.complete('qc', 'C1');
        return c.requeue('qc', 'C1', 'completed');
    },
    async 'back: a child that failed its parent'(c) {
        await c.tree({ C1: fpof, C2: {} });
        await c.take('qc', 2);
        await c.fail('qc', 'C1');
        return c.requeue('qc', 'C1');
    },
    async 'back: a child whose failure was ignored'(c) {
        await c.tree({ C1: idof });
        await c.take('qc');
        await c.fail('qc', 'C1');
        await c.take('qp');
        await c.complete('qp', 'P');
        await c.requeue('qc', 'C1');
        await c.take('qc');
        return c.complete('qc', 'C1');
    },
    async 'back: a child that is waited for'(c) {
        await c.tree({ C1: {} });
        await c.take('qc');
        await c.fail('qc', 'C1');
        await c.requeue('qc', 'C1');
        await c.take('qc');
        await c.complete('qc', 'C1');
        return c.take('qp');
    },
    async 'back: a child whose parent is gone'(c) {
        await c.tree({ C1: idof });
        await c.take('qc');
        await c.fail('qc', 'C1');
        await c.queues.qp.remove('P', { removeChildren: false });
        return c.requeue('qc', 'C1');
    },
    async 'back: a failed parent'(c) {
        await c.tree({ C1: fpof, C2: {} });
        await c.take('qc', 2);
        await c.fail('qc', 'C1');
        await c.complete('qc', 'C2');
        await c.take('qp');
        await c.requeue('qp', 'P');
        await c.take('qp');
        return c.complete('qp', 'P');
    },
    async 'children that are added while the parent runs'(c) {
        await c.add('qp', 'P');
        await c.take('qp');
        const none = await c.children('qp', 'P');
        await c.add('qc', 'C1', { parent: P });
        const early = await c.complete('qp', 'P');
        const some = await c.children('qp', 'P');
        await c.take('qc');
        await c.complete('qc', 'C1');
        return [none, early, some, await c.take('qp'),
            await c.complete('qp', 'P')];
    },

    async 'kept: the last one follows'(c) {
        await c.add('qc', '', K);
        await c.take('qc');
        await c.add('qc', '', K);
        await c.add('qc', '', { ...K, lifo: true });
        await c.complete('qc', '1');
        return c.take('qc');
    },
    async 'kept: after a failure, delayed'(c) {
        await c.add('qc', 'A', K);
        await c.take('qc');
        await c.add('qc', 'B', { ...K, delay: 60000, priority: 4 });
        await c.fail('qc', 'A');
    },
    async 'kept: not before the last attempt'(c) {
        await c.add('qc', 'A', { ...K, attempts: 2 });
        await c.take('qc');
        await c.add('qc', 'B', K);
        await c.fail('qc', 'A');
        await c.take('qc');
        return c.complete('qc', 'A');
    },
    async 'kept: prioritized'(c) {
        await c.add('qc', 'A', K);
        await c.take('qc');
        await c.add('qc', 'B', { ...K, priority: 5,
            timestamp: 1700000000000 });
        await c.complete('qc', 'A');
    },
    async 'kept: with a ttl, while paused'(c) {
        const ttl = { deduplication: { ...K.deduplication, ttl: 60000 } };
        await c.add('qc', 'A', ttl);
        await c.take('qc');
        await c.add('qc', 'B', ttl);
        await c.queues.qc.pause();
        await c.complete('qc', 'A');
    },
    async 'kept: though another owns the key'(c) {
        await c.add('qc', 'A', K);
        await c.take('qc');
        await c.add('qc', 'B', K);
        await c.redis.set('bull:qc:de:K', 'other');
        await c.complete('qc', 'A');
    },
    async 'kept: the owner is removed'(c) {
        await c.add('qc', 'A', { ...K, removeOnComplete: true });
        await c.take('qc');
        await c.add('qc', 'B', K);
        await c.complete('qc', 'A');
    },
};


async function run(Kind, lib, server, major, name) {
    await server.redis.flushall();
    const steps = new Kind(lib, server, major);
    await steps.ready();
    const result = await cases[name](steps);
    const keys = await dump(server.redis);
    for (const { type, value } of Object.values(keys)) {
        for (const field of type === 'hash' ? value : []) {
            if (field[0] === 'stacktrace') {
                field[1] = `${JSON.parse(field[1]).length} stacks`;
            }
        }
    }
    const left = normal(keys, new Set());
    await steps.close();
    return { result, left };
}

tap.run(async () => {
    const server = await start('flows');
    try {
        for (const major of [6, 5]) {
            const lib = require(path.join(modules, `bullmq${major}`));
            for (const name of Object.keys(cases)) {
                if (only.length && !only.some((o) => name.includes(o))) {
                    continue;
                }
                const stock = await run(Stock, lib, server, major, name);
                const ours = await run(Ours, lib, server, major, name);
                tap.is(ours.result, stock.result, `v${major}: ${name}: results`);
                const diff = differences(ours.left, stock.left);
                tap.ok(diff === '', `v${major}: ${name}: keys`, diff);
            }
        }
    } finally {
        await server.stop();
    }
});
