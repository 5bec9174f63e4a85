'use strict';

/*
 * One job with all that BullMQ's add knows: each case is done once by stock
 * BullMQ and once by insert.lua, and the keyspaces are compared.
 *
 *   node tests/lua/insert.js [case ...]
 */

const { Stock, Ours, compare } = require('./steps');

const P = { id: 'P', queue: 'bull:qp' };
const Q = { id: 'Q', queue: 'bull:qp' };

const simple = { deduplication: { id: 'K' } };
const throttle = { deduplication: { id: 'K', ttl: 60000 } };
const extend = { deduplication: { id: 'K', ttl: 60000, extend: true } };
const debounce = { deduplication: { id: 'K', ttl: 60000, extend: true,
    replace: true }, delay: 60000 };
const replace = { deduplication: { id: 'K', ttl: 60000, replace: true },
    delay: 60000 };
const newest = { deduplication: { id: 'K', replace: true }, delay: 60000 };
const last = { deduplication: { id: 'K', keepLastIfActive: true } };
const later = { deduplication: { id: 'K', reschedule: true }, delay: 60000 };

class StockInserts extends Stock {
    async insert(id, opts = {}) {
        try {
            return (await this.queues.qc.add('n', { id },
                { ...(id ? { jobId: id } : {}), ...opts })).id;
        } catch (e) {
            if (e.code === undefined) {
                throw e;
            }
            return e.code;
        }
    }
}

const options = { failParentOnFailure: 'fpof', continueParentOnFailure: 'cpof',
    ignoreDependencyOnFailure: 'idof', removeDependencyOnFailure: 'rdof',
    deduplication: 'de' };

class OurInserts extends Ours {
    async one(queue, id, opts, more) {
        const stored = { attempts: 0, ...(id ? { jobId: id } : {}) };
        let parent;
        for (const [name, value] of Object.entries(opts)) {
            stored[options[name] || name] = value;
        }
        if (opts.parent) {
            parent = { id: opts.parent.id, queueKey: opts.parent.queue };
            for (const name of ['fpof', 'cpof', 'idof', 'rdof']) {
                if (stored[name]) {
                    parent[name] = true;
                }
            }
        }
        const got = await this.sluices[queue].insert(id, stored,
            { parent, timestamp: opts.timestamp, ...more });
        return Array.isArray(got) ? got[1] : got;
    }

    async insert(id, opts = {}) {
        return this.one('qc', id, opts, { data: { id } });
    }

    async tree(children, opts = {}, parent = 'P') {
        await this.one('qp', parent, opts, { name: 'p', children: 1 });
        let left = Object.keys(children).length;
        for (const [id, o] of Object.entries(children)) {
            left -= 1;
            await this.one('qc', id, { ...o, parent: { id: parent,
                queue: 'bull:qp' } }, { name: 'c', children: left ? 2 : 0 });
        }
    }
}

/* adds `n` times; returns the ids */
async function times(c, n, opts) {
    const ids = [];
    for (let i = 0; i < n; i += 1) {
        ids.push(await c.insert('', opts));
    }
    return ids;
}

