/*
 * make bench: Sluice beside its peers, in one run.
 *
 *   BENCH_ROUNDS    rounds of each variant, interleaved (5)
 *   BENCH_SECONDS   length of a round at the edge (4)
 *   BENCH_JOBS      backlog of a round of the worker (50000)
 *   BENCH_AOF       no, everysec, always (no)
 *   BENCH_SENDS     messages of a round of the worker (30000)
 *   BENCH_ONLY      edge, worker, tenants or sends (all)
 *   BENCH_QUEUES    registered queues without work (10000)
 *   BENCH_TENANTS   tenants with work (1000)
 *   BENCH_BACKLOG   jobs of the first of them (1000000)
 *   BENCH_SAMPLES   first jobs of each producer, and jobs of class high (300)
 *   BENCH_GROUPS    of the edge: peers,refused,... (all, see edge.js)
 *   BENCH_REPORT    where the report goes (build/bench/report.md)
 */

'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const os = require('node:os');
const path = require('node:path');
const { ROOT, freshDir, npm, run, version } = require('./house');
const { edge, GROUPS } = require('./edge');
const { worker } = require('./worker');
const { edgeReport } = require('./edge_report');
const { sends } = require('./sends');
const { sendsReport, workerReport } = require('./report');
const { tenants, tenantsReport } = require('./tenants');

const number = (name, otherwise) => {
    const text = process.env[name] || String(otherwise);

    if (!/^[1-9][0-9]{0,6}$/.test(text)) {
        throw new Error(`${name} must be a whole number from 1: "${text}"`);
    }

    return Number(text);
};

const oneOf = (name, allowed) => {
    const text = process.env[name] || allowed[0];

    if (!allowed.includes(text)) {
        throw new Error(`${name} must be one of ${allowed.join(', ')}`);
    }

    return text;
};

const commit = () => {
    try {
        return execFileSync('git', ['describe', '--always', '--dirty'],
            { cwd: ROOT, encoding: 'utf8', stdio: 'pipe' }).trim();

    } catch {
        return 'no git checkout';
    }
};

const head = (options) => {
    const cpus = os.cpus();
    const packages = ['express', 'fastify', 'bullmq6', 'ioredis']
        .map((name) => `${name} ${npm(`${name}/package.json`).version}`);

    return [
        '# Sluice beside its peers',
        '',
        `${cpus.length} x ${cpus[0].model}, ${os.type()} ${os.release()}, `
        + `${new Date().toISOString().slice(0, 10)}, ${commit()}`,
        '',
        `${version('nginx', ['-v'])}; ${version('redis-server', ['-v'])
            .replace(/ sha=.*/, '')}; node ${process.version}; `
        + `${packages.join(', ')}; ${version('wrk', ['-v'])
            .replace(/ Copyright.*/, '')}`,
        '',
        `${options.rounds} interleaved rounds; medians, min..max in `
        + `brackets; CPU is user + system. One Redis on a unix socket, AOF: `
        + `${options.aof}.`,
    ].join('\n');
};

const main = async () => {
    const only = oneOf('BENCH_ONLY', ['all', 'edge', 'worker', 'tenants',
        'sends']);
    const groups = (process.env.BENCH_GROUPS || GROUPS.join()).split(',');
    const options = {
        rounds: number('BENCH_ROUNDS', 5),
        seconds: number('BENCH_SECONDS', 4),
        jobs: number('BENCH_JOBS', 50000),
        queues: number('BENCH_QUEUES', 10000),
        tenants: number('BENCH_TENANTS', 1000),
        backlog: number('BENCH_BACKLOG', 1000000),
        samples: number('BENCH_SAMPLES', 300),
        messages: number('BENCH_SENDS', 30000),
        aof: oneOf('BENCH_AOF', ['no', 'everysec', 'always']),
        tick: 1e6 / Number(execFileSync('getconf', ['CLK_TCK'])),
        say: (line) => process.stderr.write(`${line}\n`),
    };
    for (const name of groups) {
        if (!GROUPS.includes(name)) {
            throw new Error(`BENCH_GROUPS are some of ${GROUPS}: "${name}"`);
        }
    }

    const file = path.resolve(ROOT,
        process.env.BENCH_REPORT || 'build/bench/report.md');
    const parts = [head(options)];

    if (only === 'all' || only === 'edge') {
        parts.push(...edgeReport(await edge(freshDir('bench/edge'), groups,
            options), options));
    }

    if (only === 'all' || only === 'worker') {
        parts.push(`${options.jobs} jobs (a fifth at concurrency 1) of the `
                   + 'same webhook, added beforehand by a stock Queue; all '
                   + 'completed jobs are kept (removeOnComplete unset) on '
                   + 'both sides; jobs/s from the first finish to the last.',
            workerReport(await worker(freshDir('bench/worker'), options)));
    }

    if (only === 'all' || only === 'tenants') {
        parts.push(tenantsReport(await tenants(freshDir('bench/tenants'),
            options), options));
    }

    if (only === 'all' || only === 'sends') {
        parts.push(`${options.messages} messages to a stand-in for the Graph `
                   + 'API that answers each after a second, on the same '
                   + 'machine; RSS in MB.',
            sendsReport(await sends(freshDir('bench/sends'),
                { ...options, jobs: options.messages })));
    }

    const text = `${parts.join('\n\n')}\n`;

    fs.mkdirSync(path.dirname(file), { recursive: true });
    fs.writeFileSync(file, text);
    process.stdout.write(`\n${text}`);
};

run(main);
