'use strict';

/*
 * BullMQ 6's own public tests, on the package that is installed, against the
 * scripts of lua/.
 *
 *   BULLMQ_TESTS=DIR node run.js [file ...]
 *
 * DIR is a checkout of github.com/taskforcesh/bullmq, or its git directory; the
 * tests are copied to build/bullmq-tests and changed in nothing.  Prints TAP: a
 * line a file and one for each test that fails and is not in known.json, which
 * says of a test why it must.  A test that fails is run again with its file: on a
 * busy machine some of them are too late.  The table of README.md is written to
 * build/bullmq-tests/table.md.  BULLMQ_BACKEND=stock runs stock's own scripts.
 */

const { execFileSync, spawn } = require('child_process');
const fs = require('fs');
const net = require('net');
const path = require('path');
const { start, root, modules } = require('../../lua/server');
const tap = require('../../lua/tap');

const known = require('./known.json');
const stock = process.env.BULLMQ_BACKEND === 'stock';
const place = path.join(root, 'build', 'bullmq-tests');

/* those of the queue; the others are of the drivers, or of other databases */
const files = ['bulk', 'clean', 'clean.redis', 'concurrency', 'deduplication',
    'delay', 'delay.redis', 'events', 'events.redis', 'flow', 'flow.redis',
    'getters', 'getters.redis', 'job', 'job.redis', 'job_cancellation',
    'job_cancellation_advanced', 'job_scheduler', 'job_scheduler.redis',
    'job_scheduler_stress', 'lock_manager', 'metrics', 'obliterate',
    'obliterate.redis', 'pause', 'queue', 'queue.redis', 'rate_limiter',
    'stalled_jobs', 'telemetry_interface', 'worker', 'worker.redis'];

/* the tests, and what they import from ../src and by name */
function prepare(from) {
    fs.rmSync(place, { recursive: true, force: true });
    fs.mkdirSync(place, { recursive: true });
    if (fs.existsSync(path.join(from, 'tests'))) {
        fs.cpSync(path.join(from, 'tests'), path.join(place, 'tests'),
            { recursive: true });
    } else {
        execFileSync('sh', ['-c', 'git --git-dir="$1" archive HEAD tests '
            + '| tar x -C "$2"', 'sh', from, place]);
    }
    const dist = path.join(modules, 'bullmq6', 'dist');
    fs.symlinkSync(path.join(dist, 'esm'), path.join(place, 'src'));
    fs.symlinkSync(dist, path.join(place, 'dist'));
    fs.symlinkSync(path.join(__dirname, 'node_modules'),
        path.join(place, 'node_modules'));
}

function freePort() {
    return new Promise((done) => {
        const server = net.createServer().listen(0, '127.0.0.1', () => {
            const { port } = server.address();
            server.close(() => done(port));
        });
    });
}

/* { name: status } of one file */
function vitest(file, port) {
    const out = path.join(place, `${file}.json`);
    fs.rmSync(out, { force: true });
    const child = spawn(path.join(__dirname, 'node_modules', '.bin', 'vitest'),
        ['run', '--config', path.join(__dirname, 'vitest.config.mjs'),
            '--reporter=json', `--outputFile=${out}`, `tests/${file}.test.ts`],
        { stdio: ['ignore', 'ignore', 'ignore'], env: { ...process.env,
            BULLMQ_TESTS_ROOT: place, REDIS_HOST: '127.0.0.1',
            REDIS_PORT: String(port) } });
    return new Promise((done) => {
        child.on('exit', () => {
            const report = fs.existsSync(out)
                ? JSON.parse(fs.readFileSync(out, 'utf8')) : { testResults: [] };
            const tests = {};
            for (const a of report.testResults.flatMap((r) =>
                r.assertionResults))
            {
                /* two may have one name */
                const name = a.fullName + (tests[a.fullName] ? ' (2)' : '');
                tests[name] = { status: a.status,
                    message: (a.failureMessages || []).join('\n') };
            }
            done(tests);
        });
    });
}

const failed = (tests) => Object.keys(tests)
    .filter((name) => tests[name].status === 'failed');

async function run(file, port) {
    const expected = stock ? {} : known[file] || {};
    const tests = await vitest(file, port);
    let bad = failed(tests).filter((name) => !expected[name]);
    if (bad.length > 0) {
        const again = await vitest(file, port);
        for (const name of bad) {
            if (again[name] && again[name].status === 'passed') {
                tests[name] = again[name];
            }
        }
        bad = failed(tests).filter((name) => !expected[name]);
    }
    const ran = Object.values(tests).filter((t) => t.status === 'passed'
        || t.status === 'failed').length;
    const fails = failed(tests).length;
    tap.ok(ran > 0 && bad.length === 0, `${file}: ${ran} tests, ${ran - fails} `
        + `passed, ${fails - bad.length} differ as we know`,
        bad.map((name) => `${name}\n  ${tests[name].message}`).join('\n'));
    for (const name of Object.keys(expected)) {
        if (!tests[name] || tests[name].status !== 'failed') {
            console.log(`# known.json: ${file}: ${name}: is not so`);
        }
    }
    return `| ${file} | ${ran} | ${ran - fails} | ${fails} |`;
}

tap.run(async () => {
    const from = process.env.BULLMQ_TESTS;
    if (!from) {
        throw new Error('BULLMQ_TESTS must be a checkout of BullMQ');
    }
    prepare(path.resolve(from));
    const port = await freePort();
    const server = await start('bullmq-tests', ['--port', String(port)]);
    const rows = [];
    try {
        for (const file of process.argv.length > 2 ? process.argv.slice(2)
            : files)
        {
            rows.push(await run(file, port));
        }
    } finally {
        await server.stop();
        fs.writeFileSync(path.join(place, 'table.md'),
            ['| file | tests | passed | failed |', '| --- | --- | --- | --- |',
                ...rows, ''].join('\n'));
    }
});
