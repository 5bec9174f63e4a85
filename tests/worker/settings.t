#!/usr/bin/env node
'use strict';

/* sluiced -t: every error of a settings file, with its line, all at once. */

const fs = require('fs');
const path = require('path');
const { run, ok, is, once, dir } = require('./house');

const REDIS = 'redis = "unix:r.sock"\n';
const QUEUE = 'queue "q" { kind = noop }\n';
const CHANNEL = 'channel "c" { }\n';

const write = (text, name = 'a.conf') => {
    fs.writeFileSync(path.join(dir, name), text);
    return name;
};

/* text, the lines expected on standard error; none: the file is good */
const cases = [
    ['the least', REDIS + QUEUE, []],
    ['an unknown key', `${REDIS}pase = 1\n${QUEUE}`,
        ["a.conf:2: no such option 'pase'"]],
    ['an unknown key in a section', `${REDIS}queue "q" {\n kindd = noop }\n`,
        ["a.conf:3: no such option 'kindd'"]],
    ['no redis, no queue', '# nothing\n',
        ['a.conf:1: redis is missing',
            'a.conf:1: no queue section: there is nothing to work on']],
    ['a URL of another kind', `redis = "http://x"\n${QUEUE}`, [/^a.conf:1: redis /]],
    ['a REST API on a unix socket', `${REDIS}${QUEUE}
admin { listen = "unix:a.sock" key = "k" tenant "acme" { key = "a" } }
`, []],
    ['a REST API for a tenant only', `${REDIS}${QUEUE}
admin { listen = "127.0.0.1:8081" tenant "acme" { key = {"a", "b"} } }
`, []],
    ['a REST API for everybody', `${REDIS}${QUEUE}admin {
  listen = "0.0.0.0:8081"
  key = "" }
`, ['a.conf:4: admin: listen must be unix:PATH, or an address of the loopback'
        + ' with a port, as 127.0.0.1:8081 or [::1]:8081',
    'a.conf:5: admin: key is empty']],
    ['a REST API without a key', `${REDIS}${QUEUE}admin { listen = "unix:a" }
`, [/: admin: key is missing$/]],
    ['keys without a REST API', `${REDIS}${QUEUE}admin { key = "k" }
`, [/: admin: listen is missing$/]],
    ['a tenant of the REST API without a key, another without a name',
        `${REDIS}${QUEUE}admin { listen = "unix:a" key = "k"
  tenant "acme" { }
  tenant "a b" { key = "x" } }
`, [/: admin: tenant "acme": key is missing$/,
        /: admin: tenant "a b": the name must be 1 to 64 characters/]],
    ['shares out of range', `${REDIS}concurrency = 0
watch = -1
sweep = "10ms"
tenant "acme" { weight = 0
  concurrency = -1 }
tenant "a b" { }
queue "q" { kind = noop weight = 1001 }
`, [/:2: concurrency must be from 1 to 1000000/,
        /:3: watch must be from 0 to 10000/, /:4: sweep must be from 1s to 1h/,
        /:5: tenant "acme": weight must be from 1 to 1000/,
        /:6: tenant "acme": concurrency must be 0 \(any\) or a number/,
        /:8: queue "q": weight must be from 1 to 1000/,
        /: tenant "a b": the name must be 1 to 64 characters/]],
    ['any tenant, twice', `${REDIS}store = "s.db"
queue "a" { kind = noop tenants = {"*"} name = "q" }
queue "b" { kind = events tenants = {"acme", "*"} name = "q" }
`, [/:4: queue "b": "q" of tenant "\*" is already worked by another/]],
    ['several at once', `redis = "unix:r.sock"
pace = 1.5
redis_timeout = "0s"
connections = 0
drain = "soon"
claim_ttl = "1ms"
log { level = loud
  format = xml }
queue "q" { kind = noop
  concurrency = 0
  bullmq = 4
  lock = "1ms"
  stalled = "x"
  max_stalled = -1
  keep_completed = -2
  keep_failed_age = "x"
  tenants = {"a b"}
  keep_failed_bytes = -1
  metrics = 100001 }
`, ['a.conf:2: pace must be from 0.01 to 1',
        'a.conf:3: redis_timeout must be from 50ms to 1h',
        'a.conf:4: connections must be from 1 to 65536',
        'a.conf:5: drain is not a duration such as "300ms", "5s", "1h30m"',
        'a.conf:6: claim_ttl must be from 1s to 30d',
        'a.conf:7: log: level must be debug, info, warn or error',
        'a.conf:8: log: format must be logfmt or json',
        'a.conf:10: queue "q": concurrency must be from 1 to 10000',
        'a.conf:11: queue "q": bullmq must be 5 or 6',
        'a.conf:12: queue "q": lock must be from 200ms to 1d',
        'a.conf:13: queue "q": stalled is not a duration such as "300ms",'
            + ' "5s", "1h30m"',
        'a.conf:14: queue "q": max_stalled must be from 0 to 1000',
        'a.conf:15: queue "q": keep_completed must be -1 (all) or a number of'
            + ' jobs',
        'a.conf:16: queue "q": keep_failed_age is not a duration such as'
            + ' "300ms", "5s", "1h30m"',
        'a.conf:17: queue "q": tenants must be names of 1 to 64 characters of'
            + ' A-Z a-z 0-9 _ . -, or "*"',
        'a.conf:18: queue "q": keep_failed_bytes must be 0 (any) or a number'
            + ' of bytes',
        'a.conf:19: queue "q": metrics must be from 0 (none) to 100000'
            + ' minutes']],
    ['replicas', `${REDIS}wait_replicas = 17\nwait_timeout = "1ms"\n${QUEUE}`,
        ['a.conf:2: wait_replicas must be from 0 to 16',
            'a.conf:3: wait_timeout must be from 10ms to 30m']],
    ['a time for no replicas', `${REDIS}wait_timeout = "1s"\n${QUEUE}`,
        [/wait_timeout is for wait_replicas only/]],
    ['a time too long for replicas', `${REDIS}wait_replicas = 1
wait_timeout = "3s"\n${QUEUE}`, [/wait_timeout must be at most half of redis_timeout/]],
    ['a time too long for leases', `${REDIS}wait_replicas = 1
wait_timeout = "1s"\nqueue "q" { kind = noop lock = "3s" }\n`,
    [/wait_timeout must be at most a quarter of the lock of each queue/]],
    ['a send queue without a channel', `${REDIS}queue "q" { }\n`,
        ['a.conf:2: queue "q": channel is missing']],
    ['a channel that is not there', `${REDIS}queue "q" { channel = "d" }\n`,
        ['a.conf:2: queue "q": channel "d" is not defined']],
    ['a channel where none is used',
        `${REDIS}${CHANNEL}queue "q" { kind = events channel = "c" }\n`,
        ['a.conf:3: queue "q": channel is for kind send only']],
    ['a schedule that is not there',
        `${REDIS}queue "q" { kind = noop schedule = "s" }\n`,
        ['a.conf:2: queue "q": schedule "s" is not defined']],
    ['a schedule', `${REDIS}schedule "s" {\n retry = "often" }\n`
        + 'queue "q" { kind = noop schedule = "s" }\n',
        [/^a.conf:3: schedule "s": retry /]],
    ['the built-in schedule, defined again',
        `${REDIS}schedule "messages" { retry = "fixed 1s attempts=2" }\n`
        + QUEUE, []],
    ['tenants and a prefix',
        `${REDIS}queue "q" { kind = noop tenants = {"a"} prefix = "p" }\n`,
        ['a.conf:2: queue "q": tenants and prefix exclude each other']],
    ['a queue twice', `${REDIS}${QUEUE}queue "r" { kind = noop name = "q" }\n`,
        ['a.conf:3: queue "r": "bull:q" is already worked by another queue'
            + ' section']],
    ['a tenant twice', `${REDIS}queue "q" { kind = noop tenants = {"a", "a"} }\n`,
        ['a.conf:2: queue "q": "{a}:q" is already worked by another queue'
            + ' section']],
    ['the name of a queue', `${REDIS}queue "a:b" { kind = noop }\n`,
        ['a.conf:2: queue "a:b": the name must have no colon and no control'
            + ' character']],
    ['a kind', `${REDIS}queue "q" { kind = sent }\n`,
        ['a.conf:2: queue "q": kind must be send, events or noop',
            'a.conf:2: queue "q": channel is for kind send only'].slice(0, 1)],
    ['a channel', `${REDIS}channel "c" {
  kind = pigeon
  base_url = "ftp://x"
  version = "26"
  timeout = "1ms"
}
${QUEUE}`, ['a.conf:3: channel "c": kind must be cloud_api',
        'a.conf:4: channel "c": base_url must be a URL that starts with'
            + ' https:// or http://',
        'a.conf:5: channel "c": version must be like "v26.0"',
        'a.conf:6: channel "c": timeout must be from 100ms to 1h']],
    ['a URL with a user', `${REDIS}channel "c" { base_url = "http://u:p@x" }\n${
        QUEUE}`, ['a.conf:2: channel "c": base_url must have no user, query or'
        + ' fragment']],
    ['a rate', `${REDIS}number "1" { rate = 0 }\n${QUEUE}`,
        ['a.conf:2: number "1": rate must be from 0.001 to 100000 messages a'
            + ' second']],
    ['limits', `${REDIS}queue "q" { kind = noop tenants = {"a", "b"}
  floor = "12.5%" rate = "50r/s" burst = 100 quota = 100000
  rate_high = "10r/s" rate_medium = "10r/5s" rate_low = "300r/m" }
queue "r" { kind = noop prefix = "{a}" rate = "50r/s" burst = 100 }
queue "s" { kind = noop rate = "1r/s" }
`, []],
    ['wrong limits', `${REDIS}queue "q" { kind = noop
  floor = "51%"
  rate = "50"
  burst = -1
  rate_high = "0r/s"
  rate_medium = "r/s"
  rate_low = "1r/y"
  quota = -1 }
`, ['a.conf:3: queue "q": floor must be from 0% to 50%',
        ...['4: queue "q": rate', '6: queue "q": rate_high',
            '7: queue "q": rate_medium', '8: queue "q": rate_low'].map((one) =>
            `a.conf:${one} must be a rate such as "50r/s", "10r/5s", "300r/m"`),
        'a.conf:5: queue "q": burst must be from 0 to 1000000',
        'a.conf:9: queue "q": quota must be 0 (none) or a number of jobs a day']
        .sort((a, b) => a.split(':')[1] - b.split(':')[1])],
    ['a floor without its sign', `${REDIS}queue "q" { kind = noop floor = "5" }\n`,
        ['a.conf:2: queue "q": floor must be from 0% to 50%']],
    ['a burst of nothing', `${REDIS}queue "q" { kind = noop burst = 5 }\n`,
        ['a.conf:2: queue "q": burst needs a rate']],
    ['a rate, and another one', `${REDIS}queue "q" { kind = noop rate = "1r/s" }
queue "r" { kind = noop rate = "2r/s" quota = 5 }
queue "s" { kind = noop rate = "1r/s" quota = 6 }
`, ['a.conf:3: queue "r": rate or burst differs from that of "q", and is shared'
        + ' by all queues of "bull"',
    'a.conf:4: queue "s": rate or burst differs from that of "r", and is shared'
        + ' by all queues of "bull"']],
    ['paces of pairs', `${REDIS}channel "c" { pair_rate = "6r/m" }
channel "d" { pair_rate = off }
number "1" { pair_rate = "1r/s" } number "2" { pair_rate = off }
${QUEUE}`, []],
    ['no paces of pairs', `${REDIS}channel "c" { pair_rate = "6" }
number "1" { pair_rate = on }
${QUEUE}`, ['a.conf:2: channel "c": pair_rate must be off or a rate such as "10r/m"',
        'a.conf:3: number "1": pair_rate must be off or a rate such as "10r/m"']],
    ['a number twice', `${REDIS}number "1" { }\nnumber "1" { }\n${QUEUE}`,
        [/^a.conf:3: found duplicate title/]],
    ['a secret without a variable', `${REDIS}number "1" { token = "env:NONE" }\n${
        QUEUE}`, ['a.conf:2: number "1": token names an environment variable'
        + ' that is not set']],
    ['a secret without a file', `${REDIS}number "1" { token = "file:none" }\n${
        QUEUE}`, ['a.conf:2: number "1": token names a file that does not'
        + ' exist']],
    ['an empty secret', `${REDIS}number "1" { token = "" }\n${QUEUE}`,
        ['a.conf:2: number "1": token is empty']],
    ['a secret of two lines', `${REDIS}number "1" { token = "file:two" }\n${
        QUEUE}`, ['a.conf:2: number "1": token holds white space or a control'
        + ' character']],
    ['an empty variable', `${REDIS}number "1" { token = "env:EMPTY" }\n${
        QUEUE}`, ['a.conf:2: number "1": token is empty']],
    ['an unfinished section', `${REDIS}queue "q" { kind = noop\n`,
        ['a.conf:4: the file ends inside of a section: a } is missing']],
    ['a number that is none', `${REDIS}pace = fast\n${QUEUE}`,
        [/^a.conf:2: invalid floating point value/]],
];

