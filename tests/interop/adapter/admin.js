'use strict';

/* What people do to a queue: pause.lua, requeue.lua, move.lua, change.lua,
 * remove.lua, clean.lua, obliterate.lua. */

const { call, each } = require('./calls');

const sub = (key) => [key.slice(0, key.lastIndexOf(':') + 1),
    key.slice(key.lastIndexOf(':') + 1)];

module.exports = (Base) => class extends Base {
    async pause(on) {
        const client = await this.client;
        while (await call(client, 'pause', this.base,
            [on ? 'pause' : 'resume', 7000]) > 0)
        {
            /* until nothing is left to move */
        }
    }

    async putBack(set, reset, id, command) {
        const [code] = await call(await this.client, 'requeue', this.base,
            [set, reset, id]);
        this.fail(code, command, { jobId: id, state: set });
    }

    async promote(id) {
        await this.putBack('delayed', 0, id, 'promote');
    }

    async retryFinishedJob(job, state, opts = {}) {
        const reset = opts.resetAttemptsMade || opts.resetAttemptsStarted;
        await this.putBack(state, reset ? 1 : 0, job.id, 'reprocessJob');
    }

    /* those of a set that the calls before have left in it */
    async move(set, count, upto) {
        const some = Math.min(count, 1000);
        this.left = this.left || {};
        const [seen, , stay] = await call(await this.client, 'move', this.base,
            [set, 0, upto, this.left[set] || 0, some]);
        this.left[set] = seen < some ? 0 : (this.left[set] || 0) + stay;
        return seen < some ? 0 : 1;
    }

    async retryFinishedJobs(state = 'failed', count = 1000,
        timestamp = Date.now())
    {
        return this.move(state, count, timestamp);
    }

    async promoteJobs(count = 1000) {
        return this.move('delayed', count, '');
    }

    async changeDelay(id, delay) {
        const [code] = await call(await this.client, 'change', this.base,
            ['delay', delay, 0, id]);
        this.fail(code, 'changeDelay', { jobId: id, state: 'delayed' });
    }

    async changePriority(id, priority = 0, lifo = false) {
        const [code] = await call(await this.client, 'change', this.base,
            ['priority', priority, lifo ? 1 : 0, id]);
        this.fail(code, 'changePriority', { jobId: id });
    }

    async remove(id, children) {
        const [code] = await call(await this.client, 'remove', this.base,
            [children ? 1 : 0, '', id]);
        return code === -1 ? 1 : this.fail(code, 'removeJob', { jobId: id });
    }

    async removeUnprocessedChildren(id) {
        const client = await this.client;
        const queues = new Map();
        for (const key of await client.smembers(
            this.toKey(`${id}:dependencies`)))
        {
            const [base, child] = sub(key);
            if (await client.zscore(`${base}failed`, child) === null) {
                queues.set(base, [...(queues.get(base) || []), child]);
            }
        }
        for (const [base, ids] of queues) {
            await each(client, 'remove', base, [1, ''], ids);
        }
    }

    async cleaned(state, grace, most, event) {
        const client = await this.client;
        const gone = [];
        let left = 0;
        for (;;) {
            const count = Math.min(1000, most - gone.length);
            const [seen, stay, ids] = await call(client, 'clean', this.base,
                [state, grace, left, count, event]);
            gone.push(...ids);
            left += stay;
            if (seen < count || gone.length >= most) {
                return gone;
            }
        }
    }

    async drain(delayed) {
        for (const state of ['wait', 'paused', 'prioritized',
            ...(delayed ? ['delayed'] : [])])
        {
            await this.cleaned(state, 0, Infinity, 0);
        }
    }

    async cleanJobsByState(state, timestamp, limit = 0) {
        return this.cleaned(state, Math.max(0, Date.now() - timestamp),
            limit || Infinity, 1);
    }

    async obliterate({ force, count }) {
        const state = await call(await this.client, 'obliterate', this.base,
            [force ? 1 : 0, Math.min(count, 1000), this.obliterated || '']);
        this.obliterated = typeof state === 'string' ? state : '';
        if (state === -1) {
            throw new Error('Cannot obliterate non-paused queue');
        }
        if (state === -2) {
            throw new Error('Cannot obliterate queue with active jobs');
        }
        return state === '' ? 0 : 1;
    }
};
