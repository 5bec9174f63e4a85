'use strict';

/*
 * Random operations on jobs of a few groups.  By our scripts alone, and with
 * promotes of stock clients: of a group one job is active at a time, and they
 * start in the order in which they were added.  With stock workers and clients
 * that do anything to them: each job is in one state, and none is stuck.
 *
 *   node tests/lua/random_groups.js [seed [operations]]
 */

const path = require('path');
const { start, modules } = require('./server');
const { Sluice } = require('./scripts');
const tap = require('./tap');

const seed = +(process.argv[2] || Date.now() % 1e9);
const operations = +(process.argv[3] || 400);
const K = 'bull:q:';

const random = require('./random_number')(seed);
const pick = (list) => list[random(list.length)];

const LISTS = ['wait', 'paused', 'active'];
const SETS = ['prioritized', 'delayed', 'completed', 'failed',
    'waiting-children'];


class World {
    constructor(server, lib, major, strict) {
        this.redis = server.redis;
        this.s = new Sluice(server.redis, major);
        this.strict = strict;
        this.queue = new lib.Queue('q', { connection: server.connection });
        this.worker = new lib.Worker('q', null, { autorun: false,
            connection: server.connection });
        this.queue.on('error', () => {});
        this.worker.on('error', () => {});
        this.serial = 0;
        this.added = {};           /* group -> ids in order */
        this.started = {};         /* and as they started first */
        this.taken = new Map();    /* id -> the stock job, or null of ours */
        this.wrong = '';
    }

    async states() {
        const found = {};
        for (const key of LISTS) {
            found[key] = await this.redis.lrange(K + key, 0, -1);
        }
        for (const key of SETS) {
            found[key] = await this.redis.zrange(K + key, 0, -1);
        }
        return found;
    }

    async some(...keys) {
        const found = await this.states();
        return pick(keys.flatMap((key) => found[key]));
    }

    start(id, job) {
        const group = id.replace(/\d+$/, '');
        this.taken.set(id, job);
        if (group !== 'n' && this.added[group].includes(id)
            && !this.started[group].includes(id))
        {
            this.started[group].push(id);
        }
    }

    reply(next) {
        for (const { id } of (next && next.jobs) || []) {
            this.start(id, null);
        }
    }

    async add() {
        const jobs = [];
        for (let i = random(5) + 1; i > 0; i -= 1) {
            const group = pick(['a', 'a', 'b', 'c', 'n']);
            this.serial += 1;
            const id = group + this.serial;
            const plain = this.strict || random(2);
            (this.added[group] = this.added[group] || []).push(id);
            this.started[group] = this.started[group] || [];
            const opts = { attempts: 3, ...(group === 'n' ? {}
                : { groupKey: group }) };
            jobs.push({ id, opts: JSON.stringify(opts),
                priority: plain ? 0 : random(3), delay: plain ? 0
                    : random(3) * 1000, lifo: plain ? 0 : random(2) });
        }
        await this.s.add(...jobs);
    }

    async addStock() {
        const group = pick(['a', 'b', 'c']);
        this.serial += 1;
        const id = group + this.serial;
        (this.added[group] = this.added[group] || []).push(id);
        this.started[group] = this.started[group] || [];
        await this.queue.add('n', {}, { jobId: id, groupKey: group,
            attempts: 3 });
    }

    async take() {
        this.reply(await this.s.take(random(6) + 1));
    }

    mine() {
        return [...this.taken].filter(([, job]) => job === null)
            .map(([id]) => id);
    }

    async finish() {
        const ids = this.mine().sort(() => random(3) - 1)
            .slice(0, random(4) + 1);
        if (ids.length) {
            ids.forEach((id) => this.taken.delete(id));
            const { next } = await this.s.finish(ids.map((id) => (random(3)
                ? { id, keep: pick(['', '0:0', '2:0']) }
                : { id, reason: 'x' })), random(3));
            this.reply(next);
        }
    }

    async retry() {
        const id = pick(this.mine());
        if (id) {
            this.taken.delete(id);
            const mode = pick(['retry', 'delay', 'release']);
            await this.s.retry({ id, mode, delay: mode === 'delay' ? 1000
                : mode === 'retry' ? random(2) * 1000 : 0 });
        }
    }

    /* a worker dies */
    async stall() {
        const id = pick([...this.taken.keys()]);
        if (id) {
            this.taken.delete(id);
            await this.redis.del(`${K}${id}:lock`);
            for (let i = 0; i < 2; i += 1) {
                await this.redis.del(`${K}stalled-check`);
                await this.s.recover(30000, 100);
            }
        }
    }

    async pass() {
        const ids = await this.redis.zrange(`${K}delayed`, 0, -1);
        for (const id of ids) {
            if (random(2)) {
                await this.redis.zadd(`${K}delayed`, 'XX', 0, id);
            }
        }
    }

    async requeue() {
        const set = pick(['failed', 'completed']);
        const id = await this.some(set);
        if (id) {
            await this.s.requeue(set, [id]);
        }
    }

    async remove() {
        const id = await this.some('wait', 'paused', 'prioritized', 'delayed');
        if (id) {
            await this.s.remove([id]);
            this.forget(id);
        }
    }

