'use strict';

/* The scripts as the programs see them: through the header that join.sh makes. */

const { execFileSync } = require('child_process');
const crypto = require('crypto');
const path = require('path');
const { root } = require('./server');

function read(directory = path.join(root, 'lua')) {
    const header = execFileSync('sh', [path.join(root, 'lua', 'join.sh'),
        directory], { encoding: 'utf8' });
    const scripts = {};
    const shape = new RegExp('sluice_script_(\\w+)\\n.*?= \\{\\n'
        + '    \\.name = "(\\w+)",\\n    \\.text =\\n(.*?)\\n    ,\\n'
        + '    \\.len = (\\d+),\\n    \\.sha = "([0-9a-f]{40})"\\n\\};', 'gs');
    for (const [, symbol, name, literal, len, sha] of header.matchAll(shape)) {
        const text = literal.split('\n').map((line) => {
            const piece = /^ {8}"(.*)"$/.exec(line)[1];
            return piece.replace(/\\(.)/g, (m, c) => (c === 'n' ? '\n' : c));
        }).join('');
        scripts[symbol] = { name, text, len: +len, sha,
            real: crypto.createHash('sha1').update(text).digest('hex') };
    }
    return scripts;
}

const records = (list) => [list.length, ...list];

/* One queue, driven by the scripts. */
class Sluice {
    constructor(redis, major = 6, base = 'bull:q:') {
        this.redis = redis;
        this.major = major;
        this.base = base;
        this.stream = 'bull::sluice:records';
        this.claims = 'bull::sluice:claim:';
        this.scripts = read();
    }

    async call(name, keys, args) {
        const { sha, text } = this.scripts[name];
        try {
            return await this.redis.evalsha(sha, keys.length, ...keys, ...args);
        } catch (e) {
            if (!String(e.message).startsWith('NOSCRIPT')) {
                throw e;
            }
            return this.redis.eval(text, keys.length, ...keys, ...args);
        }
    }

    static addArguments(jobs) {
        return jobs.flatMap((j) => [j.id || '', j.name || 'n',
            j.data === undefined ? '{}' : j.data,
            j.opts || '{"attempts":0}', j.delay || 0, j.priority || 0,
            j.lifo ? 1 : 0, j.timestamp || '', j.dedupe || '']);
    }

    add(...jobs) {
        return this.call('add', [this.base], [this.major,
            ...Sluice.addArguments(jobs)]);
    }

    /* once: kind, number, upto, ttl */
    addOnce(key, once, ...jobs) {
        return this.call('add', [this.base, key], [this.major,
            ...Sluice.addArguments(jobs), ...once]);
    }

    static takeArguments(count, token, o = {}) {
        return [count, token, o.lock || 30000, o.worker || '', o.max || '',
            o.duration || ''];
    }

    static reply(raw) {
        const fields = ['id', 'name', 'data', 'opts', 'timestamp', 'delay',
            'priority', 'atm', 'ats', 'stc', 'defa', 'deid', 'parentKey',
            'rjk'];
        return raw && { status: raw[0], value: raw[1],
            jobs: raw[2].map((j) => Object.fromEntries(
                fields.map((f, i) => [f, j[i]]))) };
    }

    async take(count = 1, token = 'tok', options = {}) {
        return Sluice.reply(await this.call('take', [this.base],
            [this.major, ...Sluice.takeArguments(count, token, options),
                ...Sluice.trailing(options)]));
    }

    /* what may stand behind the other arguments of take and finish */
    static trailing({ schedulers, limits }) {
        return limits ? [schedulers ? 1 : 0, limits] : schedulers ? [1] : [];
    }

    /* jobs: id, value | reason, and token stacktrace keep claim ttl records */
    async finish(jobs, next = 0, token = 'tok', options = {}) {
        const [codes, raw] = await this.call('finish',
            [this.base, this.stream, this.claims],
            [this.major, ...Sluice.takeArguments(next, token, options),
                options.keepCompleted || '-1:0', options.keepFailed || '-1:0',
                options.metrics || 0, options.bytesCompleted || 0,
                options.bytesFailed || 0,
                jobs.length, ...jobs.flatMap((j) => [j.id, j.token || 'tok',
                    j.reason === undefined ? 'completed' : 'failed',
                    j.reason === undefined ? (j.value === undefined ? 'null'
                        : j.value) : j.reason,
                    j.reason === undefined ? '' : (j.stacktrace || '[]'),
                    j.keep || '', j.claim || '', j.ttl || '',
                    ...records(j.records || [])]),
                ...Sluice.trailing(options)]);
        return { codes, next: Sluice.reply(raw) };
    }

