'use strict';

/* A whole keyspace as values, and what two of them have in common. */

async function dump(redis) {
    const out = {};
    for (const key of (await redis.keys('*')).sort()) {
        const type = await redis.type(key);
        const entry = { type, pttl: await redis.pttl(key) };
        if (type === 'string') {
            entry.value = await redis.get(key);
        } else if (type === 'list') {
            entry.value = await redis.lrange(key, 0, -1);
        } else if (type === 'set') {
            entry.value = await redis.smembers(key);
        } else if (type === 'zset') {
            const flat = await redis.zrange(key, 0, -1, 'WITHSCORES');
            entry.value = [];
            for (let i = 0; i < flat.length; i += 2) {
                entry.value.push([flat[i], flat[i + 1]]);
            }
        } else if (type === 'hash') {
            entry.value = Object.entries(await redis.hgetall(key));
        } else if (type === 'stream') {
            entry.value = await redis.xrange(key, '-', '+');
        }
        out[key] = entry;
    }
    return out;
}

const CLOCK = /^17\d{11}(\.\d+)?$/;

/* objects by key order, so that JSON texts compare */
function sorted(value) {
    if (Array.isArray(value)) {
        return value.map(sorted);
    }
    if (value && typeof value === 'object') {
        return Object.fromEntries(Object.keys(value).sort()
            .map((k) => [k, sorted(value[k])]));
    }
    return value;
}

/*
 * The marker "0" of an empty line wakes nobody for anything.  Ours take it away
 * with the last job, stock workers leave it to the next sleeper.
 */
const empty = (keyspace, base) => !keyspace[`${base}wait`]
    && !keyspace[`${base}prioritized`];

/*
 * What must be equal of two keyspaces.  `exact` holds the clock values that the
 * test gave itself: they are compared as they are, all others become "<ms>".
 */
function normal(keyspace, exact) {
    const clock = (text) => {
        if (!CLOCK.test(text) || exact.has(Math.floor(+text))) {
            return text;
        }
        return '<ms>';
    };
    const out = {};
    for (const [key, entry] of Object.entries(keyspace)) {
        let value;
        if (entry.type === 'zset' && key.endsWith(':marker')) {
            entry.value = entry.value.filter(([member]) => member !== '0'
                || !empty(keyspace, key.slice(0, -6)));
            if (entry.value.length === 0) {
                continue;
            }
        }
        if (entry.type === 'string') {
            value = key.endsWith(':lock') ? '<token>' : clock(entry.value);
        } else if (entry.type === 'list') {
            value = entry.value;
        } else if (entry.type === 'set') {
            value = [...entry.value].sort();
        } else if (entry.type === 'zset') {
            value = entry.value.map(([member, score]) => {
                if (/:(completed|failed)$/.test(key)) {
                    return [member, '<ms>'];
                }
                if (!key.endsWith(':delayed')) {
                    return [member, clock(score)];
                }
                const due = Math.floor(score / 4096);
                return [member, exact.has(due) ? String(score)
                    : `<due>+${score % 4096}`];
            });
        } else if (entry.type === 'hash') {
            value = {};
            for (const [field, text] of entry.value) {
                if (field === 'opts' || field === 'parent') {
                    value[field] = JSON.parse(text);
                } else if (/^(processed|finished)On$/.test(field)) {
                    value[field] = CLOCK.test(text) ? '<ms>' : text;
                } else {
                    value[field] = clock(text);
                }
            }
        } else {
            value = entry.value.map(([, fields]) => fields.map(clock));
        }
        out[key] = sorted({ type: entry.type, expires: entry.pttl > 0, value });
    }
    return out;
}

/* the differences, one line each; '' when there is none */
function differences(got, expected) {
    const lines = [];
    for (const key of new Set([...Object.keys(got), ...Object.keys(expected)])) {
        const a = JSON.stringify(got[key]);
        const b = JSON.stringify(expected[key]);
        if (a !== b) {
            lines.push(`${key}\n  got      ${a}\n  expected ${b}`);
        }
    }
    return lines.join('\n');
}

module.exports = { dump, normal, differences };
