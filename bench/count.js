/*
 * make count: instructions (callgrind) that a request, a job and the pieces of
 * core cost, against the committed numbers in count.expected.
 *
 *   node bench/count.js             compare; fails beyond the tolerance
 *   node bench/count.js --update    write count.expected
 *
 * COUNT_ONLY=pieces, edge or worker (or several) counts and compares a part.
 *
 * The numbers hold for one toolchain, which is the first line of the file;
 * with another they are shown and not judged.
 */

'use strict';

const fs = require('node:fs');
const http = require('node:http');
const path = require('node:path');
const { callgrind, dump, total, zero } = require('./callgrind');
const {
    ROOT, connects, freePort, freshDir, npm, nginxConf, run, start, startNginx,
    startRedis, stop, stopAll, until, version,
} = require('./house');
const webhook = require('./webhook');

const EXPECTED = path.join(__dirname, 'count.expected');
const TOLERANCE = 0.03;
const TOGETHER = 0.05;    /* where a busy machine has more come together */
const TIMES = 1000;
const WARM = 200;
const JOBS = 5000;
const SENDS = 2000;

Object.assign(process.env, {
    WEBHOOK_BODY: webhook.body,
    WEBHOOK_SIGNATURE: webhook.signature,
});

const PIECES = ['json', 'hmac', 'gcra', 'envelope', 'redis'];

const BODY = 'sluice_json $account /entry/0/id required;';
const VERIFY = `sluice_verify meta secret=${webhook.SECRET};`;
const LIMIT = 'sluice_limit zone=tenants rate=100000r/s burst=1000000;';
const ANSWER = 'sluice_respond 200 "";';

/*
 * Each step is the one before it with one more directive, in the order in which
 * a request takes them.  A body is read for what wants it: `core json` is the
 * part of the scan.
 */
const STEPS = [
    ['return', 'return 200;'],
    ['answer', ANSWER],
    ['body, json', BODY + ANSWER],
    ['verify', BODY + VERIFY + ANSWER],
    ['limit', BODY + VERIFY + LIMIT + ANSWER],
    ['enqueue, reply', `${BODY + VERIFY + LIMIT + ANSWER}
        sluice_enqueue webhooks tenant=acme envelope=raw;`],
    ['envelope', `${BODY + VERIFY + LIMIT + ANSWER}
        sluice_enqueue webhooks tenant=acme;`],
    ['all options', `${BODY + VERIFY + LIMIT}
        sluice_limit zone=addresses rate=100000r/s burst=1000000 early;
        sluice_json $number
            /entry/0/changes/0/value/metadata/phone_number_id;
        sluice_enqueue webhooks tenant=acme name=$number attempts=5
            headers=content-length;
        sluice_respond 200 application/json '{"id":"$sluice_job_id"}';`],
];

/* whole requests that are refused: location, status, signature */
const REFUSED = [
    ['a bad signature', BODY + VERIFY + ANSWER, 401, `sha256=${'0'.repeat(64)}`],
    ['over the rate', `${BODY + VERIFY}
        sluice_limit zone=addresses rate=1r/h; ${ANSWER}`, 429,
     webhook.signature],
];

const countPieces = async (dir, found) => {
    const binary = path.join(ROOT, 'build', 'bench-count');
    const instructions = async (piece, times) => {
        const file = path.join(dir, `${piece}.${times}`);
        const [valgrind, ...args] = callgrind(file);
        const child = start(dir, `count-${piece}`, valgrind,
            [...args, binary, piece, String(times)]);

        await child.gone;

        if (child.exitCode !== 0) {
            throw new Error(fs.readFileSync(child.log, 'utf8'));
        }

        return total(file);
    };

    for (const piece of PIECES) {
        const more = await instructions(piece, WARM + TIMES);

        found[`core ${piece}`] =
            (more - await instructions(piece, WARM)) / TIMES;
    }
};

/* one connection, one request at a time, each answered by the same status */
const client = (port) => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
    const post = (url, status, signature) => new Promise((resolve, reject) => {
        const request = http.request({
            agent, port, host: '127.0.0.1', method: 'POST', path: url,
            headers: {
                'Content-Type': 'application/json',
                'Content-Length': webhook.body.length,
                'X-Hub-Signature-256': signature,
            },
        }, (response) => {
            response.resume();
            response.on('end', () => (response.statusCode === status ? resolve()
                : reject(new Error(`${url}: ${response.statusCode}`))));
        });

        request.on('error', reject);
        request.end(webhook.body);
    });

    return {
        posts: async (url, n, status = 200,
            signature = webhook.signature) =>
        {
            for (let i = 0; i < n; i++) {
                await post(url, status, signature);
            }
        },
        close: () => agent.destroy(),
    };
};

