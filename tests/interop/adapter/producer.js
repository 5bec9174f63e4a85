'use strict';

/* The producer's side of the backend: add.lua, insert.lua, schedule.lua,
 * iterate.lua, unschedule.lua. */

const { call, command, together } = require('./calls');
const { stored, plain, addArguments, insertArguments } = require('./jobs');

/* replies of add.lua and of insert.lua: the id, or a code */
const added = (reply, given) => (Array.isArray(reply) ? reply[0]
    : typeof reply === 'number' ? given : reply);
const inserted = (reply) => (Array.isArray(reply) ? reply[1] : reply);

module.exports = (Base) => class extends Base {
    get base() {
        return this.toKey('');
    }

    fail(code, command, more = {}) {
        if (code < 0) {
            throw this.finishedErrors({ code, command, ...more });
        }
        return code;
    }

    async addJob(job, jobId, parentKeyOpts) {
        const [id] = await this.addJobs([{ job, jobId, parentKeyOpts }]);
        return id;
    }

    async addJobs(entries) {
        const client = await this.client;
        if (entries.every(plain)) {
            const ids = [];
            for (let i = 0; i < entries.length; i += 1000) {
                const some = entries.slice(i, i + 1000);
                const replies = await call(client, 'add', this.base,
                    some.flatMap(addArguments));
                ids.push(...replies.map((r, j) => added(r, some[j].jobId)));
            }
            return ids;
        }
        const results = await together(client, entries.map((entry) => ['insert',
            this.base, insertArguments(entry)]));
        return results.map(([error, reply], i) => {
            if (error) {
                throw error;
            }
            const { parentKey } = entries[i].job;
            return this.fail(inserted(reply), 'addJob', { parentKey,
                jobId: entries[i].jobId });
        });
    }

    /* into: a client, or a transaction of one */
    async addJobToTransaction(into, job, jobId, parentKeyOpts, keys) {
        const [name, args] = command(await this.client, 'insert',
            keys ? keys[''] : this.base, insertArguments({ job, jobId,
                parentKeyOpts }));
        return inserted(await into.runCommand(name, args));
    }

    async addFlow(entries) {
        if (entries.length === 0) {
            return [];
        }
        const last = {};
        entries.forEach((entry, i) => {
            last[entry.parentKeyOpts.parentKey] = i;
        });
        const results = await together(await this.client, entries.map(
            ({ jobData, jobId, parentKeyOpts, prefix, queueName }, i) =>
                ['insert', `${prefix}:${queueName}:`, insertArguments({
                    job: jobData, jobId, parentKeyOpts,
                    more: i < last[parentKeyOpts.parentKey] })]));
        return results.map(([error, reply]) => [error,
            error ? null : inserted(reply)]);
    }

    async addJobScheduler(id, nextMillis, data, template, plan, jobOpts) {
        const client = await this.client;
        const [at, offset] = plan.every ? first(plan, Date.now())
            : [nextMillis, 0];
        const schedule = {};
        for (const field of ['every', 'pattern', 'tz', 'limit', 'startDate',
            'endDate', 'offset'])
        {
            if (plan[field] !== undefined && plan[field] !== null) {
                schedule[field] = plan[field];
            }
        }
        const reply = this.fail(await call(client, 'schedule', this.base, [id,
            at, offset, plan.name, data, JSON.stringify(stored(template)),
            JSON.stringify(schedule)]), 'addJobScheduler', { jobId: id });
        const delay = await client.hget(this.toKey(reply), 'delay');
        return [reply, Number(delay)];
    }

    async updateJobSchedulerNextMillis(id, nextMillis, data, jobOpts, producer) {
        const client = await this.client;
        const plan = jobOpts.repeat;
        const at = plan.every
            ? next(plan.every, plan.offset, Number(producer.split(':').pop()),
                Date.now())
            : nextMillis;
        const reply = await call(client, 'iterate', this.base,
            [id, producer, at]);
        return typeof reply === 'string' ? reply : null;
    }

    async removeJobScheduler(id) {
        const [code] = await call(await this.client, 'unschedule', this.base,
            [id]);
        return code === 1 ? 0 : 1;
    }
};

/* as sluice_schedule_first and _next (core/schedule.h) work it out for every */
function slot(every, offset, now) {
    const at = now - (now % every) + offset;
    return at > now ? at : at + every;
}

function first({ every, offset, startDate }, now) {
    const at = startDate ? Math.max(startDate, now)
        : offset ? slot(every, offset, now) : now;
    return [at, offset || at % every];
}

function next(every, offset, prev, now) {
    const lies = offset || prev % every;
    return prev + every < now ? slot(every, lies, now) : prev + every;
}