run(async () => {
    fs.writeFileSync(path.join(dir, 'two'), 'hemlig\nhemlig2\n');
    fs.writeFileSync(path.join(dir, 'token'), 'hemlig\n');

    for (const [name, text, expected] of cases) {
        const got = once(['-t', '-c', write(text)], { EMPTY: '' });
        const lines = got.err.split('\n').filter((line) => line);
        const same = lines.length === expected.length
            && lines.every((line, i) => (expected[i] instanceof RegExp
                ? expected[i].test(line) : expected[i] === line));
        ok(same && got.code === (expected.length ? 1 : 0)
            && got.out === (expected.length ? '' : 'a.conf: ok\n'), name,
        `${got.code}\n${got.out}${got.err}`);
        ok(!/hemlig|u:p/.test(got.err), `${name}: no secret is shown`);
    }

    let got = once(['-t', '-c', write(`${REDIS}number "1" {`
        + ` token = "file:token" }\nnumber "2" { token = "env:T" }\n${QUEUE}`)],
    { T: 'x' });
    is([got.code, got.err], [0, ''], 'secrets of a file and a variable');

    write(`${QUEUE}`, 'part.conf');
    got = once(['-t', '-c', write(`redis = "\${WHERE}"\n`
        + 'include("part.conf")\n')], { WHERE: 'unix:here.sock' });
    is([got.code, got.err], [0, ''], 'a variable, and a file included');

    fs.mkdirSync(path.join(dir, 'sub'), { recursive: true });
    write('queue "q" {\n kind = no }\n', 'sub/part.conf');
    got = once(['-t', '-c', write(`${REDIS}include("part.conf")\n`,
        'sub/a.conf')]);
    ok(/part.conf:2: queue "q": kind must be/.test(got.err),
        'an error is told with the file included, found beside the first',
        got.err);

    got = once(['-t', '-c', 'none.conf']);
    is([got.code, got.err],
        [1, 'none.conf: cannot be read: No such file or directory\n'],
        'no file');

    got = once(['-t', '-c', '.']);
    ok(got.code === 1 && got.err !== '', 'a directory', got.err);

    got = once(['-h']);
    ok(got.code === 0 && /usage: sluiced -c FILE/.test(got.out), '-h');
    is(once(['--help']).out, got.out, '--help');
    ok(/^sluiced \d+\.\d+\.\d+\n$/.test(once(['-V']).out), '-V');

    got = once([]);
    ok(got.code === 2 && /usage/.test(got.err), 'no argument');
    got = once(['-x']);
    ok(got.code === 2 && /usage/.test(got.err), 'an unknown argument');
    got = once(['-c', 'a.conf', 'more']);
    ok(got.code === 2 && /usage/.test(got.err), 'an argument too many');

    got = once(['-c', write(`${REDIS}store = "no/such/dir/x.db"\n${QUEUE}`)]);
    ok(got.code === 1 && /^sluiced: store "no\/such\/dir\/x.db": /.test(got.err),
        'a store that cannot be opened ends the start', got.err);
});