/* `redis` is counted, too, in a run of its own: it is slow under callgrind */
const countEdge = async (dir, found, watched) => {
    const profile = path.join(dir, 'profile');
    const redis = await startRedis(dir, 'no',
        [...(watched === 'redis' ? callgrind(profile) : []), 'redis-server'],
        ['--hz', '1', '--dynamic-hz', 'no']);
    const port = await freePort();
    const locations = [...STEPS, ...REFUSED].map(([, text], i) =>
        `location = /${i} {\n${text}\n}\n`);
    const nginx = await startNginx(dir, nginxConf(dir, port, `
        sluice_redis unix:${redis.socket} timeout=60s;
        sluice_limit_zone $server_name zone=tenants:1m;
        sluice_limit_zone $remote_addr zone=addresses:1m;
        server {
            listen 127.0.0.1:${port};
            server_name count;
            ${locations.join('')}
        }`, 'worker_processes 1; master_process off;'), port,
    {
        command: [...(watched === 'nginx' ? callgrind(profile) : []), 'nginx'],
        single: true,
    });
    const { posts, close } = client(port);
    const pid = watched === 'nginx' ? nginx.pid : redis.pid;
    const per = async (step, ...expected) => {
        const url = `/${[...STEPS, ...REFUSED].findIndex(([name]) =>
            name === step)}`;

        await posts(url, WARM, ...expected);
        zero(pid);
        await posts(url, TIMES, ...expected);

        return dump(pid, profile) / TIMES;
    };

    if (watched === 'redis') {
        found['redis add, one job a call'] = await per('envelope');

    } else {
        let before = 0;

        for (const [step] of STEPS) {
            const all = await per(step);

            found[`edge ${before ? `+ ${step}` : step}`] = all - before;
            before = all;
        }

        found['edge all'] = before;
        /* the one that the rate allows */
        await posts(`/${STEPS.length + 1}`, 1);

        for (const [step, , ...expected] of REFUSED) {
            found[`edge refused, ${step}`] = await per(step, ...expected);
        }
    }

    close();
    await stop(nginx.child);
    await stopAll();
};

/* sluiced or Redis over a backlog of jobs: instructions a job */
const countQueue = async (dir, watched, { jobs, job, top = '', queue: more }) => {
    const profile = path.join(dir, 'profile');
    const redis = await startRedis(dir, 'no',
        [...(watched === 'redis' ? callgrind(profile) : []), 'redis-server'],
        ['--hz', '1', '--dynamic-hz', 'no']);
    const { Queue } = npm('bullmq6');
    const queue = new Queue('counted', { connection: { path: redis.socket } });
    const conf = path.join(dir, 'sluiced.conf');

    queue.on('error', () => {});
    await queue.waitUntilReady();
    await queue.pause();

    for (let i = 0; i < jobs; i += 1000) {
        await queue.addBulk(Array.from({ length: Math.min(jobs - i, 1000) },
            (_, k) => job(i + k)));
    }

    fs.writeFileSync(conf, `
redis = "unix:${redis.socket}"
redis_timeout = 60s
${top}
queue "counted" {
    prefix = "bull"
    ${more}
    concurrency = 50
    lock = 10m
    keep_completed = -1
    keep_completed_age = 0s
}
`);

    const [file, ...args] = [
        ...(watched === 'sluiced' ? callgrind(profile) : []),
        path.join(ROOT, 'build', 'sluiced'), '-c', conf,
    ];
    const sluiced = start(dir, 'sluiced', file, args);

    await until('sluiced', async () => (await redis.client.client('LIST'))
        .includes('name=sluiced'), sluiced, 60000);

    const pid = watched === 'sluiced' ? sluiced.pid : redis.pid;

    zero(pid);
    await queue.resume();
    /* few looks: each costs Redis instructions, too */
    await until(`${jobs} jobs`, async () => {
        await new Promise((resolve) => setTimeout(resolve, 500));

        return await redis.client.zcard('bull:counted:completed') === jobs;
    }, sluiced, 300000);

    const instructions = dump(pid, profile) / jobs;

    await queue.close();
    await stop(sluiced);
    await stopAll();

    return instructions;
};

/* jobs that need nothing */
const countWorker = (dir, watched) => countQueue(dir, watched, {
    jobs: JOBS,
    job: () => ({ name: 'meta', data: webhook.json }),
    queue: 'kind = noop',
});

