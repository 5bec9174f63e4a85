'use strict';

/*
 * core/cron beside the cron-parser of BullMQ 5 and of BullMQ 6: random patterns
 * in zones whose clocks change in every way, five times each.  Where ours are
 * not cron-parser's, the reason is one of REASONS, and ours are those that
 * cron-parser gives in UTC, put into the zone here by the rule of core/cron.h.
 *
 *   CRON_CASES=10000 CRON_SEED=1 node tests/interop/cron.js
 */

const { spawnSync } = require('child_process');
const path = require('path');
const { root, modules } = require('../lua/server');
const tap = require('../lua/tap');

const own = (major) => ({ paths: [path.join(modules, `bullmq${major}`)] });
const parser5 = require(require.resolve('cron-parser', own(5)));
const parser6 = require(require.resolve('cron-parser', own(6)));
const luxon = require(require.resolve('luxon', own(6)));

const CASES = Number(process.env.CRON_CASES || 10000);
const SEED = Number(process.env.CRON_SEED || 20261121);
const TIMES = 5;
const HOUR = 3600000;
const DAY = 24 * HOUR;
const FIRST = Date.UTC(2000, 0, 1);
const LAST = Date.UTC(2037, 0, 1);

const ZONES = ['UTC', 'UTC-3:30', 'Europe/Berlin', 'Europe/London',
    'America/New_York', 'America/Sao_Paulo', 'America/Santiago',
    'America/Havana', 'Australia/Lord_Howe', 'Asia/Kathmandu', 'Asia/Beirut',
    'Africa/Casablanca', 'Africa/Cairo', 'Antarctica/Troll', 'Pacific/Apia',
    'Pacific/Chatham'];

/* where cron-parser in the zone does not do what core/cron.h says, and why */
const REASONS = {
    midnight: 'it leaves out a day whose midnight is skipped, and of a midnight'
        + ' shown twice it runs the second, or that without end',
    odd: 'it knows changes by an hour at a full hour only: runs left out or'
        + ' doubled, or an error',
    repeated: 'hours that are all there, some of them twice, are not every hour'
        + ' to 4.9',
    gives_up: 'its search ends after 10,000 steps: an error',
};

/* what cron-parser takes for something and core/cron.h refuses: both majors */
const REFUSED = {
    both: ['* *', '1 2 3', '1-2-3 * * * *', '*-5 * * * *', '5* * * * *',
        '0 0 * * 8L', '0 0 1L * *', '0 0 * * *#1', '0 0 1-? * *'],
    5: ['0 0 * * 5LL', '0 0 * * 1L/2', '0 0 L/2 * *'],
    6: ['H * * * *', 'H(1-5) * * * *', '0 0 * * *L', '0 0 * * 1-3L',
        '0 0 * * 5L#2', '0 0 * MON *', '0 0 * * JAN'],
};

/* what is an error on both sides, and what only one major takes */
const ERRORS = {
    both: ['60 * * * *', '* 24 * * *', '* * 0 * *', '* * 32 * *', '* * * 0 *',
        '* * * 13 *', '* * * * 8', '*/0 * * * *', '*/ * * * *', '5- * * * *',
        '-5 * * * *', '1,,2 * * * *', '1, * * * *', ',1 * * * *',
        '9-3 * * * *', '0 0 * * FRI-MON', '0 0 * NOV-FEB *', '0 0 * * L',
        '0 0 * * 5#0', '0 0 * * 5#6', '0 0 * * 5#', '0 0 * * 1,5#2',
        '0 0 * * 1-5#2', '0 0 * * */2#1', '0 0 30 2 *', '0 0 31 4 *',
        '0 0 L-2 * *', '0 0 15W * *', 'L * * * *', '0 0 l * *', '0x5 * * * *',
        '1.5 * * * *', '+5 * * * *', '0 0 * * MONDAY', '0 0 * * * * *',
        '@reboot', '@DAILY', '@daily ', ' @daily', '$', '**/5 * * * *'],
    5: ['? * * * *', '@annually', '@secondly', '@weekdays', 'H * * * *',
        '0 0 30 2 1', '0 0 31,L 4 *'],
    6: ['1,1 * * * *', '*,5 * * * *', '0 0 * * 0,7', '0 0 L,L * *',
        '0 0 * * 5L,5L'],
};

