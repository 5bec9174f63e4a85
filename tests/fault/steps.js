'use strict';

/*
 * What the tests of the worker's faults share: a Redis with appendfsync always,
 * the stand-in for the Graph API, and courses.  A course is a database of that
 * Redis with a queue of messages that sluiced sends; afterwards
 *
 *   lost      a message that was added and was not accepted by the stand-in
 *   doubled   one that it accepted twice
 *
 * and each job is completed, once, with a row in the store.
 *
 *   FAULT_EVENTS=N   (make fault: 100000)   FAULT_TIMES=N   (make fault: 200)
 *   FAULT_ONLY=NAME  one course             FAULT_SEED=N
 */

process.env.SLUICED = process.env.SLUICED
    || require('path').join(__dirname, '..', '..', 'build', 'sluiced-fault');

const { execFileSync } = require('child_process');
const path = require('path');
const house = require('../worker/house');

const { House, Worker, Graph, is, ok, until, run, dir, message, bullmq } = house;
const SEED = +(process.env.FAULT_SEED || Date.now() % 1e9);
const random = require('../lua/random_number')(SEED);
const EVENTS = Number(process.env.FAULT_EVENTS) || 0;
const TIMES = Number(process.env.FAULT_TIMES) || 0;
const ONLY = process.env.FAULT_ONLY;

const SENDER = '106540352242922';
const EXACT = 10000;       /* jobs whose events are all kept */
const BASE = '{t}:q:';
const OWN = ['id', 'meta', 'wait', 'active', 'prioritized', 'pc', 'delayed',
    'completed', 'failed', 'marker', 'stalled', 'stalled-check', 'events',
    'repeat', 'limiter'];

const rest = (ms) => new Promise((done) => { setTimeout(done, ms); });
const twice = (ids) => ids.filter((id, i) => ids.indexOf(id) !== i);

class Scene {
    constructor(name) {
        this.house = new House(name);
        this.databases = 0;
    }

    async start(...graph) {
        console.log(`# FAULT_SEED=${SEED}`);
        await this.house.startRedis('--appendfsync', 'always',
            '--databases', '100');
        this.graph = await Graph.start(...graph);
        return this;
    }

    /* to -> how often the stand-in accepted it */
    async accepted() {
        const seen = new Map();
        for (let after = 0; ;) {
            const page = (await this.graph.get(
                `requests?limit=5000&after=${after}`)).requests;
            if (page.length === 0) {
                return seen;
            }
            for (const one of page) {
                if (one.wamid) {
                    seen.set(one.to, (seen.get(one.to) || 0) + 1);
                }
            }
            after = page[page.length - 1].seq;
        }
    }

    async stop() {
        await this.graph.stop();
        await this.house.stopRedis();
    }
}


class Course {
    /* settings: of the queue */
    constructor(scene, name, settings = {}, top = '') {
        this.scene = scene;
        this.name = name;
        this.db = scene.databases;
        scene.databases += 1;
        this.redis = scene.house.redis.duplicate({ db: this.db });
        this.redis.on('error', () => {});
        house.closing.push(() => this.redis.disconnect());
        this.queue = new bullmq.Queue('q', { prefix: '{t}', connection: {
            ...scene.house.connection, db: this.db },
        streams: { events: { maxLen: 20 * EXACT } } });
        this.queue.on('error', () => {});
        house.closing.push(() => this.queue.close());
        this.settings = { lock: '700ms', stalled: '300ms', concurrency: 50,
            max_stalled: 1000, keep_completed: -1, keep_completed_age: '0s',
            kind: 'send', tenants: 't', ...settings };
        this.top = top;
        this.ids = [];
        this.open = new Map();     /* id -> at how many kills it was open */
        this.workers = [];
        this.kills = 0;
    }

    is(got, expected, what) {
        return is(got, expected, `${this.name}: ${what}`);
    }

    write(more = {}) {
        const { house: place, graph } = this.scene;
        const text = (value) => (typeof value === 'string' ? `"${value}"`
            : value);
        const all = { ...this.settings, ...more };
        place.url = `unix:${place.socket}?db=${this.db}`;
        return place.write(`
store = "${this.store()}"
pace = 1
connections = 200
claim_ttl = "1h"
schedule "again" { retry = "20ms 20ms 20ms" }
channel "w" { base_url = "${graph.url}" token = "T" timeout = "10s" }
number "${SENDER}" { rate = 100000 }
${this.top}
queue "q" { ${all.kind === 'send'
    ? 'channel = "w" schedule = "again"' : ''}
${Object.entries(all).map(([key, value]) => `${key} = ${text(value)}`)
        .join('\n').replace(/^tenants = (.*)$/m, 'tenants = {$1}')} }
`, `db-${this.db}.conf`);
    }

    store() {
        return path.join(dir, `db-${this.db}.db`);
    }

    rows(where) {
        return +execFileSync('sqlite3', ['-cmd', '.timeout 5000', this.store(),
            `select count(*) from communication_logs where ${where}`],
        { encoding: 'utf8' });
    }

    /* fault: what SLUICE_FAULT says, if anything */
    worker(fault, env = {}) {
        const worker = new Worker(this.write(), { env: { ...process.env,
            ...env, ...(fault ? { SLUICE_FAULT: fault } : {}) } });
        this.workers.push(worker);
        return worker;
    }

    to(i) {
        return `1${String(100 + this.db)}${String(i).padStart(7, '0')}`;
    }

