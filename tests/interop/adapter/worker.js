'use strict';

/* The worker's side of the backend: take.lua, finish.lua, retry.lua, extend.lua,
 * recover.lua, update.lua. */

const { randomUUID } = require('crypto');
const { call } = require('./calls');
const { keep, lastStack } = require('./jobs');

const NONE = '0';                       /* BullMQ's token of no lock */

module.exports = (Base) => class extends Base {
    get options() {
        return this.queue.opts;
    }

    takeArguments(count, token, name = this.options.name) {
        const { lockDuration, limiter } = this.options;
        /* a caller without a lock takes nothing without one */
        return [count, !token || token === NONE ? randomUUID() : token,
            lockDuration || 30000, name,
            limiter && limiter.max, limiter && limiter.duration];
    }

    /* a reply of take.lua as [job, id, ms of the rate limit, ms it waits for] */
    async taken([status, value, jobs]) {
        if (jobs.length > 0) {
            const id = jobs[0][0];
            return [await this.getJobData(id), id, 0, 0];
        }
        return [0, 0, status === 'limited' ? value : 0,
            status === 'delayed' ? value : 0];
    }

    async moveToActive(token, name) {
        return this.taken(await call(await this.client, 'take', this.base,
            [...this.takeArguments(1, token, name), 1]));
    }

    get side() {
        const prefix = this.qualifiedName.slice(0, -this.name.length - 1);
        return [`${prefix}::sluice:records`, `${prefix}::sluice:claim:`];
    }

    async finished(job, outcome, value, rule, token, fetchNext, stack) {
        const client = await this.client;
        const { removeOnComplete, removeOnFail, metrics } = this.options;
        const take = this.takeArguments(fetchNext ? 1 : 0, token);
        const [[code], reply] = await call(client, 'finish', this.base,
            [...take,
                keep(removeOnComplete) || '-1:0', keep(removeOnFail) || '-1:0',
                (metrics && metrics.maxDataPoints) || 0, 0, 0,
                1, job.id, token || NONE, outcome, value, stack, keep(rule), '',
                '', 0, 1], this.side);
        if (code < 0 && reply && reply[2][0]) {
            /* BullMQ takes none when it cannot finish, and hears of none */
            await this.giveBack('moveToFinished', reply[2][0][0], take[1],
                'release', 0);
        }
        this.fail(code, 'moveToFinished', { jobId: job.id, state: 'active' });
        const at = await client.hget(this.toKey(job.id), 'finishedOn');
        return { result: reply ? await this.taken(reply) : [],
            finishedOn: Number(at) || Date.now() };
    }

    async moveToCompleted(job, value, rule, token, fetchNext) {
        const text = JSON.stringify(value);
        return this.finished(job, 'completed', text === undefined ? 'null'
            : text, rule, token, fetchNext, '');
    }

    async moveToFailed(job, reason, rule, token, fetchNext, fields) {
        const stack = await this.attempt(job.id, fields);
        return this.finished(job, 'failed', reason || '', rule, token, fetchNext,
            stack);
    }

    /* the stacktrace of this attempt; a trace context is only BullMQ's own */
    async attempt(id, fields) {
        const client = await this.client;
        const key = this.toKey(id);
        if (fields && fields.tm && await client.hexists(key, 'name')) {
            await client.hset(key, { tm: fields.tm });
        }
        return lastStack(fields, await client.hget(key, 'stacktrace'));
    }

    async giveBack(command, id, token, mode, delay, fields) {
        const stack = fields ? await this.attempt(id, fields) : '';
        const [code] = await call(await this.client, 'retry', this.base,
            [1, id, token || NONE, mode, delay,
                (fields && fields.failedReason) || '', stack, 0],
            [this.side[0]]);
        return this.fail(code, command, { jobId: id, state: 'active' });
    }

    async moveToDelayed(id, timestamp, delay, token = NONE, opts = {}) {
        await this.giveBack('moveToDelayed', id, token,
            opts.skipAttempt ? 'delay' : 'retry', Math.round(delay), opts.fieldsToUpdate);
        const next = opts.fetchNext
            ? await this.moveToActive(token, this.options.name) : [];
        return next[0] ? next : [];
    }

    async retryJob(id, lifo, token = NONE, { fieldsToUpdate } = {}) {
        await this.giveBack('retryJob', id, token, 'retry', 0,
            fieldsToUpdate);
    }

    async moveJobFromActiveToWait(id, token = NONE) {
        await this.giveBack('moveJobFromActiveToWait', id, token, 'release', 0);
        return Math.max(0, await this.getRateLimitTtl());
    }

    async moveToWaitingChildren(id, token, { child } = {}) {
        if (child) {
            const children = await (await this.client)
                .smembers(this.toKey(`${id}:dependencies`));
            if (!children.includes(`${child.queue}:${child.id}`)) {
                return false;
            }
        }
        return await this.giveBack('moveToWaitingChildren', id, token,
            'children', 0) === 0;
    }

    async extendLock(id, token, duration) {
        const lost = await this.extendLocks([id], [token], duration);
        return lost.length === 0 ? 1 : 0;
    }

    async extendLocks(ids, tokens, duration) {
        return call(await this.client, 'extend', this.base, [duration,
            ...ids.flatMap((id, i) => [id, tokens[i]])]);
    }

    async moveStalledJobsToWait() {
        const { stalledInterval, maxStalledCount } = this.options;
        return call(await this.client, 'recover', this.base,
            [stalledInterval, maxStalledCount]);
    }

    async update(command, id, what, value, lines) {
        return this.fail(await call(await this.client, 'update', this.base,
            [id, what, value, lines]), command, { jobId: id });
    }

    async updateData(job, data) {
        await this.update('updateData', job.id, 'data', JSON.stringify(data));
    }

    async updateProgress(id, progress) {
        await this.update('updateProgress', id, 'progress',
            JSON.stringify(progress));
    }

    async addLog(id, row, lines) {
        return this.update('addLog', id, 'log', row, lines || '');
    }
};