const TAKEN = {
    both: ['@yearly', '@monthly', '@weekly', '@daily', '@hourly',
        '  0 0\t* * *\n', '007 * * * *', '0 0 ? * 1', '0 0 * * SUNL',
        '*/99999999999999999999 * * * *', '0 0 * * fri#2', '0 0 13 * 5',
        '0 0 1,L * 2L,3', '0 0 29 2 *'],
    5: ['1,1 * * * *', '0 0 * * 0,7', '0 0 1 * 0-6,7', '0 0 1 * 0,1-7',
        '0 0 1-30 4 1', '0 0 * * 2-7/3', '0 0 * * 6/3'],
    6: ['@annually', '@minutely', '@secondly', '@weekdays', '@weekends',
        '? ? * * * *', '?/5 * * * *', '0 0 30 2 1', '0 0 31,L 4 *',
        '0 0 1-31 * 1', '0 0 */1 * 1', '0 0 1 * 1-7'],
};


/* mulberry32 */
let state = SEED;
function random() {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
}
const below = (n) => Math.floor(random() * n);
const between = (a, b) => a + below(b - a + 1);
const one = (list) => list[below(list.length)];


/* ---------------------------------------------------------------- patterns */

const MONTHS = 'JAN,FEB,MAR,APR,MAY,JUN,JUL,AUG,SEP,OCT,NOV,DEC'.split(',');
const WEEKDAYS = 'SUN,MON,TUE,WED,THU,FRI,SAT'.split(',');

function value({ min, max, names }) {
    const n = between(min, max);
    if (names && n - min < names.length && random() < 0.3) {
        const name = names[n - min];
        return { n, text: random() < 0.3 ? name.toLowerCase() : name };
    }
    return { n, text: String(n) };
}

function item(field) {
    const a = value(field);
    const b = value(field);
    const step = random() < 0.5 ? '' : `/${between(1, field.max + 2)}`;
    const kind = random();
    if (kind < 0.6) {
        return a.text;
    }
    if (kind < 0.8) {
        /* one in a hundred is from high to low */
        const [low, high] = (a.n <= b.n) === (random() < 0.99) ? [a, b]
            : [b, a];
        return `${low.text}-${high.text}${step}`;
    }
    return kind < 0.9 ? `*/${between(1, field.max + 2)}`
        : `${a.text}/${between(1, Math.ceil(field.max / 2))}`;
}

function field(f) {
    const kind = random();
    if (kind < f.any) {
        return '*';
    }
    if (kind > 0.9 && f.special) {
        return f.special();
    }
    if (kind > 0.995) {
        return String(f.max + 1);
    }
    const n = random() < 0.85 ? 1 : between(2, 4);
    return Array.from({ length: n }, () => item(f)).join(',');
}

const FIELDS = [
    { min: 0, max: 59, any: 0.02 },
    { min: 0, max: 59, any: 0.2 },
    { min: 0, max: 23, any: 0.35 },
    { min: 1, max: 31, any: 0.6,
        special: () => one(['L', 'L', `L,${between(1, 28)}`, '?']) },
    { min: 1, max: 12, any: 0.7, names: MONTHS },
    { min: 0, max: 7, any: 0.6, names: WEEKDAYS,
        special: () => one([`${between(0, 7)}L`, `${one(WEEKDAYS)}L`, '?',
            `${between(0, 7)}#${between(1, 5)}`, `${between(0, 3)},5L`,
            `${one(WEEKDAYS)}#${between(1, 5)}`]) },
];

/* the hours in which clocks change */
const NIGHT = ['0', '1', '2', '3', '0,2', '1-3', '23', '23,0', '0-4/2', '2-3'];

function pattern() {
    const fields = FIELDS.map(field);
    if (random() < 0.25) {
        fields[2] = one(NIGHT);
    }
    return (random() < 0.6 ? fields.slice(1) : fields).join(' ');
}


/* ------------------------------------------------------------------- zones */

const FROM = FIRST - 400 * DAY;
const UNTIL = LAST + 5000 * DAY;

/*
 * Asking ICU for an offset takes longer than all else: from here on luxon looks
 * up what ICU said of all the years of the test.
 */
