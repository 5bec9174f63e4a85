#!/usr/bin/env node
'use strict';

/* sluicectl beside stock clients: add, schedulers, explain, tail, obliterate. */

const fs = require('fs');
const path = require('path');
const { spawnSync } = require('child_process');
const { run, ok, is, until, House, bullmq, start, dir, root }
    = require('./house');

const program = path.join(root, 'build', 'sluicectl');
let url = '';

function ctl(...args) {
    const got = spawnSync(program, ['-r', url, ...args],
        { encoding: 'utf8', cwd: dir, input: '' });
    return { code: got.status, out: got.stdout, err: got.stderr };
}

function json(...args) {
    const got = ctl('--json', ...args);
    if (!got.out) {
        throw new Error(`${args.join(' ')}: ${got.code} ${got.err}`);
    }
    return { code: got.code, ...JSON.parse(got.out) };
}

function wrong(name, code, what, ...args) {
    const got = ctl(...args);
    ok(got.code === code && got.err.includes(what), `${name}: ${
        got.err.trim()}`);
}

async function add(queue) {
    const added = json('add', 'bull:q', 'n', '--data', '{"a": 1}', '--delay',
        '1h', '--backoff', 'exponential:5s', '--attempts', '3', '--dedupe',
        'user-1', '--ttl', '1m', '--group', 'g');
    is([added.code, added.result], [0, 'added'], 'a job with all options');
    const job = await queue.getJob(added.id);
    is([job.data, job.opts.backoff, job.opts.attempts, job.deduplicationId,
        job.opts.groupKey], [{ a: 1 }, { type: 'exponential', delay: 5000 }, 3,
        'user-1', 'g'], 'as a stock client reads it');
    const again = json('add', 'bull:q', 'n', '--dedupe', 'user-1', '--ttl',
        '1m');
    is([again.code, again.id, again.added, again.result],
        [1, added.id, false, 'deduplicated'], 'deduplicated');
    is(ctl('add', 'bull:q', 'n', '--dedupe', 'user-1').out,
        `${added.id} is there instead\n`, 'and told so');
    wrong('a ttl without an id', 2, 'deduplication.id', 'add', 'bull:q', 'n',
        '--ttl', '1m');
    wrong('a wrong backoff', 2, '--backoff', 'add', 'bull:q', 'n', '--backoff',
        'soon');
    return added.id;
}

async function schedulers(queue) {
    wrong('nothing to do', 2, 'list, set or remove', 'schedulers');
    wrong('no time', 2, 'pattern: ', 'schedulers', 'set', 'bull:q', 's');
    wrong('a wrong pattern', 2, 'pattern, minute', 'schedulers', 'set',
        'bull:q', 's', '--pattern', '61 * * * *');
    wrong('a wrong id', 2, 'without a colon', 'schedulers', 'set', 'bull:q',
        'a:b', '--every', '5s');
    is(ctl('schedulers', 'list', 'bull:q').code, 1, 'none');
    const set = json('schedulers', 'set', 'bull:q', 'daily', '--pattern',
        '0 9 * * *', '--tz', 'Europe/Lisbon', '--times', '3', '--data',
        '{"x":1}', '--attempts', '4');
    const stock = await queue.getJobScheduler('daily');
    is([set.code, set.job, stock.pattern, stock.tz, stock.limit,
        stock.template.data, stock.template.opts.attempts, stock.name],
    [0, `repeat:daily:${stock.next}`, '0 9 * * *', 'Europe/Lisbon', 3,
        { x: 1 }, 4, 'daily'], 'a scheduler, as a stock client reads it');
    await queue.upsertJobScheduler('stock', { every: 3600000,
        startDate: Date.now() + 86400000 }, { name: 's' });
    const list = json('schedulers', 'list', 'bull:q');
    is([list.total, list.schedulers.map((row) => row.id).sort()],
        [2, ['daily', 'stock']], 'the list');
    ok(/daily {2}"0 9 \* \* \*" Europe\/Lisbon\n/.test(
        ctl('schedulers', 'list', 'bull:q').out), 'as text');
    is(json('schedulers', 'remove', 'bull:q', 'daily', 'nobody'),
        { code: 1, removed: 1 }, 'one removed, one not there');
    is(await queue.getJob(set.job), undefined, 'with its job');
    is(json('schedulers', 'remove', 'bull:q', '--all'), { code: 0, removed: 1 },
        'all removed');
    await queue.upsertJobScheduler('a\0b', { pattern: '0 0 1 1 *' });
    wrong('an id that cannot be named', 1, '0 removed', 'schedulers', 'remove',
        'bull:q', '--all');
    await queue.removeJobScheduler('a\0b');
}