const cases = {
    'a line, its front, a priority, later': async (c) => [await c.insert('A'),
        await c.insert('', { lifo: true }), await c.insert('', { priority: 3 }),
        await c.insert('B', { delay: 60000, priority: 4 })],
    'a timestamp': (c) => c.insert('A', { timestamp: 1700000000000 }),
    'a paused queue': async (c) => {
        await c.queues.qc.pause();
        return times(c, 2, {});
    },
    'a duplicate': async (c) => [await c.insert('A'),
        await c.insert('A', { priority: 3 })],

    'simple': (c) => times(c, 3, simple),
    'simple: until it is over': async (c) => {
        await times(c, 2, simple);
        await c.take('qc');
        await c.complete('qc', '1');
        return times(c, 2, simple);
    },
    'simple: the owner is gone': async (c) => {
        await times(c, 1, simple);
        await c.redis.del('bull:qc:1', 'bull:qc:wait');
        return times(c, 2, simple);
    },
    'simple: a duplicate first': async (c) => [await c.insert('A', simple),
        await c.insert('A', simple)],
    'throttle': (c) => times(c, 3, throttle),
    'extend': async (c) => {
        await times(c, 1, extend);
        await c.redis.pexpire('bull:qc:de:K', 1000);
        const ids = await times(c, 1, extend);
        return [ids, await c.redis.pttl('bull:qc:de:K') > 2000];
    },
    'debounce': async (c) => {
        await times(c, 1, debounce);
        await c.redis.pexpire('bull:qc:de:K', 5000);
        const ids = await times(c, 2, debounce);
        return [ids, await c.redis.pttl('bull:qc:de:K') > 6000];
    },
    'replace, the time goes on': async (c) => {
        await times(c, 1, replace);
        await c.redis.pexpire('bull:qc:de:K', 5000);
        const ids = await times(c, 2, replace);
        return [ids, await c.redis.pttl('bull:qc:de:K') > 6000];
    },
    'replace, without a time': (c) => times(c, 3, newest),
    'replace: the owner is in the line': async (c) => {
        await times(c, 1, { deduplication: newest.deduplication });
        return times(c, 2, newest);
    },
    'keepLastIfActive': async (c) => {
        const one = await times(c, 2, last);
        await c.take('qc');
        const two = await times(c, 2, last);
        return [one, two, await c.complete('qc', '1'), await c.take('qc')];
    },
    'keepLastIfActive, with a time': async (c) => {
        const o = { deduplication: { ...last.deduplication, ttl: 60000 } };
        await times(c, 1, o);
        const ttl = [await c.redis.pttl('bull:qc:de:K')];
        await c.take('qc');
        const ids = await times(c, 2, o);
        ttl.push(await c.redis.pttl('bull:qc:de:K'));
        return [ids, ttl, await c.complete('qc', '1'),
            await c.redis.pttl('bull:qc:de:K')];
    },
    'keepLastIfActive, with a time that begins again': (c) => times(c, 2,
        { deduplication: { ...extend.deduplication, ...last.deduplication } }),
    'reschedule': async (c) => {
        await times(c, 1, later);
        /* one: two in the same ms take two places, by chance */
        return times(c, 1, { ...later, delay: 90000 });
    },
    'reschedule: not delayed': async (c) => {
        await times(c, 1, { deduplication: later.deduplication });
        return times(c, 1, later);
    },

    'a child': async (c) => {
        await c.add('qp', 'P');
        await c.take('qp');
        return [await c.insert('C1', { parent: P, failParentOnFailure: true }),
            await c.insert('C2', { parent: P, priority: 2 }),
            await c.insert('C3', { parent: P, delay: 60000 }),
            await c.children('qp', 'P')];
    },
    'a parent that is not there': (c) => c.insert('C1', { parent: P }),
    'a child of the same parent again': async (c) => {
        await c.add('qp', 'P');
        return [await c.insert('C1', { parent: P }),
            await c.insert('C1', { parent: P })];
    },
    'a child of another parent': async (c) => {
        await c.add('qp', 'P');
        await c.add('qp', 'Q');
        return [await c.insert('C1', { parent: P }),
            await c.insert('C1', { parent: Q })];
    },
    'a child of a parent that is gone': async (c) => {
        await c.add('qp', 'P');
        await c.add('qp', 'Q');
        await c.insert('C1', { parent: P });
        await c.redis.del('bull:qp:P', 'bull:qp:P:dependencies');
        return c.insert('C1', { parent: Q });
    },
    'a job becomes a child': async (c) => {
        await c.add('qp', 'P');
        return [await c.insert('C1'), await c.insert('C1', { parent: P })];
    },
    'a job that is completed becomes a child': async (c) => {
        await c.add('qp', 'P');
        await c.insert('C1');
        await c.take('qc');
        await c.complete('qc', 'C1', { a: 1 });
        return c.insert('C1', { parent: P });
    },
    'children, and who waits for them': async (c) => {
        await c.tree({ C1: {}, C2: { priority: 2 } }, { priority: 3 });
        await c.take('qc', 2);
        await c.complete('qc', 'C1');
        await c.tick();
        return [await c.complete('qc', 'C2'), await c.take('qp')];
    },
    'children, of which the first is completed': async (c) => {
        await c.insert('C1');
        await c.take('qc');
        await c.complete('qc', 'C1', { a: 1 });
        await c.tree({ C1: {}, C2: {} });
        return c.redis.exists('bull:qp:wait');
    },
    'children, all completed': async (c) => {
        for (const id of ['C1', 'C2']) {
            await c.insert(id);
            await c.take('qc');
            await c.complete('qc', id);
        }
        await c.tree({ C1: {}, C2: {} });
        return c.take('qp');
    },
    'who waits for children is delayed then': async (c) => {
        await c.tree({ C1: {} }, { delay: 60000 });
        await c.take('qc');
        await c.complete('qc', 'C1');
    },
};

/* in BullMQ 6.7; in 5 we take a key over as well, tell a child its parent, and
 * keep a parent until all children are there */
const of6 = ['reschedule', 'reschedule: not delayed',
    'simple: the owner is gone', 'a child of a parent that is gone',
    'children, of which the first is completed'];


compare('insert', [StockInserts, OurInserts], cases, { of6 });