const tables = new Map();
const slow = luxon.IANAZone.prototype.offset;
luxon.IANAZone.prototype.offset = function offset(ms) {
    const table = tables.get(this.name);
    if (!table || ms < FROM || ms >= UNTIL) {
        return slow.call(this, ms);
    }
    const { changes, first } = table;
    let low = 0;
    let high = changes.length;
    while (low < high) {
        const middle = (low + high) >> 1;
        if (changes[middle].at <= ms) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return (low ? changes[low - 1].after : first) / 60000;
};

class Zone {
    constructor(name) {
        this.name = name;
        this.zone = luxon.Info.normalizeZone(name);
        this.changes = this.find(FROM, UNTIL);
        tables.set(name, { changes: this.changes, first: this.offset(FROM) });
    }

    offset(ms) {
        return Math.round(this.zone.offset(ms) * 60) * 1000;
    }

    /* { at, before, after }, by halving */
    find(from, until) {
        const changes = [];
        let after = this.offset(from);
        for (let ms = from; ms < until; ms += 10 * DAY) {
            const before = after;
            after = this.offset(ms + 10 * DAY);
            if (after !== before) {
                let low = ms;
                let high = ms + 10 * DAY;
                while (high - low > 1000) {
                    const middle = low + Math.floor((high - low) / 2000) * 1000;
                    if (this.offset(middle) === before) {
                        low = middle;
                    } else {
                        high = middle;
                    }
                }
                changes.push({ at: high, before, after: this.offset(high) });
            }
        }
        return changes;
    }

    /* those whose effect is in (from, until] */
    between(from, until) {
        return this.changes.filter((c) => c.at + Math.abs(c.after - c.before)
            > from && c.at - Math.abs(c.after - c.before) <= until);
    }

    start() {
        const ms = between(FIRST / 1000, LAST / 1000) * 1000;
        const changes = this.changes.filter(({ at }) => at > FIRST && at < LAST);
        if (changes.length === 0 || random() < 0.5) {
            return ms + (random() < 0.3 ? below(1000) : 0);
        }
        return one(changes).at + between(-40, 10) * HOUR / 4
            + below(5) * 60000 - 60000;
    }
}


/* ----------------------------------------------------------------- the peer */

function parse(major, text, from, tz) {
    const options = { currentDate: new Date(from), tz };
    return major === 5 ? parser5.parseExpression(text, options)
        : parser6.CronExpressionParser.parse(text, options);
}

/*
 * What it remembers of a change it forgets when it begins in the hour behind
 * it, and would leave out or double runs: so it begins before.
 */
function peer({ major, text, from, zone }) {
    const change = zone.changes.find((c) => c.at <= from
        && from < c.at + Math.abs(c.after - c.before));
    const iterator = parse(major, text, change ? change.at - 1000 : from,
        zone.name);
    const times = [];
    for (let last = 0; times.length < TIMES;) {
        const ms = iterator.next().getTime();
        if (ms === last) {
            throw new Error('it stands still');
        }
        if (ms > from) {
            times.push(ms);
        }
        last = ms;
    }
    return times;
}

function hoursOf(major, iterator) {
    return major === 5 ? iterator.fields.hour : iterator.fields.hour.values;
}

/* The rule of core/cron.h, on the wall times that it gives in UTC. */
function rule({ major, text, from, zone }) {
    const near = (ms) => [-DAY, 0, DAY].map((d) => zone.offset(ms + d));
    const start = from + Math.min(...near(from));
    const iterator = parse(major, text, start, 'UTC');
    const always = new Set(hoursOf(major, iterator)).size === 24;
    const times = [];

    for (;;) {
        const wall = iterator.next().getTime();
        const fifth = times[TIMES - 1];
        if (fifth && wall - Math.max(...near(fifth)) > fifth) {
            return times;
        }
        let found = [...new Set(near(wall))].map((offset) => wall - offset)
            .filter((ms) => ms + zone.offset(ms) === wall)
            .sort((a, b) => a - b);
        if (found.length === 0 && !always) {
            const change = zone.changes.find((c) => wall >= c.at + c.before
                && wall < c.at + c.after);
            if (change.after - change.before < DAY) {
                found = [wall - change.before];
            }
        } else if (!always) {
            found = found.slice(0, 1);
        }
        times.push(...found.filter((ms) => ms > from && !times.includes(ms)));
        times.sort((a, b) => a - b);
        times.splice(TIMES);
    }
}

function attempt(fn, question) {
    try {
        return fn(question);
    } catch (e) {
        return e.message || String(e);
    }
}

/* Why cron-parser in the zone may differ between these times */
function reason({ major, text, zone, from }, times, theirs) {
    const hours = hoursOf(major, parse(major, text, from, 'UTC'));
    const all = Array.isArray(theirs) ? [...times, ...theirs] : times;
    for (const c of zone.between(from, Math.max(...all))) {
        const by = c.after - c.before;
        if (Math.abs(by) !== HOUR || (c.at + c.before) % HOUR !== 0) {
            return 'odd';
        }
        if ((c.at + Math.min(c.before, c.after)) % DAY === 0) {
            return 'midnight';
        }
        if (hours.length > 24) {
            return 'repeated';
        }
    }
    return null;
}


/* --------------------------------------------------------------------- ours */

function ours(questions) {
    const { status, stdout, stderr } = spawnSync(
        path.join(root, 'build', 'tests', 'cron_next'), {
            input: questions.map(({ major, text, from, zone, times }) => [major,
                text.replace(/[\t\n]/g, ' '), zone.name, from,
                times || TIMES].join('\t')).join('\n'),
            maxBuffer: 64 << 20, encoding: 'utf8' });
    if (status !== 0) {
        throw new Error(`cron_next: status ${status} ${stderr}`);
    }
    return stdout.trimEnd().split('\n').map((line) => {
        if (line.startsWith('error')) {
            return line;
        }
        const words = line.trim().split(' ');
        return words.includes('never') ? 'never' : words.map(Number);
    });
}

const shown = ({ major, text, from, zone }) => `${major} "${text}" `
    + `${zone.name} after ${new Date(from).toISOString()}`;
const dates = (times) => (Array.isArray(times)
    ? times.map((ms) => new Date(ms).toISOString()).join(' ') : times);


function grammar() {
    const zone = { name: 'UTC', changes: [] };
    const check = (lists, name, good) => {
        for (const major of [5, 6]) {
            const questions = [...lists.both, ...lists[major]].map((text) => ({
                major, text, zone, from: Date.UTC(2026, 0, 1) }));
            const answers = ours(questions);
            const bad = questions.filter((q, i) => !good(answers[i],
                attempt(peer, q)));
            tap.is(bad.map((q) => q.text), [],
                `cron-parser of BullMQ ${major}: ${name}`);
        }
    };
    const refused = (answer) => String(answer).startsWith('error');
    check(TAKEN, 'the same patterns are taken, for the same',
        (a, b) => Array.isArray(b) && String(a) === String(b));
    check(ERRORS, 'the same patterns are errors',
        (a, b) => refused(a) && !Array.isArray(b));
    check(REFUSED, 'what only looks like a pattern is refused',
        (a, b) => refused(a) && Array.isArray(b));
}


/*
 * Node's database of zones may be another than the machine's: a zone that is
 * not the same before and after each change is left out.
 */
function databases(zones) {
    const questions = [];
    for (const zone of zones) {
        for (const { at } of zone.changes) {
            for (const from of [at - 1000, at]) {
                const wall = new Date(from + zone.offset(from + 1000) + 1000);
                questions.push({ major: 6, zone, from, times: 1,
                    text: `${wall.getUTCSeconds()} ${wall.getUTCMinutes()} * * `
                        + '* *' });
            }
        }
    }
    const answers = ours(questions);
    const differ = new Set(questions.filter((q, i) => (
        answers[i][0] !== q.from + 1000)).map((q) => q.zone.name));
    tap.ok(differ.size < zones.length / 4, `${questions.length} moments around`
        + ` changes, left out: ${[...differ].join(' ') || 'no zone'}`);
    return zones.filter((zone) => !differ.has(zone.name));
}


function compare(zones) {
    const questions = [];
    while (questions.length < CASES) {
        const zone = one(zones);
        questions.push({ major: one([5, 6]), text: pattern(), zone,
            from: zone.start() });
    }

    const answers = ours(questions);
    const counts = { same: 0, error: 0 };
    const bad = [];
    const count = (name) => { counts[name] = (counts[name] || 0) + 1; };

    questions.forEach((question, i) => {
        const answer = answers[i];
        const theirs = attempt(peer, question);
        const fail = (what, expected) => bad.push(`${shown(question)}: ${what}\n`
            + `  ours   ${dates(answer)}\n  theirs ${dates(expected)}`);

        if (!Array.isArray(answer)) {
            /* a date that never comes: found while parsing, or given up */
            if (Array.isArray(theirs)) {
                fail('in the zone', theirs);
            } else {
                count('error');
            }
            return;
        }

        if (String(answer) === String(theirs)) {
            count('same');
            return;
        }

        const walls = attempt(rule, question);
        const gave_up = (result) => /loop limit/.test(result);
        const why = reason(question, answer, theirs)
            || (gave_up(theirs) && 'gives_up');

        if (!why) {
            fail('in the zone', theirs);
        } else if (String(answer) !== String(walls) && !gave_up(walls)) {
            fail('by the rule', walls);
        } else {
            count(why);
        }
    });

    tap.ok(bad.length === 0, `${CASES} patterns, seed ${SEED}: `
        + JSON.stringify(counts), bad.slice(0, 20).join('\n'));
    for (const why of Object.keys(REASONS)) {
        console.log(`# ${counts[why] || 0} ${why}: ${REASONS[why]}`);
    }
    tap.ok(counts.same > CASES * 0.8, 'most of them are no exception', counts);
}


tap.run(async () => {
    const made = spawnSync('make', ['-s', 'build/tests/cron_next'],
        { cwd: root, encoding: 'utf8' });
    if (made.status !== 0) {
        throw new Error(`make: ${made.stdout}${made.stderr}`);
    }
    const zones = ZONES.map((name) => new Zone(name));
    grammar();
    compare(databases(zones));
});
