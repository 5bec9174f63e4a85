'use strict';

/*
 * Each scenario that was recorded with stock BullMQ is done again with our
 * scripts (and a stock Queue for what is not ours), and the whole keyspace is
 * compared after each step.
 *
 *   node tests/lua/golden.js [scenario ...]
 */

const fs = require('fs');
const path = require('path');
const { start, root, modules } = require('./server');
const { Sluice } = require('./scripts');
const { dump, normal, differences } = require('./keyspace');
const tap = require('./tap');

const only = process.argv.slice(2);
const STACK = (...texts) => JSON.stringify(texts.map((t) => `Error: ${t}`));


class Replay {
    constructor(server, major, golden, prefix) {
        const lib = require(path.join(modules, `bullmq${major}`));
        this.golden = golden;
        this.major = major;
        this.redis = server.redis;
        this.base = `${prefix}:q:`;
        this.sluice = new Sluice(server.redis, major, this.base);
        this.queue = new lib.Queue('q', { connection: server.connection,
            prefix });
        this.queue.on('error', () => {});
        this.exact = new Set();
        this.steps = 0;
        this.open = [this.queue];
        this.lib = lib;
        this.connection = { connection: server.connection };
    }

    /* the queues of the recorded flows, qp and qc, instead of q */
    async flows() {
        await this.redis.del(`${this.base}meta`);
        for (const name of ['qp', 'qc']) {
            const queue = new this.lib.Queue(name, this.connection);
            this.open.push(queue);
            this[name] = new Sluice(this.redis, this.major, `bull:${name}:`);
            await queue.waitUntilReady();
            await tap.until(() => this.redis.hget(`bull:${name}:meta`,
                'version'), 'the meta of the stock queue');
        }
        this.producer = new this.lib.FlowProducer(this.connection);
        this.producer.on('error', () => {});
        this.open.push(this.producer);
        return this.open;
    }

    /* the job as the recording first shows it */
    recorded(id) {
        for (const step of this.golden.steps) {
            const entry = step.keyspace[this.base + id];
            if (entry) {
                return Object.fromEntries(entry.value);
            }
        }
        throw new Error(`no job ${id} in ${this.golden.scenario}`);
    }

    /* adds the recorded jobs in one call of ours */
    add(...ids) {
        return this.sluice.add(...ids.map((id) => {
            const job = this.recorded(id);
            const opts = JSON.parse(job.opts);
            this.exact.add(+job.timestamp);
            this.exact.add(+job.timestamp + (opts.delay || 0));
            return { id: /^\d+$/.test(id) ? '' : id, name: job.name,
                data: job.data, opts: job.opts, timestamp: job.timestamp,
                delay: opts.delay, priority: job.priority, lifo: opts.lifo,
                dedupe: opts.de ? `${opts.de.ttl}:${opts.de.id}` : '' };
        }));
    }

    /* what a stock worker does when it starts */
    async begin(options) {
        await this.sluice.recover();
        return this.sluice.take(1, 'tok', options);
    }

    finish(job, next = 1, options = {}) {
        return this.sluice.finish([job], next, 'tok', options);
    }

    /* a stock worker that sleeps on the marker takes it away */
    wake() {
        return this.redis.zpopmin(`${this.base}marker`);
    }

    /* a job that the stock queue added gets the recorded clock */
    async same(id) {
        await this.redis.hset(this.base + id, 'timestamp',
            this.recorded(id).timestamp);
    }

    /* waits until the clock has moved: ties are sorted by id */
    async tick() {
        const ms = async () => {
            const [s, us] = await this.redis.time();
            return Math.floor(s * 1000 + us / 1000);
        };
        const begun = await ms();
        await tap.until(async () => await ms() > begun, 'the clock');
    }