const codes = (id) => json('explain', 'bull:q', id).why.map((why) => why.code);

async function explain(house, queue, delayed) {
    const { redis } = house;
    is(codes(delayed), ['delayed'], 'a delayed job');
    is(codes('user-1'), ['deduplicated'], 'a deduplication id');
    is([json('explain', 'bull:q', 'nobody').code, codes('nobody')],
        [1, ['unknown']], 'no job');
    const first = await queue.add('a', {});
    const second = await queue.add('b', {});
    const third = await queue.add('c', {}, { priority: 5 });
    is(codes(first.id), ['no-worker', 'next'], 'nobody takes it');
    is(codes(second.id), ['no-worker', 'behind'], 'behind another');
    ok(/behind +2 jobs are before it, by/.test(
        ctl('explain', 'bull:q', third.id).out), 'behind two, by priority');
    await queue.pause();
    is(codes(first.id), ['paused', 'no-worker', 'next'], 'paused');
    await queue.resume();

    let go;
    const gate = new Promise((done) => { go = done; });
    const worker = new bullmq.Worker('q', async (job) => {
        if (job.name === 'fail') {
            throw new Error('no route');
        }
        await gate;
    }, { connection: house.connection, prefix: 'bull', name: 'w1' });
    worker.on('error', () => {});
    await until(async () => await queue.getActiveCount() === 1, 'a job');
    const running = json('explain', 'bull:q', first.id);
    is([running.state, running.why.map((why) => why.code)],
        ['active', ['running']], 'one that runs');
    ok(running.why[0].text.startsWith('worker w1 has it, under the lease '),
        'and who has it');
    is(codes(second.id), ['next'], 'the next one');
    await queue.setGlobalConcurrency(1);
    is(codes(second.id), ['concurrency', 'next'], 'the concurrency is reached');
    await queue.removeGlobalConcurrency();
    await queue.setGlobalRateLimit(1, 600000);
    await redis.set('bull:q:limiter', 1, 'PX', 600000);
    is(codes(second.id), ['limited', 'next'], 'the rate is used up');
    await queue.removeGlobalRateLimit();
    await queue.rateLimit(600000);
    is(codes(second.id), ['limited', 'next'], 'a rate limit by hand');
    await redis.del('bull:q:limiter');
    await redis.del(`bull:q:${first.id}:lock`);
    is(codes(first.id), ['stalled'], 'one whose lease is over');
    go();
    await until(async () => await queue.getCompletedCount() >= 2, 'an end');
    is(codes(second.id), ['completed'], 'one that is done');
    const fail = await queue.add('fail', {});
    await until(async () => await fail.isFailed(), 'a failure');
    ok(json('explain', 'bull:q', fail.id).why[0].text
        .includes('after 1 attempts: no route'), 'one that failed');
    const retry = await queue.add('fail', {}, { attempts: 2, backoff: 600000 });
    await until(async () => await retry.isDelayed(), 'a retry');
    is(codes(retry.id), ['retry', 'error'], 'one that is tried again');
    await worker.close();

    const flow = new bullmq.FlowProducer({ connection: house.connection,
        prefix: 'bull' });
    const tree = await flow.add({ name: 'p', queueName: 'q',
        children: [{ name: 'k', queueName: 'q' }] });
    await flow.close();
    const kids = json('explain', 'bull:q', tree.job.id);
    is([kids.state, kids.why[0].code], ['waiting-children', 'children'],
        'a parent');
    ok(kids.why[0].text.includes(`bull:q:${tree.children[0].job.id}`),
        'and its child');
    await redis.lrem('bull:q:wait', 1, tree.children[0].job.id);
    is(codes(tree.children[0].job.id), ['lost'], 'a job in no list');
    await redis.lpush('bull:q:wait', tree.children[0].job.id);
}

function lines(child) {
    return child.out.split('\n').slice(0, -1).filter((line) => line.startsWith('{'))
        .map((line) => JSON.parse(line));
}

