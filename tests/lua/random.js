'use strict';

/*
 * Random sequences of our operations mixed with stock BullMQ's on one queue.
 * After each: every job is in exactly the state that a model says, and there is
 * no key that belongs to nothing.
 *
 *   node tests/lua/random.js [seed [operations]]
 */

const path = require('path');
const { start, modules } = require('./server');
const { Sluice } = require('./scripts');
const tap = require('./tap');

const seed = +(process.argv[2] || Date.now() % 1e9);
const operations = +(process.argv[3] || 2000);
const K = 'bull:q:';

const random = require('./random_number')(seed);
const pick = (list) => list[random(list.length)];

const OWN = new Set(['id', 'meta', 'wait', 'paused', 'active', 'prioritized',
    'pc', 'delayed', 'completed', 'failed', 'marker', 'stalled',
    'stalled-check', 'events', 'limiter']);


class World {
    constructor(server, major) {
        this.lib = require(path.join(modules, `bullmq${major}`));
        this.redis = server.redis;
        this.sluice = new Sluice(server.redis, major);
        this.major = major;
        this.queue = new this.lib.Queue('q', { connection: server.connection });
        this.queue.on('error', () => {});
        this.worker = new this.lib.Worker('q', null, { autorun: false,
            connection: server.connection });
        this.worker.on('error', () => {});
        this.jobs = new Map();      /* id -> state in the model */
        this.tokens = new Map();    /* id -> token of an active job */
        this.serial = 0;
        this.paused = false;
    }

    in(...states) {
        return [...this.jobs].filter(([, s]) => states.includes(s))
            .map(([id]) => id);
    }

    some(most, ...states) {
        const all = this.in(...states);
        const got = new Set();
        for (let i = random(most) + 1; i > 0 && all.length; i -= 1) {
            got.add(pick(all));
        }
        return [...got];
    }

    token() {
        this.serial += 1;
        return `t${this.serial}`;
    }

    /* a new job's options, and the state that it starts in */
    kind() {
        return pick([
            [{}, 'wait'], [{}, 'wait'], [{ lifo: true }, 'wait'],
            [{ priority: random(5) + 1 }, 'wait'],
            [{ delay: 3600000 }, 'delayed'],
            [{ delay: 1, timestamp: Date.now() - 5000 }, 'due'],
            [{ delay: 3600000, priority: 3 }, 'delayed'],
        ]);
    }

    started(list, token) {
        for (const { id } of list) {
            this.jobs.set(id, 'active');
            this.tokens.set(id, token);
        }
    }

    /* a take, a retry at once and a stock fetch promote what is due */
    promoted() {
        for (const id of this.in('due')) {
            this.jobs.set(id, 'wait');
        }
    }
}


