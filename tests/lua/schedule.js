'use strict';

/*
 * Job schedulers: each case is done once by stock BullMQ and once by our scripts,
 * and the keyspaces are compared.  The times are set: what core/schedule works
 * out is compared with stock by the unit tests and tests/interop/cron.js.
 *
 *   node tests/lua/schedule.js [case ...]
 */

const { Stock, Ours, left, compare } = require('./steps');
const tap = require('./tap');

const HOUR = 3600000;

/* a full hour that is still to come; a whole multiple of the day's HOURs */
const T = (Math.floor(Date.now() / HOUR) + 48) * HOUR;
const YEAR = new Date().getUTCFullYear() + 1;
const yearly = { pattern: '0 0 1 1 *', tz: 'UTC' };
const [Y1, Y2] = [Date.UTC(YEAR, 0, 1), Date.UTC(YEAR + 1, 0, 1)];
const hourly = { every: HOUR, startDate: T };
const full = { name: 'tick', data: { x: 1, list: [], text: 'a/b\u00e9' },
    opts: { attempts: 3, backoff: { type: 'fixed', delay: 5 },
        removeOnComplete: 2, priority: 7, lifo: true } };

class StockSchedules extends Stock {
    async upsert(id, at, plan, template) {
        try {
            return (await this.queues.qc.upsertJobScheduler(id, plan, template))
                .id;
        } catch (e) {
            return e.code;
        }
    }

    async unschedule(id) {
        return await this.queues.qc.removeJobScheduler(id) ? 1 : 0;
    }

    /* the stock worker adds the next iteration by itself */
    async run(next) {
        return this.take('qc');
    }
}

class OurSchedules extends Ours {
    async upsert(id, at, plan, template) {
        return this.sluices.qc.schedule(id, at, plan,
            { ...template, offset: plan.startDate ? plan.startDate % plan.every
                : 0 });
    }

    async unschedule(id) {
        return (await this.sluices.qc.unschedule(id))[0];
    }

    async run(next) {
        const { jobs } = await this.sluices.qc.take(1, 'tok',
            { schedulers: true });
        for (const job of jobs) {
            if (job.rjk && next !== undefined) {
                const id = await this.sluices.qc.iterate(job.rjk, job.id, next);
                if (typeof id === 'string') {
                    tap.is(await this.sluices.qc.iterate(job.rjk, job.id, next),
                        0, 'once is enough');
                }
            }
        }
        return [jobs[0] ? jobs[0].id : null];
    }
}

const cases = {
    'a pattern': async (c) => c.upsert('s', Y1, yearly, { name: 'n' }),
    'a template': async (c) => c.upsert('s', Y1, { ...yearly, limit: 9,
        endDate: Y2 + 1 }, full),
    'every, with a start': async (c) => c.upsert('s', T, hourly, full),
    'a name with colons': async (c) => c.upsert('a:b:c', T, hourly,
        { name: 'n' }),
    'changed': async (c) => [await c.upsert('s', Y1, yearly, full),
        await c.upsert('s', T, hourly, { name: 'm', data: { y: 2 } })],
    'the same again': async (c) => [await c.upsert('s', T, hourly, full),
        await c.upsert('s', T, hourly, { name: 'm', data: { y: 2 } })],
    'its job is there already': async (c) => {
        await c.redis.hset(`bull:qc:repeat:s:${Y1}`, 'name', 'x');
        return c.upsert('s', Y1, yearly, { name: 'n' });
    },
    'every: its job is there already': async (c) => {
        await c.redis.hset(`bull:qc:repeat:s:${T}`, 'name', 'x');
        return c.upsert('s', T, hourly, { name: 'n' });
    },
    'every: so is the next': async (c) => {
        await c.redis.hset(`bull:qc:repeat:s:${T}`, 'name', 'x');
        await c.redis.hset(`bull:qc:repeat:s:${T + HOUR}`, 'name', 'x');
        return c.upsert('s', T, hourly, { name: 'n' });
    },
    'removed': async (c) => {
        await c.upsert('s', Y1, yearly, full);
        return [await c.unschedule('s'), await c.unschedule('s')];
    },
    'removed while its iteration waits': async (c) => {
        await c.upsert('s', Y1, yearly, full);
        await c.promote('qc', `repeat:s:${Y1}`);
        return c.unschedule('s');
    },
    'the next of a pattern': async (c) => {
        await c.upsert('s', Y1, yearly, full);
        await c.promote('qc', `repeat:s:${Y1}`);
        return [await c.run(Y2), await c.complete('qc', `repeat:s:${Y1}`)];
    },
    'the next of every': async (c) => {
        await c.upsert('s', T, hourly, full);
        await c.promote('qc', `repeat:s:${T}`);
        const one = await c.run(T + HOUR);
        await c.promote('qc', `repeat:s:${T + HOUR}`);
        return [one, await c.run(T + 2 * HOUR)];
    },
    'the next, without a template': async (c) => {
        await c.upsert('s', T, hourly, undefined);
        await c.promote('qc', `repeat:s:${T}`);
        return c.run(T + HOUR);
    },
    'the next is there already': async (c) => {
        await c.upsert('s', T, hourly, full);
        await c.promote('qc', `repeat:s:${T}`);
        await c.redis.hset(`bull:qc:repeat:s:${T + HOUR}`, 'name', 'x');
        return c.run(T + HOUR);
    },
    'no next: the limit': async (c) => {
        await c.upsert('s', T, { ...hourly, limit: 1 }, full);
        await c.promote('qc', `repeat:s:${T}`);
        return c.run();
    },
    'no next: the scheduler is gone': async (c) => {
        await c.upsert('s', T, hourly, full);
        await c.promote('qc', `repeat:s:${T}`);
        await c.unschedule('s');
        return c.run(T + HOUR);
    },
    'changed while it waits': async (c) => {
        await c.upsert('s', Y1, yearly, full);
        await c.promote('qc', `repeat:s:${Y1}`);
        return c.upsert('s', T, hourly, { name: 'm' });
    },
    'changed while it is active': async (c) => {
        await c.upsert('s', T, hourly, full);
        await c.promote('qc', `repeat:s:${T}`);
        await c.run(T + HOUR);
        return c.upsert('s', T, hourly, { name: 'm', data: { z: 1 } });
    },
    'of a paused queue': async (c) => {
        await c.queues.qc.pause();
        await c.upsert('s', T, hourly, { name: 'm' });
        await c.promote('qc', `repeat:s:${T}`);
    },
};


/* what is by the clock of whoever asks */
async function keys(redis) {
    const found = await left(redis);
    for (const { type, value } of Object.values(found)) {
        if (type === 'hash' && value.opts && value.opts.timestamp) {
            value.opts.timestamp = '<ms>';
            value.opts.delay = '<delay>';
            value.delay = value.delay === '0' ? '0' : '<delay>';
        }
    }
    return found;
}


compare('schedule', [StockSchedules, OurSchedules], cases, { keys });
