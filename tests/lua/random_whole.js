'use strict';

/*
 * Random sequences of all that our scripts and stock BullMQ do, on two queues:
 * flows, schedulers, all kinds of deduplication, removal.  What holds after each
 * of our operations, that it held before:
 *
 *   - a job's hash is in one list or set, and what is in one has a hash
 *   - a lock is of an active job; each other key is of a job or of the queue
 *   - who waits for children has some that are not done, and they know it
 *   - a scheduler has its hash; stock's counts add up
 *
 * What a stock client breaks by itself is not ours.
 *
 *   node tests/lua/random_whole.js [seed [operations]]
 */

const path = require('path');
const { start, modules } = require('./server');
const { Sluice } = require('./scripts');
const tap = require('./tap');

const seed = +(process.argv[2] || Date.now() % 1e9);
const operations = +(process.argv[3] || 150);
const random = require('./random_number')(seed);
const pick = (list) => list[random(list.length)];

const QUEUES = ['q', 'kids'];
const LINES = ['wait', 'paused', 'active', 'prioritized', 'delayed',
    'waiting-children', 'completed', 'failed'];
const OWN = new Set([...LINES, 'id', 'meta', 'pc', 'marker', 'stalled',
    'stalled-check', 'events', 'limiter', 'repeat']);
const PARTS = /:(lock|logs|dependencies|processed|failed|unsuccessful)$/;
const EVERY = 3600000;

class World {
    constructor(server, major) {
        this.lib = require(path.join(modules, `bullmq${major}`));
        this.redis = server.redis;
        this.serial = 0;
        this.tokens = new Map();
        const { connection } = server;
        const keep = (client) => client.on('error', () => {}) && client;
        this.flow = keep(new this.lib.FlowProducer({ connection }));
        this.sluices = {};
        this.queues = {};
        this.workers = {};
        for (const name of QUEUES) {
            this.sluices[name] = new Sluice(server.redis, major,
                `bull:${name}:`);
            this.queues[name] = keep(new this.lib.Queue(name, { connection }));
            this.workers[name] = keep(new this.lib.Worker(name, null,
                { autorun: false, connection }));
        }
    }

    clients() {
        return [this.flow, ...Object.values(this.queues),
            ...Object.values(this.workers)];
    }

    next(letter) {
        this.serial += 1;
        return `${letter}-${this.serial}`;
    }

    async ids(name, line) {
        const key = `bull:${name}:${line}`;
        return /^(wait|paused|active)$/.test(line)
            ? this.redis.lrange(key, 0, -1) : this.redis.zrange(key, 0, -1);
    }

    async some(name, ...lines) {
        const all = (await Promise.all(lines.map((l) => this.ids(name, l))))
            .flat();
        return all.length ? pick(all) : null;
    }

    async active(name) {
        const id = await this.some(name, 'active');
        return id && { id, token: await this.redis.get(
            `bull:${name}:${id}:lock`) || 'gone' };
    }
}

const options = () => pick([{}, {}, { lifo: true }, { priority: 1 + random(3) },
    { delay: EVERY }, { delay: EVERY, priority: 2 }, { delay: 1 },
    { attempts: 3 }]);

const dedupe = () => pick([{ id: 'D1' }, { id: 'D2', ttl: 60000 },
    { id: 'D3', ttl: 60000, extend: true, replace: true },
    { id: 'D4', keepLastIfActive: true }]);

const failing = () => pick([{}, { fpof: true }, { cpof: true }, { idof: true },
    { rdof: true }]);

const STOCK_FAILING = { fpof: 'failParentOnFailure',
    cpof: 'continueParentOnFailure', idof: 'ignoreDependencyOnFailure',
    rdof: 'removeDependencyOnFailure' };