    async step() {
        const recorded = this.golden.steps[this.steps];
        this.steps += 1;
        const got = normal(await dump(this.redis), this.exact);
        const expected = normal(recorded.keyspace, this.exact);
        const diff = differences(got, expected);
        tap.ok(diff === '', `v${this.major} ${this.golden.scenario}: `
            + recorded.label, diff);
    }
}


const scenarios = {
    async '02-add-standard'(c) {
        tap.is(await c.add('1'), ['1'], 'an id is allocated');
        await c.step();
        await c.add('2');
        await c.step();
    },

    async '03-add-delayed'(c) {
        await c.add('1');
        await c.step();
        await c.add('2', '3');
        await c.step();
    },

    async '04-add-priority'(c) {
        await c.add('1', '2', '3');
        await c.add('4', '5');
        await c.step();
    },

    async '05-add-jobid'(c) {
        tap.is(await c.add('evt_123'), [1], 'added');
        await c.step();
        tap.is(await c.sluice.add({ id: 'evt_123', data: '{"other":true}' }),
            [0], 'exists');
        await c.step();
        await c.add('3');
        await c.step();
    },

    async '06-add-lifo-fifo'(c) {
        await c.add('1', '2', '3', '4');
        await c.step();
    },

    async '07-add-all-options'(c) {
        await c.add('1', '2');
        await c.queue.add('dedup', { hello: 'world', n: 1 },
            { deduplication: { id: 'cust-1', ttl: 5000 } });
        await c.add('4', '5', '6', '7', '8');
        await c.queue.add('floatdelay', { hello: 'world', n: 1 },
            { delay: 60000.75 });
        await c.same('3');
        await c.same('9');
        await c.step();
    },

    async '08-add-bulk'(c) {
        tap.is(await c.add('1', '2', '3', 'bulk-d'), ['1', '2', '3', 1],
            'one result a job');
        await c.step();
    },

    async '09-dedup-simple'(c) {
        const options = { deduplication: { id: 'D' } };
        await c.queue.add('n', { i: 1 }, options);
        await c.step();
        await c.queue.add('n', { i: 2 }, options);
        await c.step();
        await c.begin();
        await c.finish({ id: '1', value: '"ok"' });
        await c.step();
        await c.queue.add('n', { i: 3 }, options);
        await c.step();
        await c.queue.remove('3');
        await c.step();
    },

    async '10-dedup-throttle'(c) {
        tap.is(await c.add('1'), ['1'], 'the first');
        await c.step();
        tap.is(await c.add('1'), [['1']], 'the second is the first');
        await c.step();
        await tap.until(async () => !await c.redis.exists(`${c.base}de:T`),
            'the ttl');
        tap.is(await c.add('3'), ['3'], 'the third');
        await c.step();
    },

    async '13-worker-complete'(c) {
        await c.add('1');
        await c.begin({ worker: 'wk1' });
        await c.step();
        await c.finish({ id: '1', value: '{"ok":true}' });
        await c.wake();
        await c.step();
        await c.step();
    },

    async '14-worker-return-values'(c) {
        await c.add('1', '2', '3', '4', '5', '6');
        await c.begin();
        const values = ['null', 'null', '"str"', '42', '{"a":[1]}', '""'];
        for (let i = 0; i < values.length; i += 1) {
            await c.finish({ id: String(i + 1), value: values[i] });
        }
        await c.step();
    },

    async '15-worker-fail'(c) {
        await c.add('1');
        await c.begin();
        await c.finish({ id: '1', reason: 'boom', stacktrace: STACK('boom') });
        await c.wake();
        await c.step();
    },

    async '16-retry-immediate'(c) {
        await c.add('1');
        await c.begin();
        tap.is(await c.sluice.retry({ id: '1', reason: 'try1',
            stacktrace: STACK('try1') }), [0], 'retried');
        await c.sluice.take();
        await c.step();
        await c.finish({ id: '1', value: '"second"' });
        await c.step();
    },

    async '17-retry-backoff'(c) {
        await c.add('1');
        await c.begin();
        const tries = [];
        for (const [i, delay] of [400, 800].entries()) {
            tries.push(`try${i + 1}`);
            await c.sluice.retry({ id: '1', delay, reason: tries[i],
                stacktrace: STACK(tries[i]) });
            const [, due] = await c.redis.zrange(`${c.base}delayed`, 0, 0,
                'WITHSCORES');
            const score = await c.redis.zscore(`${c.base}marker`, '1');
            const [sec, us] = await c.redis.time();
            const off = due / 4096 - delay - (sec * 1000 + us / 1000);
            tap.ok(off <= 1 && off > -1000, `due ${delay} ms from now`, off);
            tap.is(+score, due / 4096, 'the marker says when');
            const [, event] = (await c.redis.xrevrange(`${c.base}events`, '+',
                '-', 'COUNT', 1))[0];
            tap.is(+event[5], due / 4096, 'so does the event');
            await c.redis.del(`${c.base}marker`);
            await c.step();
            await tap.until(async () => (await c.sluice.take()).jobs[0],
                'the delayed job');
        }
        await c.finish({ id: '1', reason: 'try3',
            stacktrace: STACK('try3') });
        await c.step();
    },

    async '18-unrecoverable'(c) {
        await c.add('1');
        await c.begin();
        await c.finish({ id: '1', reason: 'stop',
            stacktrace: '["UnrecoverableError: stop"]' });
        await c.step();
    },

    async '20-remove-on'(c) {
        /* removed jobs are not in the recording */
        const add = (name, data, opts) => c.sluice.add({ name, data, opts });
        const payload = '{"hello":"world","n":1}';
        await add('roc-true', payload, '{"removeOnComplete":true,"attempts":0}');
        await add('rof-true', '{"fail":1}',
            '{"removeOnFail":true,"attempts":0}');
        await add('roc-2', payload, '{"removeOnComplete":2,"attempts":0}');
        await add('roc-2', payload, '{"removeOnComplete":2,"attempts":0}');
        await c.add('5', '6');
        const keep = '{"removeOnFail":{"count":1,"age":3600},"attempts":0}';
        await add('rof-obj', '{"fail":1}', keep);
        await add('rof-obj', '{"fail":1}', keep);
        await c.add('9');
        await c.begin();
        for (let i = 1; i <= 9; i += 1) {
            const id = String(i);
            const rule = { 1: '0:0:', 2: '0:0:' }[i]
                || (i < 7 ? '2:0:' : '1:3600:');
            await c.finish(i === 2 || i > 6
                ? { id, keep: rule, reason: 'x', stacktrace: STACK('x') }
                : { id, keep: rule, value: '1' });
        }
        await c.step();
    },

    async '21-rate-limiter'(c) {
        const limit = { max: 2, duration: 1500 };
        await c.add('1', '2', '3');
        await c.begin(limit);
        await c.finish({ id: '1', value: '1' }, 1, limit);
        const { next } = await c.finish({ id: '2', value: '1' }, 1, limit);
        tap.ok(next.status === 'limited' && next.value > 1000
            && next.value <= 1500, 'limited, for how long', next);
        await c.step();
        await tap.until(async () => (await c.sluice.take(1, 'tok', limit))
            .jobs[0], 'the end of the limit');
        await c.finish({ id: '3', value: '1' }, 1, limit);
        await c.step();
        await c.queue.rateLimit(3000);
        await c.step();
        tap.is((await c.sluice.take()).status, 'limited',
            'a manual limit holds for who has none');
        await c.queue.removeRateLimitKey();
        await c.add('4');
        await c.sluice.take();
        await c.queue.rateLimit(2000);
        await c.sluice.retry({ id: '4', mode: 'release' });
        await c.step();
    },

    async '12-dedup-keep-last-if-active'(c) {
        const add = (i) => c.queue.add('n', { i },
            { deduplication: { id: 'K', keepLastIfActive: true } });
        await add(1);
        await c.begin();
        await add(2);
        await add(3);
        await c.step();
        await c.finish({ id: '1', value: '1' });
        await c.tick();
        await c.finish({ id: '3', value: '2' });
        await c.step();
    },

    async '33-metrics'(c) {
        const points = { metrics: 5 };
        await c.sluice.add({ name: 'a' });
        await c.begin();
        await c.finish({ id: '1', value: '1' }, 1, points);
        await c.wake();
        await c.step();
        await c.sluice.add({ name: 'b', data: '{"f":1}' });
        await c.sluice.take();
        await c.finish({ id: '2', reason: 'x', stacktrace: STACK('x') }, 1,
            points);
        await c.sluice.add({ name: 'c' });
        await c.sluice.take();
        await c.tick();
        await c.finish({ id: '3', value: '1' }, 1, points);
        await c.wake();
        await c.step();
        const key = `${c.base}metrics:completed`;
        await c.redis.hset(key, 'prevTS',
            await c.redis.hget(key, 'prevTS') - 180000);
        await c.sluice.add({ name: 'd' });
        await c.sluice.take();
        await c.tick();
        await c.finish({ id: '4', value: '1' }, 1, points);
        await c.step();
    },

    async '37-flow-complete'(c) {
        await c.flows();
        const child = (n) => ({ name: `c${n}`, queueName: 'qc', data: { c: n },
            opts: { jobId: `C${n}` } });
        await c.producer.add({ name: 'parent', queueName: 'qp', data: { p: 1 },
            opts: { jobId: 'P' }, children: [child(1), child(2)] });
        await c.step();
        await c.qc.recover();
        await c.qc.take();
        await c.qc.finish([{ id: 'C1', value: '{"r":1}' }], 1);
        await c.tick();
        await c.qc.finish([{ id: 'C2', value: '{"r":2}' }], 1);
        await c.step();
        await c.qp.recover();
        await c.qp.take();
        await c.qp.finish([{ id: 'P',
            value: '{"bull:qc:C1":{"r":1},"bull:qc:C2":{"r":2}}' }], 1);
        await c.step();
    },

    async '39-move-to-waiting-children'(c) {
        const [, qp, qc] = await c.flows();
        await qp.add('p', { step: 0 });
        await c.qp.recover();
        await c.qp.take();
        await qc.add('kid', {}, { parent: { id: '1', queue: 'bull:qp' } });
        await c.redis.hset('bull:qp:1', 'data', '{"step":1}');
        tap.is(await c.qp.retry({ id: '1', mode: 'children' }), [0], 'waits');
        await c.redis.del('bull:qp:marker');
        await c.step();
        await c.qc.recover();
        await c.qc.take();
        await c.qc.finish([{ id: '1', value: '7' }], 1);
        await c.redis.del('bull:qc:marker');
        await c.qp.take();
        await c.qp.finish([{ id: '1', value: '"done"' }], 1);
        await c.step();
    },

    async '22-global-concurrency'(c) {
        await c.queue.setGlobalConcurrency(1);
        await c.add('1', '2');
        await c.sluice.recover();
        const first = await c.sluice.take(5);
        tap.is([first.jobs.length, first.status], [1, 'full'],
            'one of five is started');
        await c.wake();
        await c.step();
        await c.add('3');
        await c.step();
        for (const id of ['1', '2', '3']) {
            await c.finish({ id });
        }
        await c.wake();
        await c.step();
    },

    async '23-pause-resume'(c) {
        await c.add('1', '2', '3', '4');
        await c.sluice.pause();
        await c.step();
        await c.add('5', '6');
        await c.step();
        await c.sluice.resume();
        await c.step();
    },

    async '19-progress-log-update'(c) {
        await c.add('1');
        await c.begin();
        tap.is(await c.sluice.update('1', 'progress', '42'), 1, 'progress');
        await c.sluice.update('1', 'progress', '{"pct":50}');
        const lines = [];
        for (const line of ['l1', 'l2', 'l3']) {
            lines.push(await c.sluice.update('1', 'log', line, 2));
        }
        tap.is(lines, [1, 2, 2], 'lines of the log');
        await c.sluice.update('1', 'data', '{"changed":true}');
        await c.step();
        await c.finish({ id: '1', value: '1' });
        await c.step();
    },

    async '24-drain-clean'(c) {
        /* jobs 1 to 3 are not in the recording */
        await c.sluice.add({ name: 'w' }, { name: 'w' },
            { name: 'p', priority: 2 });
        await c.add('4');
        tap.is(await c.sluice.drain(), ['1', '2', '3'], 'drained');
        await c.step();
        tap.is(await c.sluice.drain(true), ['4'], 'drained of delayed ones');
        await c.step();
        await c.add('5', '6');
        await c.begin();
        await c.finish({ id: '5', value: '1' });
        await c.finish({ id: '6', reason: 'x', stacktrace: STACK('x') });
        await c.add('7', '8', '9', '10');
        await c.step();
        await c.tick();
        for (const [state, ids] of Object.entries(c.golden.results.cleaned)) {
            const [gone, left] = await c.sluice.clean(state);
            tap.is([gone.sort(), left], [ids.sort(), 0], `clean of ${state}`);
        }
        await c.step();
    },

    async '25-obliterate'(c) {
        await c.add('1', '2', '3');
        await c.queue.add('x', {}, { jobId: 'x-1',
            deduplication: { id: 'dd' } });
        await c.same('x-1');
        await c.step();
        tap.is(await c.sluice.obliterate(), -1, 'not paused');
        await c.sluice.pause();
        tap.is(await c.sluice.obliterate(), '', 'obliterated');
        await c.step();
    },

    async '26-promote'(c) {
        const add = async (...ids) => {
            /* as they were before their time */
            for (const id of ids) {
                c.exact.add(+c.recorded(id).timestamp + 60000);
            }
            await c.add(...ids);
        };
        await add('1', '2', '3');
        tap.is(await c.sluice.promote('1'), [1], 'promoted');
        await c.step();
        await c.sluice.promote('2');
        await c.step();
        await add('4');
        tap.is(await c.sluice.move('delayed'), [2, 0], 'all of them');
        /* stock forgets the priority and keeps the delay */
        tap.is(await c.redis.zscore(`${c.base}prioritized`, '4'),
            String(4 * 2 ** 32 + 2), 'by its priority');
        await c.redis.zrem(`${c.base}prioritized`, '4');
        await c.redis.lpush(`${c.base}wait`, '4');
        await c.redis.set(`${c.base}pc`, 1);
        for (const id of ['3', '4']) {
            tap.is(await c.redis.hget(c.base + id, 'delay'), '0', 'no delay');
            await c.redis.hset(c.base + id, 'delay', 60000);
        }
        await c.step();
        tap.is(await c.sluice.promote('1'), [-3], 'not again');
    },

    async '28-change-delay-priority'(c) {
        await c.add('1');
        tap.is(await c.sluice.change('delay', 5000, ['1']), [1], 'later');
        await c.step();
        await c.sluice.add({ name: 'a' });
        await c.same('2');
        await c.sluice.change('priority', 7, ['2']);
        await c.step();
        await c.sluice.change('priority', 0, ['2']);
        await c.step();
        await c.sluice.change('priority', 7, ['2'], 1);
        await c.step();
        await c.add('3');
        await c.sluice.change('priority', 9, ['1']);
        await c.step();
        tap.is(await c.sluice.change('delay', 1, ['2', '9']), [-3, -1],
            'not delayed, not there');
    },

    async '29-remove'(c) {
        await c.sluice.add({ name: 'a' });
        await c.add('2');
        tap.is(await c.sluice.remove(['1']), [1], 'removed');
        await c.step();
        await c.sluice.remove(['2']);
        await c.step();
        await c.add('3');
        await c.begin();
        tap.is(await c.sluice.remove(['3', '999']), [0, -1],
            'a locked one, one that is not there');
        await c.finish({ id: '3' });
        await c.step();
    },

    async '27-retry-failed'(c) {
        await c.add('1', '2', '3', '4');
        await c.begin();
        for (const id of ['1', '3']) {
            await c.finish({ id, reason: 'x', stacktrace: STACK('x') });
            await c.tick();
        }
        await c.finish({ id: '4', value: '"rv"' });
        await c.finish({ id: '2', reason: 'x', stacktrace: STACK('x') });
        await c.step();
        tap.is(await c.sluice.requeue('failed', ['1']), [1], 'requeued');
        await c.step();
        await c.sluice.requeue('completed', ['4'], 1);
        await c.step();
        tap.is(await c.sluice.move('failed', { upto: Date.now() + 60000 }),
            [2, 0], 'all of them');
        /* stock forgets the priority */
        tap.is(await c.redis.zrange(`${c.base}prioritized`, 0, -1), ['2'],
            'by its priority');
        await c.redis.del(`${c.base}prioritized`, `${c.base}pc`);
        await c.redis.lpush(`${c.base}wait`, '2');
        await c.step();
        tap.is(await c.sluice.requeue('failed', ['1']), [-3], 'not again');
    },

    async '30-stalled'(c) {
        await c.add('1');
        await c.sluice.take(1, 'tok', { lock: 300 });
        await c.step();
        const free = () => tap.until(async () => !await c.redis.exists(
            `${c.base}1:lock`, `${c.base}stalled-check`), 'the locks to end');
        await free();
        tap.is(await c.sluice.recover(250), [], 'the first check marks');
        await c.step();
        await free();
        tap.is(await c.sluice.recover(250), ['1'], 'the second moves');
        tap.is(await c.sluice.recover(250), [], 'once in an interval');
        await c.step();
        await free();
        await c.sluice.take(1, 'tok', { lock: 20 });
        await c.sluice.recover(100);
        await free();
        await c.sluice.recover(250);
        await c.step();
        const { jobs } = await c.sluice.take();
        await c.finish({ id: '1', reason: jobs[0].defa,
            stacktrace: JSON.stringify([`UnrecoverableError: ${jobs[0].defa}`]),
        });
        await c.redis.set(`${c.base}stalled-check`, 1795205769915, 'PX', 250);
        await c.step();
    },

    async '31-lock-renewal'(c) {
        await c.add('1');
        await c.begin({ lock: 600 });
        await c.redis.sadd(`${c.base}stalled`, '1');
        tap.is(await c.sluice.extend(60000, ['1', 'tok']), [], 'renewed');
        tap.ok(await c.redis.pttl(`${c.base}1:lock`) > 50000, 'for longer');
        await c.step();
        tap.is(await c.sluice.extend(600, ['1', 'bad'], ['7', 'tok']),
            ['1', '7'], 'the lost ones are told');
        await c.finish({ id: '1', value: '1' });
        await c.step();
    },

    async '32-lost-lock'(c) {
        await c.add('1');
        await c.begin();
        await c.wake();
        await c.redis.set(`${c.base}1:lock`, 'somebody-else', 'PX', 60000);
        tap.is((await c.finish({ id: '1', value: '1' }, 0)).codes, [-6],
            'another owner');
        await c.step();
    },

    async '40-move-to-delayed'(c) {
        await c.add('1');
        await c.begin();
        await c.redis.hset(`${c.base}1`, 'data', '{"s":1}');
        await c.sluice.retry({ id: '1', mode: 'delay', delay: 300 });
        await c.redis.del(`${c.base}marker`);
        await c.step();
        await tap.until(async () => (await c.sluice.take()).jobs[0],
            'the delayed job');
        await c.redis.hset(`${c.base}1`, 'data', '{"s":2}');
        await c.sluice.retry({ id: '1', mode: 'release' });
        await c.sluice.take();
        await c.finish({ id: '1', value: '1' });
        await c.step();
    },

    async '42-error-codes'(c) {
        const finish = async (token) => (await c.sluice.finish(
            [{ id: '1', token, value: '"v"' }])).codes[0];
        const stock = c.golden.results;
        await c.sluice.add({ name: 'a' });
        tap.is(await finish('tok'), stock.completeWhileWaitingNoLock.code,
            'no lock');
        tap.is(await finish('0'), stock.completeTokenZero.code, 'not active');
        await c.sluice.take();
        tap.is(await finish('other'), stock.completeWrongToken.code,
            'another owner');
        await finish('tok');
        tap.is(await finish('tok'), stock.completeTwice.code, 'twice');
        await c.queue.remove('1');
        tap.is(await finish('tok'), stock.completeRemoved.code, 'removed');
        tap.is(await c.sluice.requeue('completed', ['1']),
            [stock.retryRemoved.code], 'requeue of a removed one');
        await c.step();
    },

    async '43-prefix-and-hashtag'(c) {
        await c.add('1', '2');
        await c.step();
    },
};