    retry(...jobs) {
        return this.call('retry', [this.base, this.stream],
            [this.major, jobs.length, ...jobs.flatMap((j) => [j.id,
                j.token || 'tok', j.mode || 'retry', j.delay || 0,
                j.reason || '', j.stacktrace || '',
                ...records(j.records || [])])]);
    }

    extend(lock, ...pairs) {
        return this.call('extend', [this.base], [lock, ...pairs.flat()]);
    }

    recover(interval = 30000, most = 1) {
        return this.call('recover', [this.base], [this.major, interval, most]);
    }

    requeue(set, ids, reset = 0) {
        return this.call('requeue', [this.base], [this.major, set, reset,
            ...ids]);
    }

    /* repeats until nothing is left to move; how many calls that were */
    async pause(on = true, count = 7000) {
        for (let calls = 1; ; calls += 1) {
            const left = await this.call('pause', [this.base], [this.major,
                on ? 'pause' : 'resume', count]);
            if (left === 0) {
                return calls;
            }
        }
    }

    resume(count) {
        return this.pause(false, count);
    }

    promote(...ids) {
        return this.requeue('delayed', ids);
    }

    /* all of a set, `count` a call: [moved, left] */
    async move(set, { reset = 0, upto = '', count = 1000 } = {}) {
        let [moved, left] = [0, 0];
        for (;;) {
            const [seen, more, stay] = await this.call('move', [this.base],
                [this.major, set, reset, upto, left, count]);
            moved += more;
            left += stay;
            if (seen < count) {
                return [moved, left];
            }
        }
    }

    /* repeats until each id has its code */
    async each(script, argv, ids) {
        const codes = [];
        while (codes.length < ids.length) {
            codes.push(...await this.call(script, [this.base],
                [this.major, ...argv, ...ids.slice(codes.length)]));
        }
        return codes;
    }

    remove(ids, { children = 0, set = '' } = {}) {
        return this.each('remove', [children, set], ids);
    }

    change(what, value, ids, front = 0) {
        return this.each('change', [what, value, front], ids);
    }

    update(id, what, value, keep = '') {
        return this.call('update', [this.base], [this.major, id, what, value,
            keep]);
    }

    /* [ids removed, passed over] */
    async clean(state, grace = 0, { count = 1000, event = 1 } = {}) {
        const gone = [];
        let left = 0;
        for (;;) {
            const [seen, stay, ids] = await this.call('clean', [this.base],
                [this.major, state, grace, left, count, event]);
            gone.push(...ids);
            left += stay;
            if (seen < count) {
                return [gone, left];
            }
        }
    }

    async drain(delayed = false, count = 1000) {
        const gone = [];
        for (const state of ['wait', 'paused', 'prioritized',
            ...(delayed ? ['delayed'] : [])])
        {
            gone.push(...(await this.clean(state, 0, { count, event: 0 }))[0]);
        }
        return gone;
    }

    /* '' or what stopped it */
    async obliterate(force = 0, count = 1000) {
        let state = '';
        do {
            state = await this.call('obliterate', [this.base], [this.major,
                force, count, state]);
        } while (typeof state === 'string' && state !== '');
        return state;
    }

    /* opts as they are stored; parent: id, queueKey and an option */
    insert(id, opts, { name = 'n', data = {}, timestamp = '', parent,
        children = 0, scheduler = '' } = {})
    {
        return this.call('insert', [this.base], [this.major, id, name,
            JSON.stringify(data), JSON.stringify(opts), timestamp,
            parent ? JSON.stringify(parent) : '', children, scheduler]);
    }

    /* plan: every | pattern, tz, limit, startDate, endDate, offset */
    schedule(id, at, plan, { name = id, data = {}, opts = {}, offset = 0 } = {})
    {
        return this.call('schedule', [this.base], [this.major, id, at, offset,
            name, JSON.stringify(data), JSON.stringify(opts),
            JSON.stringify(plan)]);
    }

    iterate(id, job, at) {
        return this.call('iterate', [this.base], [this.major, id, job, at]);
    }

    unschedule(...ids) {
        return this.call('unschedule', [this.base], [this.major, ...ids]);
    }

    /* messages: claim, pace, token, ttl, interval, tolerance, horizon */
    admit(...messages) {
        return this.call('admit',
            messages.flatMap((m) => [m.job || `job:${m.claim}`, m.claim,
                m.pace || m.claim, m.pairPace || m.claim]),
            messages.flatMap((m) => [m.token || 'tok', m.ttl || 60000,
                m.horizon || 0, m.sender || 'pace', m.recipient || '',
                m.interval || 0, m.tolerance || 0, m.pair || 0,
                m.borrow || 0]));
    }
}

module.exports = { Sluice, read };