const ours = {
    async add(w) {
        const list = Array.from({ length: random(6) + 1 }, () => {
            const [opts, where] = w.kind();
            w.serial += 1;
            return { where, job: { ...opts, opts: JSON.stringify({
                attempts: 2, ...opts }), id: random(3) ? `e-${w.serial}`
                : '' } };
        });
        const result = await w.sluice.add(...list.map((l) => l.job));
        result.forEach((r, i) => w.jobs.set(r === 1 ? list[i].job.id : r,
            list[i].where));
    },

    async duplicate(w) {
        const [id] = w.some(1, 'wait', 'active', 'completed', 'failed');
        if (id && !/^\d+$/.test(id)) {
            expect(await w.sluice.add({ id }), [0]);
        }
    },

    async take(w) {
        const token = w.token();
        w.promoted();
        const { jobs } = await w.sluice.take(random(8) + 1, token);
        w.started(jobs, token);
    },

    async finish(w) {
        const ids = w.some(6, 'active');
        const token = w.token();
        const next = random(4);
        const keep = pick(['', '', '5:0', '0:0', '3:3600']);
        const list = ids.map((id) => (random(3) ? { id, token: w.tokens.get(id),
            keep } : { id, token: w.tokens.get(id), keep, reason: 'no' }));
        const got = await w.sluice.finish(list, next, token);
        expect(got.codes, ids.map(() => 0));
        ids.forEach((id, i) => w.jobs.set(id,
            list[i].reason ? 'failed' : 'completed'));
        if (next) {
            w.promoted();
            w.started(got.next.jobs, token);
        }
        await removed(w);
    },

    async wrong(w) {
        const [id] = w.some(1, 'active', 'completed', 'wait');
        if (id) {
            const codes = [
                ...(await w.sluice.finish([{ id, token: 'nobody' }])).codes,
                ...await w.sluice.retry({ id, token: 'nobody' }),
                (await w.sluice.extend(1000, [id, 'nobody'])).length];
            expect(codes.map((c) => c === 1 || c === -2 || c === -6),
                [true, true, true]);
        }
    },

    async retry(w) {
        const ids = w.some(4, 'active');
        const list = ids.map((id) => ({ id, token: w.tokens.get(id),
            ...pick([{}, { delay: 3600000 }, { mode: 'delay', delay: 3600000 },
                { mode: 'release' }]) }));
        expect(await w.sluice.retry(...list), ids.map(() => 0));
        if (list.some((j) => !j.mode && !j.delay)) {
            w.promoted();
        }
        list.forEach((j) => w.jobs.set(j.id, j.delay ? 'delayed' : 'wait'));
    },

    async extend(w) {
        const ids = w.some(5, 'active');
        if (ids.length) {
            expect(await w.sluice.extend(60000,
                ...ids.map((id) => [id, w.tokens.get(id)])), []);
        }
    },

    async recover(w) {
        const lost = w.some(3, 'active');
        for (const id of lost) {
            await w.redis.del(`${K}${id}:lock`);
        }
        await w.redis.del(`${K}stalled-check`);
        const first = await w.sluice.recover(60000, 100);
        await w.redis.del(`${K}stalled-check`);
        const moved = [...first, ...await w.sluice.recover(60000, 100)];
        expect(moved.sort(), lost.sort());
        lost.forEach((id) => w.jobs.set(id, 'wait'));
    },

    async pause(w) {
        if (w.paused || !random(3)) {
            await w.sluice.pause(!w.paused, random(3) + 1);
            w.paused = !w.paused;
        }
    },

    async promote(w) {
        const ids = w.some(4, 'delayed');
        if (ids.length) {
            expect(await w.sluice.promote(...ids), ids.map(() => 1));
            ids.forEach((id) => w.jobs.set(id, 'wait'));
        }
    },

    async move(w) {
        const set = pick(['failed', 'completed', 'delayed', 'none', 'none']);
        if (set === 'none') {
            return;
        }
        const ids = w.in(...(set === 'delayed' ? [set, 'due'] : [set]));
        const left = await w.redis.zcard(K + set);
        expect(await w.sluice.move(set, { count: random(9) + 1 }), [left, 0]);
        ids.forEach((id) => w.jobs.set(id, 'wait'));
    },

    async remove(w) {
        const ids = w.some(6, 'wait', 'delayed', 'due', 'completed', 'failed',
            'active');
        if (ids.length) {
            expect(await w.sluice.remove(ids, { children: random(2) }),
                ids.map((id) => (w.jobs.get(id) === 'active' ? 0 : 1)));
            ids.filter((id) => w.jobs.get(id) !== 'active')
                .forEach((id) => w.jobs.delete(id));
        }
    },

    async change(w) {
        const ids = w.some(4, 'wait', 'delayed', 'active');
        if (ids.length && random(2)) {
            expect(await w.sluice.change('priority', random(3), ids, random(2)),
                ids.map(() => 1));
        } else if (ids.length) {
            expect(await w.sluice.change('delay', 3600000 + random(9), ids),
                ids.map((id) => (w.jobs.get(id) === 'delayed' ? 1 : -3)));
        }
    },

    async update(w) {
        const [id] = w.some(1, 'wait', 'active', 'failed');
        if (id) {
            expect([await w.sluice.update(id, 'data', '{"b":1}'),
                await w.sluice.update(id, 'progress', '5'),
                await w.sluice.update(id, 'log', 'line', 1)], [1, 1, 1]);
        }
    },

    async clean(w) {
        const state = pick(['completed', 'failed', 'delayed', 'wait', 'paused',
            'prioritized', 'active']);
        if (w.jobs.size > 100) {
            const [ids] = await w.sluice.clean(state, 0,
                { count: random(20) + 1 });
            ids.forEach((id) => {
                if (!w.jobs.delete(id)) {
                    expect(id, 'a job');
                }
            });
        }
    },

    async obliterate(w) {
        if (!random(20)) {
            expect(await w.sluice.obliterate(1, 7), w.paused ? '' : -1);
            if (w.paused) {
                expect(await w.redis.keys('*'), []);
                w.jobs.clear();
                w.paused = false;
            }
        }
    },

    async requeue(w) {
        const set = pick(['failed', 'completed']);
        const ids = w.some(4, set);
        if (ids.length) {
            expect(await w.sluice.requeue(set, ids, random(2)),
                ids.map(() => 1));
            ids.forEach((id) => w.jobs.set(id, 'wait'));
        }
    },
};