const ours = {
    async insert(w, name, s) {
        await s.insert(w.next('i'), { attempts: 0, ...options() });
    },

    async unique(w, name, s) {
        await s.insert(random(2) ? w.next('u') : '', { attempts: 0,
            ...options(), de: dedupe() });
    },

    async flow(w) {
        const id = w.next('p');
        await w.sluices.q.insert(id, { attempts: 0, ...options() },
            { children: 1 });
        for (let n = random(3); n >= 0; n -= 1) {
            await w.sluices.kids.insert(w.next('c'), { attempts: 0,
                ...options() }, { parent: { id, queueKey: 'bull:q',
                ...failing() } });
        }
    },

    async child(w) {
        const id = await w.some('q', 'active', 'waiting-children');
        if (id) {
            await w.sluices.kids.insert(w.next('c'), { attempts: 0 },
                { parent: { id, queueKey: 'bull:q', ...failing() } });
        }
    },

    async take(w, name, s) {
        const token = w.next('t');
        const { jobs } = await s.take(1 + random(4), token,
            { schedulers: true });
        for (const job of jobs) {
            if (job.rjk) {
                const last = +job.id.split(':').pop();
                await s.iterate(job.rjk, job.id, last + EVERY);
            }
            if (job.defa) {
                await s.finish([{ id: job.id, token, reason: job.defa }]);
            }
        }
    },

    async finish(w, name, s) {
        const job = await w.active(name);
        if (job) {
            const keep = pick(['', '', '0:0', '2:0']);
            const { codes: [code] } = await s.finish([{ ...job, keep,
                ...(random(3) ? {} : { reason: 'no' }) }]);
            if (code === -4) {
                await s.retry({ ...job, mode: 'children' });
            } else if (code === -9) {
                await s.finish([{ ...job, reason: 'a child failed' }]);
            }
        }
    },

    async retry(w, name, s) {
        const job = await w.active(name);
        if (job) {
            await s.retry({ ...job, ...pick([{}, { delay: EVERY },
                { mode: 'release' }, { mode: 'delay', delay: EVERY },
                { mode: 'children' }]) });
        }
    },

    async recover(w, name, s) {
        const id = await w.some(name, 'active');
        if (id && !random(3)) {
            await w.redis.del(`bull:${name}:${id}:lock`);
            for (let n = 0; n < 2; n += 1) {
                await w.redis.del(`bull:${name}:stalled-check`);
                await s.recover(60000, 3);
            }
        }
    },

    async pause(w, name, s) {
        await s.pause(!random(3), 2);
    },

    async promote(w, name, s) {
        const id = await w.some(name, 'delayed');
        if (id) {
            await s.promote(id);
        }
    },

    async move(w, name, s) {
        if (!random(4)) {
            await s.move(pick(['failed', 'completed', 'delayed']),
                { count: 3 });
        }
    },

    async requeue(w, name, s) {
        const set = pick(['failed', 'completed']);
        const id = await w.some(name, set);
        if (id) {
            await s.requeue(set, [id], random(2));
        }
    },

    async remove(w, name, s) {
        const id = await w.some(name, ...LINES);
        if (id) {
            await s.remove([id], { children: random(2) });
        }
    },

    async clean(w, name, s) {
        if (!random(3)) {
            await s.clean(pick(LINES.slice(0, 8).filter((line) =>
                line !== 'waiting-children')), 0, { count: 3 });
        }
    },

    async change(w, name, s) {
        const id = await w.some(name, 'wait', 'prioritized', 'delayed');
        if (id) {
            await (random(2) ? s.change('priority', random(3), [id])
                : s.change('delay', EVERY, [id]));
        }
    },

    async update(w, name, s) {
        const id = await w.some(name, ...LINES);
        if (id) {
            await s.update(id, 'log', 'line', 2);
        }
    },

    async schedule(w, name, s) {
        const at = Math.ceil(Date.now() / EVERY) * EVERY;
        await s.schedule(pick(['s1', 's2:x']), random(2) ? at : Date.now(),
            { every: EVERY, ...(random(2) ? {} : { limit: 3 }) });
    },

    async unschedule(w, name, s) {
        if (!random(2)) {
            await s.unschedule(pick(['s1', 's2:x']));
        }
    },

    async obliterate(w, name, s) {
        if (!random(15)) {
            await s.pause(true);
            await s.obliterate(1, 5);
            await s.pause(false);
        }
    },
};

