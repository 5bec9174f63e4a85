/*
 * Rounds -> a Markdown report: medians with min..max, ratios of medians and
 * medians of the rounds' own ratios.
 */

'use strict';

const median = (values) => {
    const sorted = [...values].sort((a, b) => a - b);
    const middle = sorted.length >> 1;

    return sorted.length % 2 ? sorted[middle]
        : (sorted[middle - 1] + sorted[middle]) / 2;
};

const column = (rounds, name) => rounds.map((figures) => figures[name]);

const rate = (n) => (n >= 10000 ? `${(n / 1000).toFixed(1)}k`
    : String(Math.round(n)));
const ms = (n) => n.toFixed(2);
const whole = (n) => n.toFixed(0);
const us = (n) => n.toFixed(1);

const spread = (values, text) => `${text(median(values))} `
    + `(${text(Math.min(...values))}..${text(Math.max(...values))})`;

const table = (head, rows) => [
    `| ${head.join(' | ')} |`,
    `|${head.map((_, i) => (i ? '---:' : '---')).join('|')}|`,
    ...rows.map((row) => `| ${row.join(' | ')} |`),
].join('\n');

/* x to y in the figure that `value` takes from a round */
const ratio = (x, y, value) => {
    const medians = median(x.map(value)) / median(y.map(value));
    const rounds = median(x.map((figures, i) => value(figures) / value(y[i])));

    return { medians, rounds };
};

/* one line: what, the two ratios, what is to be reached */
const verdict = (what, { medians, rounds }, sign, target) => {
    const good = sign === '>=' ? medians >= target : medians <= target;

    return [what, `${medians.toFixed(2)}x`, `${rounds.toFixed(2)}x`,
            `${sign} ${target.toFixed(2)}x`, good ? 'yes' : 'no'];
};

const RATIOS = ['ratio', 'of medians', 'median of rounds', 'to reach',
                'reached'];

const TITLES = { bullmq: 'BullMQ Worker', sluiced: 'sluiced' };

const workerReport = ({ variants, all }) => {
    const rows = variants.map(({ name, kind, concurrency }) => [
        `${TITLES[kind]}, concurrency ${concurrency}`,
        spread(column(all[name], 'rate'), rate),
        whole(median(column(all[name], 'p50'))),
        whole(median(column(all[name], 'p99'))),
        spread(column(all[name], 'worker'), us),
        spread(column(all[name], 'redis'), us),
    ]);
    const best = (kind) => variants.filter((v) => v.kind === kind)
        .map((v) => all[v.name])
        .sort((a, b) => median(column(b, 'rate'))
                        - median(column(a, 'rate')))[0];
    const same = variants.filter((v) => v.kind === 'sluiced').map((v) => [
        `jobs/s at concurrency ${v.concurrency}`,
        ...((r) => [`${r.medians.toFixed(2)}x`, `${r.rounds.toFixed(2)}x`])(
            ratio(all[v.name], all[`bullmq-${v.concurrency}`],
                (f) => f.rate)),
        '', '',
    ]);

    return [
        table(['worker', 'jobs/s', 'p50 ms in hand', 'p99 ms in hand',
               'worker CPU µs a job', 'Redis CPU µs a job'], rows),
        '',
        table(RATIOS, [
            ...same,
            verdict('jobs/s, best of sluiced to best of BullMQ',
                ratio(best('sluiced'), best('bullmq'), (f) => f.rate),
                '>=', 1.8),
            verdict('worker CPU a job, the same two',
                ratio(best('sluiced'), best('bullmq'), (f) => f.worker),
                '<=', 1 / 6),
            verdict('Redis CPU a job, the same two',
                ratio(best('sluiced'), best('bullmq'), (f) => f.redis),
                '<=', 1),
        ]),
    ].join('\n');
};

const sendsReport = (all) => {
    const rows = [['sluiced',
        ...['rate', 'flight'].map((name) => spread(column(all, name), rate)),
        ...['cpu', 'redis', 'api'].map((name) =>
            spread(column(all, name), us)),
        ...['idle', 'peak'].map((name) => spread(column(all, name), us))]];
    const limit = (what, name, sign, target) => {
        const value = median(column(all, name));
        const good = sign === '>=' ? value >= target : value <= target;

        return [what, us(value), `${sign} ${target}`, good ? 'yes' : 'no'];
    };

    return [
        table(['sends', 'sends/s', 'in hand at most', 'worker CPU µs a send',
               'Redis CPU µs a send', 'stand-in CPU µs a send', 'RSS idle MB',
               'RSS at most MB'], rows),
        '',
        table(['figure', 'median', 'to reach', 'reached'], [
            limit('sends a second', 'rate', '>=', 5000),
            limit('messages in hand', 'flight', '>=', 5000),
            limit('RSS at most, MB', 'peak', '<=', 200),
            limit('RSS idle, MB', 'idle', '<=', 15),
        ]),
    ].join('\n');
};

module.exports = {
    workerReport, sendsReport, median, column, rate, ms, us, spread, table, ratio, verdict,
    RATIOS,
};