const stock = {
    async stockAdd(w) {
        const [opts, where] = w.kind();
        const job = await w.queue.add('s', { a: 1 }, { attempts: 2, ...opts });
        w.jobs.set(job.id, where);
    },

    async stockTake(w) {
        const token = w.token();
        w.promoted();
        const job = await w.worker.getNextJob(token, { block: false });
        w.started(job ? [job] : [], token);
    },

    async stockFinish(w) {
        const [id] = w.some(1, 'active');
        if (id) {
            const job = await w.queue.getJob(id);
            if (random(2)) {
                await job.moveToCompleted('v', w.tokens.get(id), false);
                w.jobs.set(id, 'completed');
            } else {
                const made = job.attemptsMade;
                await job.moveToFailed(new Error('no'), w.tokens.get(id),
                    false);
                w.jobs.set(id, made + 1 < 2 ? 'wait' : 'failed');
            }
        }
    },

    async stockPromote(w) {
        const [id] = w.some(1, 'delayed');
        if (id) {
            await (await w.queue.getJob(id)).promote();
            w.jobs.set(id, 'wait');
        }
    },

    async stockRetry(w) {
        const [id] = w.some(1, 'failed');
        if (id) {
            await (await w.queue.getJob(id)).retry('failed');
            w.jobs.set(id, 'wait');
        }
    },

    async stockRemove(w) {
        const ids = w.some(20, 'wait', 'delayed', 'due', 'completed', 'failed');
        if (w.jobs.size > 150) {
            for (const id of ids) {
                await w.queue.remove(id);
                w.jobs.delete(id);
            }
        }
    },

    async stockPause(w) {
        if (w.paused || !random(4)) {
            await (w.paused ? w.queue.resume() : w.queue.pause());
            w.paused = !w.paused;
        }
    },

    async stockPriority(w) {
        const [id] = w.some(1, 'wait');
        if (id) {
            await (await w.queue.getJob(id)).changePriority({
                priority: random(4) });
        }
    },
};

let wrongResult = '';
function expect(got, expected) {
    if (JSON.stringify(got) !== JSON.stringify(expected)) {
        wrongResult = `result ${JSON.stringify(got)}, `
            + `not ${JSON.stringify(expected)}`;
    }
}

/* what keeping removed: the model cannot know which */
async function removed(w) {
    for (const id of w.in('completed', 'failed')) {
        if (!await w.redis.exists(K + id)) {
            w.jobs.delete(id);
        }
    }
}

/* '' or what is wrong with the keyspace */
async function wrong(w) {
    const replies = await w.redis.pipeline().lrange(`${K}wait`, 0, -1)
        .lrange(`${K}paused`, 0, -1).zrange(`${K}prioritized`, 0, -1)
        .lrange(`${K}active`, 0, -1).zrange(`${K}delayed`, 0, -1)
        .zrange(`${K}completed`, 0, -1).zrange(`${K}failed`, 0, -1)
        .keys('*').exec();
    const [wait, held, prioritized, active, delayed, completed, failed, keys]
        = replies.map(([e, v]) => { if (e) { throw e; } return v; });
    const found = new Map();
    const put = (list, where) => {
        for (const id of list) {
            if (found.has(id)) {
                return `${id} is in ${found.get(id)} and in ${where}`;
            }
            found.set(id, where);
        }
        return '';
    };
    const twice = put(wait, 'wait') || put(held, 'wait')
        || put(prioritized, 'wait') || put(active, 'active')
        || put(delayed, 'delayed') || put(completed, 'completed')
        || put(failed, 'failed');
    if (twice) {
        return twice;
    }
    for (const [id, model] of w.jobs) {
        const real = found.get(id);
        if (real !== model && !(model === 'due'
            && (real === 'delayed' || real === 'wait')))
        {
            return `${id} is in ${real}, not in ${model}`;
        }
    }
    if (found.size !== w.jobs.size) {
        return `${found.size} jobs, not ${w.jobs.size}`;
    }
    const hashes = new Set();
    for (const key of keys) {
        const name = key.slice(K.length);
        const id = name.replace(/:(lock|logs)$/, '');
        if (key.startsWith(K) && (OWN.has(name) || found.has(name)
            || (name.endsWith('logs') ? found.has(id)
                : id !== name && found.get(id) === 'active')))
        {
            hashes.add(name);
            continue;
        }
        return `${key} belongs to nothing`;
    }
    for (const id of found.keys()) {
        if (!hashes.has(id)) {
            return `${id} has no hash`;
        }
    }
    return '';
}

async function history(server, major) {
    await server.redis.flushall();
    const w = new World(server, major);
    await w.queue.waitUntilReady();
    await w.worker.waitUntilReady();
    const all = { ...ours, ...stock };
    const names = [...Object.keys(ours), ...Object.keys(ours),
        ...Object.keys(stock)];
    const counts = {};
    let problem = '';
    let n = 0;
    const trail = [];
    for (; n < operations && !problem; n += 1) {
        const name = pick(names);
        counts[name] = (counts[name] || 0) + 1;
        trail.push(name);
        try {
            await all[name](w);
        } catch (e) {
            problem = `${name}: ${e.stack}`;
        }
        problem = problem || wrongResult || await wrong(w);
    }
    tap.ok(!problem, `major ${major}: ${n} operations, seed ${seed}`,
        `${problem}\nafter ${trail.slice(-6).join(', ')}`);
    tap.ok(problem || names.every((name) => counts[name] > 5),
        `major ${major}: every kind of operation was done`, counts);
    const counted = await w.queue.getJobCounts('wait', 'paused', 'prioritized',
        'active', 'delayed', 'completed', 'failed');
    tap.is(Object.values(counted).reduce((a, b) => a + b, 0), w.jobs.size,
        `major ${major}: the stock counts add up`);
    await w.queue.close();
    await w.worker.close();
}

tap.run(async () => {
    console.log(`# seed ${seed}`);
    const server = await start('random');
    try {
        await history(server, 6);
        await history(server, 5);
    } finally {
        await server.stop();
    }
});