const named = ({ fpof, cpof, idof, rdof }) => Object.fromEntries(
    Object.entries({ fpof, cpof, idof, rdof }).filter(([, on]) => on)
        .map(([key]) => [STOCK_FAILING[key], true]));

const stock = {
    async stockAdd(w, name) {
        await w.queues[name].add('n', {}, { ...options(),
            ...(random(2) ? {} : { deduplication: dedupe() }) });
    },

    async stockFlow(w) {
        await w.flow.add({ name: 'p', queueName: 'q', opts: options(),
            children: Array.from({ length: 1 + random(3) }, () => ({ name: 'c',
                queueName: 'kids', opts: { ...options(),
                    ...named(failing()) } })) });
    },

    async stockTake(w, name) {
        await w.workers[name].getNextJob(w.next('t'), { block: false });
    },

    async stockEnd(w, name) {
        const found = await w.active(name);
        const job = found && await w.queues[name].getJob(found.id);
        if (job) {
            await (random(3) ? job.moveToCompleted('v', found.token, false)
                : job.moveToFailed(new Error('no'), found.token, false));
        }
    },

    async stockRemove(w, name) {
        const id = await w.some(name, 'wait', 'delayed', 'completed', 'failed');
        if (id) {
            await w.queues[name].remove(id);
        }
    },

    async stockRetry(w, name) {
        const id = await w.some(name, 'failed');
        const job = id && await w.queues[name].getJob(id);
        if (job) {
            await job.retry('failed');
        }
    },

    async stockPause(w, name) {
        await (random(3) ? w.queues[name].resume() : w.queues[name].pause());
    },

    async stockSchedule(w, name) {
        await w.queues[name].upsertJobScheduler(pick(['s1', 's2:x']),
            { every: EVERY }, { name: 'tick' });
    },

    async stockUnschedule(w, name) {
        await w.queues[name].removeJobScheduler(pick(['s1', 's2:x']));
    },

    async stockClean(w, name) {
        if (!random(4)) {
            await w.queues[name].clean(0, 5, pick(['completed', 'failed',
                'delayed']));
        }
    },

    async stockDrain(w, name) {
        if (!random(10)) {
            await w.queues[name].drain(!random(2));
        }
    },
};


/* one queue's jobs: id -> line; what is wrong goes into `bad` */
async function placed(w, name, bad) {
    const found = new Map();
    const lists = await Promise.all(LINES.map((line) => w.ids(name, line)));
    LINES.forEach((line, i) => lists[i].forEach((id) => {
        if (found.has(id)) {
            bad.add(`${name} ${id} is in ${found.get(id)} and ${line}`);
        }
        found.set(id, line);
    }));
    const ids = [...found.keys()];
    const there = await Promise.all(ids.map((id) =>
        w.redis.exists(`bull:${name}:${id}`)));
    ids.filter((_, i) => !there[i]).forEach((id) =>
        bad.add(`${name} ${id} has no hash`));
    return found;
}

/* their ids */
async function schedulers(w, name, bad) {
    const base = `bull:${name}:`;
    const list = await w.redis.zrange(`${base}repeat`, 0, -1, 'WITHSCORES');
    for (let i = 0; i < list.length; i += 2) {
        if (!await w.redis.exists(`${base}repeat:${list[i]}`)) {
            bad.add(`${name}: scheduler ${list[i]} has no hash`);
        }
    }
    return new Set(list.filter((_, i) => i % 2 === 0));
}

