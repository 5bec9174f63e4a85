'use strict';

/*
 * Random histories of flows, each on two servers: on one stock BullMQ does every
 * step, on the other each step is done by it or by our scripts.  After each step
 * both have answered the same and left the same keys.
 *
 *   node tests/lua/random_flows.js [seed [steps]]
 */

const path = require('path');
const { start, modules } = require('./server');
const { differences } = require('./keyspace');
const { Stock, Ours, left, QUEUES } = require('./steps');
const tap = require('./tap');

const seed = +(process.argv[2] || Date.now() % 1e9);
const steps = +(process.argv[3] || 150);
const random = require('./random_number')(seed);
const pick = (list) => list[random(list.length)];

const FLAGS = [{}, {}, { failParentOnFailure: true },
    { continueParentOnFailure: true }, { ignoreDependencyOnFailure: true },
    { removeDependencyOnFailure: true }];


class Twins {
    constructor(lib, one, two, major, removing) {
        this.one = new Stock(lib, one, major);
        this.stock = new Stock(lib, two, major);
        this.ours = new Ours(lib, two, major);
        this.major = major;
        this.removing = removing;
        this.serial = 0;
        this.trail = [];
        this.wrong = '';
    }

    get all() {
        return [this.one, this.stock, this.ours];
    }

    async act(who, step, ...args) {
        const a = JSON.stringify(await this.one[step](...args));
        const b = JSON.stringify(await who[step](...args));
        if (a !== b) {
            this.wrong = this.wrong || `${b}, not ${a}`;
        }
        this.trail.push(`${who === this.ours ? 'ours' : 'stock'} ${step} ${
            JSON.stringify(args)}: ${b}`);
        /* ties are sorted by id, and the oldest are removed */
        await this.one.tick();
        await this.stock.tick();
        return JSON.parse(a || 'null');
    }

    either(step, ...args) {
        return this.act(pick([this.stock, this.ours, this.ours]), step,
            ...args);
    }

    id(letter) {
        this.serial += 1;
        return `${letter}${this.serial}`;
    }

    /* a job of a queue in that state, of which both servers know */
    async some(name, state) {
        const key = `bull:${name}:${state}`;
        const list = state === 'active'
            ? await this.one.redis.lrange(key, 0, -1)
            : await this.one.redis.zrange(key, 0, -1);
        return pick(list.sort());
    }

    /* we would leave it in its line */
    async waits(name) {
        const { redis } = this.stock;
        const line = [...await redis.lrange(`bull:${name}:wait`, 0, -1),
            ...await redis.zrange(`bull:${name}:prioritized`, 0, -1)];
        for (const id of line) {
            const key = `bull:${name}:${id}`;
            if (await redis.exists(`${key}:dependencies`)
                && !await redis.hexists(key, 'defa'))
            {
                return true;
            }
        }
        return false;
    }

    /* what a released parent keeps is ours alone when a child was removed */
    options() {
        if (this.removing) {
            return pick([{}, {}, { removeOnFail: true }, { removeOnFail: 2 },
                { removeOnComplete: true }, { removeOnComplete: 3 }]);
        }
        return pick([{}, {}, { priority: 2 }, { delay: 3600000 }]);
    }
}


const moves = {
    async tree(t) {
        const children = {};
        for (let i = random(3); i >= 0; i -= 1) {
            children[t.id('C')] = { ...pick(FLAGS), ...pick([{}, {},
                { attempts: 2 }]), ...(t.removing ? t.options() : {}) };
        }
        await t.act(t.stock, 'tree', children, t.options(), t.id('P'));
    },

    async take(t) {
        const name = pick(QUEUES);
        await (await t.waits(name) ? t.act(t.stock, 'take', name)
            : t.either('take', name));
    },

    async end(t) {
        const name = pick(QUEUES);
        const id = await t.some(name, 'active');
        if (id) {
            await t.either(pick(['complete', 'fail']), name, id);
        }
    },

    async back(t) {
        const name = pick(QUEUES);
        const set = pick(['failed', 'completed']);
        const id = await t.some(name, set);
        if (!id || random(2)) {
            return;
        }
        /* stock 5 forgets the priority */
        const key = `bull:${name}:${id}`;
        const plain = t.major === 6
            || !+await t.one.redis.hget(key, 'priority');
        await (plain ? t.either('requeue', name, id, set)
            : t.act(t.stock, 'requeue', name, id, set));
    },

    async grow(t) {
        const id = await t.some('qp', 'active');
        if (id) {
            await t.act(t.stock, 'add', 'qc', t.id('D'), { ...pick(FLAGS),
                parent: { id, queue: 'bull:qp' } });
            await t.either('children', 'qp', id);
        }
    },

    async keep(t) {
        const K = { deduplication: { id: `K${random(2)}`,
            keepLastIfActive: true } };
        await t.act(t.stock, 'add', 'qc', t.id('K'), { ...K, ...t.options() });
    },

    async remove(t) {
        const id = await t.some('qc', pick(['failed', 'completed']));
        if (id && t.removing) {
            await t.act(t.stock, 'remove', 'qc', id);
        }
    },

    async pause(t) {
        await t.act(t.stock, 'pause', pick(QUEUES), !random(3));
    },

    async promote(t) {
        const name = pick(QUEUES);
        const id = await t.some(name, 'delayed');
        if (id) {
            await t.act(t.stock, 'promote', name, id);
        }
    },
};

const often = { take: 6, end: 6, tree: 2, back: 2, grow: 1, keep: 2, remove: 1,
    pause: 1, promote: 1 };
const bag = Object.entries(often).flatMap(([name, n]) => Array(n).fill(name));


async function history(lib, one, two, major, removing) {
    await one.redis.flushall();
    await two.redis.flushall();
    const t = new Twins(lib, one, two, major, removing);
    await Promise.all(t.all.map((c) => c.ready()));
    const counts = {};
    let n = 0;
    for (; n < steps && !t.wrong; n += 1) {
        const name = pick(bag);
        const before = t.trail.length;
        try {
            await moves[name](t);
        } catch (e) {
            t.wrong = `${name}: ${e.stack}`;
        }
        counts[name] = (counts[name] || 0) + (t.trail.length > before);
        t.wrong = t.wrong || differences(await left(two.redis),
            await left(one.redis));
    }
    const what = `major ${major}${removing ? ', with removal' : ''}`;
    tap.ok(!t.wrong, `${what}: ${n} steps, seed ${seed}`,
        `${t.wrong}\nafter ${t.trail.slice(-5).join('\n      ')}`);
    const never = Object.keys(often).filter((name) => !counts[name]
        && (name !== 'remove' || removing) && (name !== 'promote' || !removing));
    tap.ok(t.wrong || steps < 1000 || !never.length,
        `${what}: every kind of step was done`, never);
    await Promise.all(t.all.map((c) => c.close()));
}

tap.run(async () => {
    console.log(`# seed ${seed}`);
    const one = await start('twin-one');
    const two = await start('twin-two');
    try {
        for (const major of [6, 5]) {
            const lib = require(path.join(modules, `bullmq${major}`));
            await history(lib, one, two, major, false);
            await history(lib, one, two, major, true);
        }
    } finally {
        await one.stop();
        await two.stop();
    }
});