    /* messages with ids of their own: to add one again changes nothing */
    async add(n, options = () => ({})) {
        const first = this.ids.length;
        const jobs = Array.from({ length: n }, (_, k) => ({ name: 'message',
            data: message(this.to(first + k)),
            opts: { jobId: `m-${first + k}`, ...options(first + k) } }));
        this.ids.push(...jobs.map((job) => job.opts.jobId));
        if (this.settings.tenants === '*') {
            await this.redis.sadd('sluice:queues', '{t}:q');
        }
        for (let done = false; !done;) {
            done = await this.queue.addBulk(jobs).catch(() => rest(20));
        }
    }

    /*
     * Goes on adding, n at a time, until ended() and `events` are there; no more
     * than are taken, so that a course is over soon after.  before: of a handful.
     * The promise is awaited once the faults are over.
     */
    feed(n, events, ended, before = () => {}) {
        const fed = (async () => {
            while (!ended() || this.ids.length < events) {
                const waiting = await Promise.all([
                    this.redis.llen(`${BASE}wait`),
                    this.redis.zcard(`${BASE}delayed`)]);
                if (waiting[0] + waiting[1] < 2 * n) {
                    await before(this.ids.length, n);
                    await this.add(n);
                }
                await rest(10);
            }
        })();
        fed.catch(() => {});
        return fed;
    }

    /* the worker ends by itself, as a fault says */
    async dies(worker, ms = 120000) {
        await until(() => worker.child.code !== undefined,
            `${this.name}: the worker to end`, ms);
        is(worker.child.code, 'SIGKILL', `${this.name}: killed there`);
    }

    lines(event) {
        return this.workers.flatMap((worker) => worker.lines(event));
    }

    /* what is in hand of a worker that is dead */
    async note() {
        this.kills += 1;
        await until(async () => !new RegExp(`name=sluiced.* db=${this.db} `)
            .test(await this.redis.client('LIST')), 'its connections to end');
        for (const id of await this.redis.lrange(`${BASE}active`, 0, -1)) {
            this.open.set(id, (this.open.get(id) || 0) + 1);
        }
    }

    finished(n = this.ids.length) {
        return until(async () => await this.redis.zcard(`${BASE}completed`)
            + await this.redis.zcard(`${BASE}failed`) >= n,
        `${this.name}: ${n} jobs`, 60000 + n * 10);
    }

    async recorded() {
        await until(async () => await this.redis.xlen('{t}::sluice:records')
            === 0, `${this.name}: the records in the store`, 60000);
    }

    /* each job in one place, and no key that belongs to nothing */
    async keys() {
        const lists = await Promise.all([
            ...['wait', 'active'].map((name) =>
                this.redis.lrange(BASE + name, 0, -1)),
            ...['prioritized', 'delayed', 'waiting-children', 'failed'].map(
                (name) => this.redis.zrange(BASE + name, 0, -1))]);
        this.is(lists.map((list) => list.length), [0, 0, 0, 0, 0, 0],
            'nothing waits, is active, delayed or failed');
        const done = await this.redis.zrange(`${BASE}completed`, 0, -1);
        const known = new Set(this.ids);
        this.is([done.length, done.filter((id) => !known.has(id))],
            [this.ids.length, []], 'each job is completed');
        const orphans = (await this.redis.keys('*')).filter((key) =>
            !(key.startsWith(BASE) && (OWN.includes(key.slice(BASE.length))
                || known.has(key.slice(BASE.length))))
            && !/^\{t\}::sluice:|^sluice:/.test(key));
        this.is(orphans.slice(0, 5), [], 'no key belongs to nothing');
        if (this.ids.length <= EXACT) {
            const ended = (await this.redis.xrange(`${BASE}events`, '-', '+'))
                .map(([, f]) => f)
                .filter((f) => f[1] === 'completed' || f[1] === 'failed')
                .map((f) => f[3]);
            this.is([twice(ended), new Set(ended).size],
                [[], this.ids.length], 'one event tells of each end');
        }
    }

    /* accepted: Scene.accepted(); returns how often one was sent once more */
    async check(accepted) {
        await this.keys();
        const times = new Map(this.ids.map((id, i) =>
            [id, accepted.get(this.to(i)) || 0]));
        const lost = this.ids.filter((id) => times.get(id) === 0);
        const doubled = this.ids.filter((id) => times.get(id) > 1);
        this.is(lost.slice(0, 5), [], `none of ${this.ids.length} is lost`);
        const stalls = new Map();      /* a lease may run out by the load */
        for (const id of doubled) {
            stalls.set(id, +await this.redis.hget(BASE + id, 'stc'));
        }
        this.is(doubled.filter((id) => times.get(id) - 1
            > Math.max(this.open.get(id) || 0, stalls.get(id))).slice(0, 5),
        [], 'sent twice is only what was in hand at a kill, or stalled');
        const late = doubled.filter((id) => times.get(id) - 1
            > (this.open.get(id) || 0)).length;
        const told = new Set(this.lines('sent_again').map((line) => line.job));
        this.is(doubled.filter((id) => !told.has(id)).slice(0, 5), [],
            'and the log tells of each');
        this.is([this.rows("message_id LIKE 'm-%'"),
            this.rows("status <> 'sent'")], [this.ids.length, 0],
        'each has one row in the store, sent');
        ok(this.rows('1') <= this.ids.length + doubled.length,
            `${this.name}: and what was sent twice one more at most`);
        this.is((await this.redis.xpending('{t}::sluice:records', 'sluice'))[0],
            0, 'no record is left behind');
        console.log(`# ${this.name}: ${this.ids.length} messages, ${this.kills
        } times, ${this.open.size} in hand; lost ${lost.length}, doubled ${
            doubled.length}, ${late} of them by a lease that ran out`);
        return doubled.reduce((n, id) => n + times.get(id) - 1, 0);
    }
}

module.exports = { ...house, Scene, Course, BASE, SEED, EVENTS, TIMES, ONLY,
    random, rest, run, ok, is, until };