async function family(w, parent, found, bad) {
    const [name, id] = parent;
    const key = `bull:${name}:${id}`;
    const left = await w.redis.smembers(`${key}:dependencies`);
    if (found[name].get(id) === 'waiting-children' && !left.length) {
        bad.add(`${key} waits for no child`);
    }
    for (const child of left) {
        const [, queue, ...rest] = child.split(':');
        const line = found[queue] && found[queue].get(rest.join(':'));
        if (!line || line === 'completed') {
            bad.add(`${key} waits for ${child}, which is ${line}`);
        } else if (await w.redis.hget(child, 'parentKey') !== key) {
            bad.add(`${child} does not know ${key}`);
        }
    }
}

async function wrong(w) {
    const bad = new Set();
    const found = {};
    const plans = {};
    for (const name of QUEUES) {
        found[name] = await placed(w, name, bad);
        plans[name] = await schedulers(w, name, bad);
    }
    for (const key of await w.redis.keys('*')) {
        const [, name, ...parts] = key.split(':');
        const rest = parts.join(':');
        const id = rest.replace(PARTS, '');
        const line = found[name] && found[name].get(id);
        const ok = OWN.has(rest) || found[name].has(rest)
            || (rest.startsWith('de:') && (rest.endsWith('D4')
                || await w.redis.pttl(key) > 0
                || found[name].has(await w.redis.get(key))))
            || /^dn:|^metrics/.test(rest)
            || (rest.startsWith('repeat:') && plans[name].has(rest.slice(7)))
            || (line && id !== rest && (!rest.endsWith(':lock')
                || line === 'active'));
        if (!ok) {
            bad.add(`${key} belongs to nothing`);
        }
        if (rest.endsWith(':dependencies') && line) {
            await family(w, [name, id], found, bad);
        }
    }
    for (const id of found.q.keys()) {
        if (found.q.get(id) === 'waiting-children') {
            await family(w, ['q', id], found, bad);
        }
    }
    for (const name of QUEUES) {
        const counts = await w.queues[name].getJobCounts(...LINES);
        const all = Object.values(counts).reduce((a, b) => a + b, 0);
        if (all !== found[name].size) {
            bad.add(`${name}: the counts are ${JSON.stringify(counts)}`);
        }
    }
    return bad;
}

async function history(server, major) {
    await server.redis.flushall();
    const w = new World(server, major);
    await Promise.all(w.clients().map((client) => client.waitUntilReady()));
    const names = [...Object.keys(ours), 'take', 'take', 'finish', 'finish',
        ...Object.keys(stock)];
    const trail = [];
    const done = {};
    let known = new Set();
    let theirs = 0;
    let problem = '';
    let n = 0;
    for (; n < operations && !problem; n += 1) {
        const op = pick(names);
        const name = pick(QUEUES);
        done[op] = (done[op] || 0) + 1;
        trail.push(`${op} ${name}`);
        if (ours[op]) {
            try {
                await ours[op](w, name, w.sluices[name]);
            } catch (e) {
                problem = `${op}: ${e.stack}`;
            }
        } else {
            /* it may refuse: a job that is gone, a lock that is lost */
            await stock[op](w, name).catch(() => {});
        }
        const now = await wrong(w);
        const fresh = [...now].filter((what) => !known.has(what));
        if (ours[op]) {
            problem = problem || fresh.join('; ');
        } else {
            theirs += fresh.length;
        }
        known = now;
    }
    tap.ok(!problem, `major ${major}: ${n} operations, seed ${seed}`,
        `${problem}\nafter ${trail.slice(-8).join(', ')}`);
    tap.ok(problem || operations < 1000
        || names.every((op) => done[op]),
    `major ${major}: every kind of operation was done`, done);
    console.log(`# major ${major}: ${theirs} left by stock's own operations`);
    await Promise.all(w.clients().map((client) => client.close()));
}

tap.run(async () => {
    console.log(`# seed ${seed}`);
    const server = await start('whole');
    try {
        await history(server, 6);
        await history(server, 5);
    } finally {
        await server.stop();
    }
});