async function tail(house, queue) {
    wrong('no queue', 2, 'takes queues, or --all', 'tail');
    wrong('an unknown queue', 1, 'there is no queue', 'tail', 'bull:x');
    await house.redis.sadd('sluice:queues', 'bull:q');
    const child = start(program, ['-r', url, '--json', 'tail', 'bull:q']);
    const text = start(program, ['-r', url, 'tail', '--all']);
    /* it tells what comes from its first look on */
    await until(async () => {
        await queue.add('told', {});
        return lines(child).some((line) => line.event === 'added')
            && text.out.includes('added');
    }, 'an event');
    ok(/^[-0-9: .]{23} {2}bull:q added jobId=\d+ name=told$/m.test(text.out),
        `as text: ${text.out.split('\n')[0]}`);
    const [one] = lines(child);
    is([one.queue, typeof one.at, /^\d+-\d+$/.test(one.id)],
        ['bull:q', 'number', true], 'as JSON');

    await house.redis.bgrewriteaof();
    await house.stopRedis('SIGTERM');
    await until(() => child.out.includes('sluicectl: '), 'Redis is away');
    await house.startRedis();
    await queue.add('after', {});
    await until(() => lines(child).some((line) => line.name === 'after'),
        'the events after Redis was away');
    const ids = lines(child).map((line) => line.id);
    is(new Set(ids).size, ids.length, 'it goes on, and nothing comes twice');
    child.kill('SIGTERM');
    text.kill('SIGINT');
    is([await child.ended, await text.ended], [0, 0], 'a signal ends it');
}

async function obliterate(house, queue) {
    wrong('not without --yes', 2, '--yes', 'obliterate', 'bull:q');
    wrong('not when it runs', 1, 'is not paused', 'obliterate', 'bull:q',
        '--yes');
    await queue.pause();
    wrong('not while a job is active', 1, 'has active jobs', 'obliterate',
        'bull:q', '--yes');
    is(json('obliterate', 'bull:q', '--yes', '--force'), { code: 0, obliterated: true },
        'obliterated');
    is((await house.redis.keys('bull:q:*')), [], 'no key is left');
}

/* each command: --help, a page of its own in docs and in the manual */
function documented() {
    const help = ctl('--help').out;
    const names = [...new Set([...help.matchAll(/^ {2}([a-z]+) /gm)]
        .map((match) => match[1]))];
    const docs = fs.readFileSync(path.join(root, 'docs', 'sluicectl.md'),
        'utf8');
    const man = fs.readFileSync(path.join(root, 'docs', 'man', 'sluicectl.1'),
        'utf8');
    ok(names.length > 15, `${names.length} commands`);
    for (const name of names) {
        const got = ctl(name, '--help');
        const options = [...new Set(got.out.match(/--[a-z][a-z-]+/g) || [])]
            .filter((option) => option !== '--json');
        ok(got.code === 0 && /sluicectl /.test(got.out),
            `${name} --help`);
        ok(new RegExp(`^## .*\\b${name}\\b`, 'm').test(docs),
            `${name} in docs/sluicectl.md`);
        ok(new RegExp(`^\\.It Cm ${name}\\b`, 'm').test(man),
            `${name} in sluicectl.1`);
        is(options.filter((option) => !docs.includes(option)), [],
            `${name}: its options in docs/sluicectl.md`);
    }
    const codes = fs.readFileSync(path.join(root, 'worker', 'explain.c'),
        'utf8').matchAll(/\? "([a-z-]+)"\s*:\s*"([a-z-]+)",|answer, "([a-z-]+)"/g);
    const missing = [...codes].flatMap((match) => match.slice(1))
        .filter((code) => code && !docs.includes(`\`${code}\``));
    is(missing, [], 'what explain says is in docs/sluicectl.md');
}

run(async () => {
    const house = new House('ops');
    await house.startRedis();
    url = `unix:${house.socket}`;
    const queue = house.queue('q');
    await queue.waitUntilReady();
    await until(() => house.redis.exists('bull:q:meta'), 'the queue');
    const delayed = await add(queue);
    await schedulers(queue);
    await explain(house, queue, delayed);
    await tail(house, queue);
    await obliterate(house, queue);
    documented();
});
