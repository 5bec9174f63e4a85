/*
 * The groups of bench/edge.js -> Markdown, beside what design.md wants.
 */

'use strict';

const {
    median, column, rate, ms, us, spread, table, ratio, verdict, RATIOS,
} = require('./report');

const figures = ({ variants, all }) => table(
    ['edge', 'requests/s', 'p50 ms', 'p99 ms', 'server CPU µs',
     'Redis CPU µs', 'wrk CPU µs'],
    variants.map(({ name, title }) => {
        const rounds = all[name];

        return [
            title,
            spread(column(rounds, 'rate'), rate),
            ms(median(column(rounds, 'p50'))),
            ms(median(column(rounds, 'p99'))),
            spread(column(rounds, 'server'), us),
            us(median(column(rounds, 'redis'))),
            us(median(column(rounds, 'wrk'))),
        ];
    }));

const speed = (f) => f.rate;
const server = (f) => f.server;
const both = (f) => f.server + f.redis;

const peers = ({ all }) => [
    verdict('requests/s, Sluice to Express + BullMQ',
        ratio(all.sluice, all.express, speed), '>=', 8),
    verdict('requests/s, Sluice to Fastify + BullMQ',
        ratio(all.sluice, all.fastify, speed), '>=', 3),
    verdict('requests/s, Sluice to NGINX Lua',
        ratio(all.sluice, all.lua, speed), '>=', 1.6),
    verdict('server + Redis CPU, Sluice to Fastify + BullMQ',
        ratio(all.sluice, all.fastify, both), '<=', 0.25),
    verdict('server + Redis CPU, Sluice to NGINX Lua',
        ratio(all.sluice, all.lua, both), '<=', 0.5),
    verdict('NGINX CPU, Sluice to `return 200`',
        ratio(all.sluice, all.return, server), '<=', 1.6),
    verdict('NGINX CPU, all that a location may have to `return 200`',
        ratio(all.full, all.return, server), '<=', 1.6),
];

const refused = ({ all }) => [
    verdict('requests/s, a bad signature to `return 200`',
        ratio(all.forged, all.return, speed), '>=', 0.85),
    verdict('requests/s, over the rate to `return 200`',
        ratio(all.limited, all.return, speed), '>=', 0.85),
];

/* each to what one connection to Redis reaches, without AOF or with a slow disk */
const durable = ({ all }) => [
    ...['', '-more'].flatMap((suffix) => [64, 256, 1024].map((n) =>
        verdict(`requests/s, AOF always to none, ${n} connections${
            suffix && ', 4 to Redis'}`,
        ratio(all[`always-${n}${suffix}`], all[`no-${n}`], speed), '>=', 0.75))),
    ...[[64, 1.1], [256, 1.5], [1024, 1.5]].map(([n, least]) =>
        verdict(`requests/s, slow disk, ${n} connections, 4 to Redis to 1`,
            ratio(all[`slow-${n}-more`], all[`slow-${n}`], speed), '>=', least)),
];

const spool = ({ all }) => [64, 256].map((n) =>
    verdict(`requests/s, spooled to enqueued, ${n} connections`,
        ratio(all[`spooled-${n}`], all[`enqueued-${n}`], speed), '>=', 0.5));

/* what is added, in ms: a difference, of medians and of the rounds */
const added = ({ all }, percentile, most, name = 'sluice', to = 'return',
    what = '`return 200`') =>
{
    const value = (f) => f[percentile];
    const of = (variant) => all[variant].map(value);
    const medians = median(of(name)) - median(of(to));
    const rounds = median(of(name).map((x, i) => x - of(to)[i]));

    return [`${percentile} over ${what}`, `${ms(medians)} ms`,
            `${ms(rounds)} ms`, most ? `<= ${ms(most)} ms` : '',
            most ? (medians <= most ? 'yes' : 'no') : ''];
};

const latency = (group) => [added(group, 'p50'), added(group, 'p99', 2)];

const replay = (group) => ['half', 'full'].flatMap((name) => [
    ...['p50', 'p99'].map((percentile) => added(group, percentile, 0,
        `${name}-replay`, name, `no replay, ${name} load`)),
    ...[['replayed', 'beside it'], ['alone', 'after it']].map(([f, when]) =>
        [`replayed/s, ${name} load, ${when}`,
         rate(median(column(group.all[`${name}-replay`], f))), '', '', '']),
]);

const HEADS = {
    peers: 'The same webhook to each',
    refused: 'Refused: nothing of it reaches Redis',
    durable: 'Redis with AOF',
    processes: 'Two worker processes',
    spool: 'Redis away: events on the disk, each answered after its fdatasync',
    latency: 'At half of that rate: 256 connections that rest between requests',
    replay: 'Live requests beside the replay of spooled events',
};

const RATIOS_OF = { peers, refused, durable, spool, latency, replay };

/* -> paragraphs */
const edgeReport = (results, { seconds }) => [
    `wrk: 1 thread, 64 connections unless said, ${seconds} s a round; `
    + '560-byte webhook of Meta; one NGINX worker process, one Node process; '
    + 'no access log. A 200 means that Redis has the job (counted after each '
    + 'round).',
    ...Object.entries(results).flatMap(([name, group]) => [
        `### ${HEADS[name]}`, figures(group),
        ...(RATIOS_OF[name] ? [table(RATIOS, RATIOS_OF[name](group))] : []),
    ]),
];

module.exports = { edgeReport };