    /* it need not start any more */
    forget(id) {
        for (const ids of Object.values(this.added)) {
            const at = ids.indexOf(id);
            if (at >= 0) {
                ids.splice(at, 1);
            }
        }
        for (const ids of Object.values(this.started)) {
            const at = ids.indexOf(id);
            if (at >= 0) {
                ids.splice(at, 1);
            }
        }
    }

    async pause() {
        await this.s.pause();
        await this.take();
        await this.finish();
        await this.s.resume();
    }

    async promote() {
        const id = await this.some('delayed');
        const job = id && await this.queue.getJob(id);
        if (job) {
            await job.promote();
        }
    }

    promoteAll() {
        return this.queue.promoteJobs();
    }

    /* from here on: what breaks the order */
    async takeStock() {
        const job = await this.worker.getNextJob('stock', { block: false });
        if (job) {
            this.start(job.id, job);
        }
    }

    async finishStock() {
        const [id, job] = pick([...this.taken].filter(([, j]) => j)) || [];
        if (job) {
            this.taken.delete(id);
            await (random(2) ? job.moveToCompleted('v', 'stock', false)
                : job.moveToFailed(new Error('x'), 'stock', false));
        }
    }

    async removeStock() {
        const id = await this.some('wait', 'prioritized', 'delayed', 'failed',
            'completed');
        if (id) {
            await this.queue.remove(id);
            this.forget(id);
        }
    }

    async retryStock() {
        const id = await this.some('failed');
        const job = id && await this.queue.getJob(id);
        if (job) {
            await job.retry('failed');
        }
    }

    async cleanStock() {
        const state = pick(['wait', 'delayed', 'failed', 'completed',
            'prioritized']);
        for (const id of await this.queue.clean(0, random(3) + 1, state)) {
            this.forget(id);
        }
    }

    async delayStock() {
        const id = await this.some('delayed');
        const job = id && await this.queue.getJob(id);
        if (job) {
            await job.changeDelay(random(100000));
        }
    }

    async check(what) {
        const found = await this.states();
        const all = Object.values(found).flat();
        const jobs = (await this.redis.keys(`${K}*`)).map((key) => key
            .slice(K.length)).filter((id) => /^[abcn]\d+$/.test(id));
        if (all.sort().join() !== jobs.sort().join()) {
            this.wrong = `${what}: states ${all}, jobs ${jobs}`;
        }
        if (!this.strict) {
            return;
        }
        for (const group of ['a', 'b', 'c']) {
            const active = found.active.filter((id) => id[0] === group);
            const started = this.started[group] || [];
            if (active.length > 1) {
                this.wrong = `${what}: ${active} are active`;
            }
            if (started.join() !== (this.added[group] || [])
                .slice(0, started.length).join())
            {
                this.wrong = `${what}: started ${started} of ${
                    this.added[group]}`;
            }
        }
    }

    /* everything that is left, to its end */
    async end() {
        for (const [id, job] of this.taken) {
            if (job) {
                await job.moveToCompleted('v', 'stock', false);
            } else {
                await this.s.finish([{ id }]);
            }
        }
        this.taken.clear();
        let left;
        for (let i = 0; i < 1000; i += 1) {
            const found = await this.states();
            left = ['wait', 'paused', 'prioritized', 'delayed', 'active']
                .flatMap((key) => found[key]);
            if (left.length === 0) {
                break;
            }
            for (const id of found.delayed) {
                await this.redis.zadd(`${K}delayed`, 'XX', 0, id);
            }
            let [status, jobs] = ['ok'];
            while (status === 'ok') {
                ({ status, jobs } = await this.s.take(100));
                for (const { id } of jobs) {
                    this.start(id, null);
                    this.taken.delete(id);
                    this.reply((await this.s.finish([{ id }])).next);
                }
                await this.check('the end');
            }
        }
        return left;
    }
}

const OURS = ['add', 'add', 'addStock', 'take', 'take', 'take', 'finish',
    'finish', 'finish', 'retry', 'stall', 'pass', 'requeue', 'remove', 'pause',
    'promote', 'promoteAll'];
const STOCK = [...OURS, 'takeStock', 'takeStock', 'finishStock', 'finishStock',
    'removeStock', 'retryStock', 'cleanStock', 'delayStock'];

tap.run(async () => {
    console.log(`# seed ${seed}`);
    const server = await start('random-groups');
    for (const major of [5, 6]) {
        const lib = require(path.join(modules, `bullmq${major}`));
        for (const strict of [true, false]) {
            await server.redis.flushall();
            const world = new World(server, lib, major, strict);
            await world.queue.waitUntilReady();
            const done = [];
            for (let i = 0; i < operations && !world.wrong; i += 1) {
                const what = pick(strict ? OURS : STOCK);
                done.push(what);
                await world[what]();
                await world.check(what);
            }
            const name = `BullMQ ${major}, ${strict ? 'ours' : 'with stock'}`;
            tap.is(world.wrong, '', `${name}: ${operations} operations`);
            if (world.wrong) {
                console.log(`# ${done.slice(-20)}`);
            }
            tap.is(await world.end(), [], `${name}: none is stuck`);
            tap.is(world.wrong, '', `${name}: to the end`);
            const lines = await server.redis.keys('bull::sluice:group:*');
            tap.ok(!strict || lines.length === 0, `${name}: no line is left`,
                lines);
            await world.queue.close();
            await world.worker.close();
        }
    }
    await server.stop();
});