/* messages, answered at once by a stand-in for the Graph API */
const countSends = async (dir) => {
    const port = await freePort();
    const api = start(dir, 'graph-api', path.join(ROOT, 'build', 'graph-api'),
        ['--listen', `127.0.0.1:${port}`, '--no-status']);

    await until('graph-api', () => connects({ host: '127.0.0.1', port }), api);

    return countQueue(dir, 'sluiced', {
        jobs: SENDS,
        job: (i) => ({ name: 'message', data: {
            messaging_product: 'whatsapp', phone_number_id: '1',
            to: String(15550000000 + i), type: 'text',
            text: { body: 'hello' },
        } }),
        top: `
log { level = warn }
channel "w" { base_url = "http://127.0.0.1:${port}" token = "T" timeout = 1m }
number "1" { rate = 100000 }`,
        queue: 'channel = "w"',
    });
};

const toolchain = () => [
    version('cc', ['--version']), version('nginx', ['-v']),
    version('redis-server', ['-v']).replace(/ sha=.*/, ''),
    version('openssl', ['version']).replace(/ *\(.*/, ''),
    version('valgrind', ['--version']), process.arch,
].join('; ');

const readExpected = () => {
    if (!fs.existsSync(EXPECTED)) {
        throw new Error(`${EXPECTED} is missing: `
                        + '`node bench/count.js --update` writes it');
    }

    const [first, ...lines] = fs.readFileSync(EXPECTED, 'utf8').trim()
        .split('\n');
    const numbers = lines.map((line) => /^(.*\S)\s+(-?\d+)$/.exec(line));

    return {
        toolchain: first.replace(/^# /, ''),
        numbers: Object.fromEntries(numbers.map((m) => [m[1], Number(m[2])])),
    };
};

const line = (name, ...cells) => name.padEnd(34)
    + cells.map((cell) => String(cell).padStart(12)).join('');

const update = (found) => {
    if (process.env.COUNT_ONLY) {
        throw new Error('--update takes all numbers, not COUNT_ONLY');
    }

    fs.writeFileSync(EXPECTED, [
        `# ${toolchain()}`,
        ...Object.entries(found).map(([name, n]) => line(name, Math.round(n))),
    ].join('\n') + '\n');
    process.stdout.write(fs.readFileSync(EXPECTED, 'utf8'));
};

const compare = (found) => {
    const expected = readExpected();
    const judged = expected.toolchain === toolchain();
    const names = new Set([
        ...(process.env.COUNT_ONLY ? [] : Object.keys(expected.numbers)),
        ...Object.keys(found),
    ]);
    let bad = 0;

    process.stdout.write(`${line('instructions', 'expected', 'found',
        'difference')}\n`);

    for (const name of names) {
        const was = expected.numbers[name];
        const is = found[name];
        const off = is / was - 1;
        /* a step is the difference of two requests, as noisy as they are */
        const base = name.startsWith('edge +')
            ? Math.max(was, expected.numbers['edge all'] / 2) : was;
        const share = /^(sluiced|redis)/.test(name) ? TOGETHER : TOLERANCE;
        const wrong = !(Math.abs(is - was) <= share * base);

        bad += wrong;
        process.stdout.write(`${line(name, was ?? '-',
            is === undefined ? '-' : Math.round(is),
            Number.isNaN(off) ? '-' : `${(off * 100).toFixed(1)} %`)}`
            + `${wrong ? '  <' : ''}\n`);
    }

    if (!judged) {
        process.stdout.write('not judged: counted with another toolchain\n'
            + `  expected: ${expected.toolchain}\n  here: ${toolchain()}\n`);

        return 0;
    }

    if (bad) {
        process.stdout.write(`${bad} beyond ${TOLERANCE * 100} %, or ${
            TOGETHER * 100} % of sluiced and Redis: make it `
            + 'right, or commit `node bench/count.js --update` with the '
            + 'reason\n');
    }

    return bad ? 1 : 0;
};

const main = async () => {
    const found = {};
    const part = process.env.COUNT_ONLY || 'pieces,edge,worker';

    if (part.includes('pieces')) {
        await countPieces(freshDir('count/pieces'), found);
    }

    for (const watched of part.includes('edge') ? ['nginx', 'redis'] : []) {
        await countEdge(freshDir('count/edge'), found, watched);
    }

    if (part.includes('worker')) {
        const dir = () => freshDir('count/worker');

        found['sluiced, no-op job'] = await countWorker(dir(), 'sluiced');
        found['sluiced, message sent'] = await countSends(dir());
        found['redis take and finish, batches'] =
            await countWorker(dir(), 'redis');
    }

    if (process.argv.includes('--update')) {
        update(found);
        return 0;
    }

    return compare(found);
};

run(main);