for (const [name, option] of [['cpof', 'continueParentOnFailure'],
    ['fpof', 'failParentOnFailure'], ['idof', 'ignoreDependencyOnFailure'],
    ['none', null], ['rdof', 'removeDependencyOnFailure']])
{
    scenarios[`38-flow-child-fails-${name}`] = async (c) => {
        await c.flows();
        await c.producer.add({ name: 'parent', queueName: 'qp', data: {},
            opts: { jobId: 'P' }, children: [
                { name: 'c1', queueName: 'qc', data: { f: 1 }, opts: {
                    jobId: 'C1', ...(option ? { [option]: true } : {}) } },
                { name: 'c2', queueName: 'qc', data: {},
                    opts: { jobId: 'C2' } }] });
        await c.step();
        await c.qc.recover();
        await c.qc.take();
        await c.qc.finish([{ id: 'C1', reason: 'child boom',
            stacktrace: STACK('child boom') }], 1);
        await c.qc.finish([{ id: 'C2', value: '1' }], 1);
        await c.redis.del('bull:qc:marker');
        await c.step();
        await c.step();
        await c.qp.recover();
        const { jobs: [parent] } = await c.qp.take();
        if (parent) {
            await c.qp.finish([parent.defa ? { id: 'P', reason: parent.defa,
                stacktrace: JSON.stringify([`UnrecoverableError: ${
                    parent.defa}`]) } : { id: 'P', value: '"parent ran"' }], 1);
        }
        await c.step();
    };
}


async function replay(server, major, version) {
    const directory = path.join(root, 'tests', 'golden', version);
    for (const file of fs.readdirSync(directory).sort()) {
        const name = path.basename(file, '.json');
        if (only.length && !only.some((o) => name.startsWith(o))) {
            continue;
        }
        const golden = JSON.parse(fs.readFileSync(path.join(directory, file)));
        await server.redis.flushall();
        const c = new Replay(server, major, golden,
            name.startsWith('43') ? '{hooks}' : 'bull');
        await c.queue.waitUntilReady();
        await tap.until(() => c.redis.hget(`${c.base}meta`, 'version'),
            'the meta of the stock queue');
        await scenarios[name](c);
        tap.is(c.steps, golden.steps.length, `v${major} ${name}: every step`);
        for (const client of c.open) {
            await client.close();
        }
    }
}


tap.run(async () => {
    const server = await start('golden');
    try {
        await replay(server, 6, 'v6.7.0');
        await replay(server, 5, 'v5.81.5');
    } finally {
        await server.stop();
    }
});
