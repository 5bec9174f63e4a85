'use strict';

/* join.sh: the header that the programs are built with. */

const fs = require('fs');
const os = require('os');
const path = require('path');
const { execFileSync } = require('child_process');
const { root } = require('./server');
const { read } = require('./scripts');
const tap = require('./tap');

tap.run(async () => {
    const scripts = read();
    tap.is(Object.keys(scripts).sort(), ['add', 'admit', 'change', 'clean',
        'extend', 'finish', 'insert', 'iterate', 'move', 'obliterate', 'pause', 'recover',
        'reject', 'remove', 'requeue', 'retry', 'schedule', 'sweep', 'take', 'tenants',
        'unschedule', 'update'],
        'every script is in the header');
    for (const s of Object.values(scripts)) {
        tap.ok(s.sha === s.real && s.len === Buffer.byteLength(s.text),
            `${s.name}: length and SHA1 are the text's`, s);
    }

    const dir = fs.mkdtempSync(path.join(os.tmpdir(), 'join-'));
    const script = path.join(root, 'lua', 'join.sh');
    const put = (name, text) => {
        fs.mkdirSync(path.join(dir, path.dirname(name)), { recursive: true });
        fs.writeFileSync(path.join(dir, name), text);
    };
    put('a.lua', '-- a head\n--@include one\n--@include two\n'
        + 'return one .. two .. "\\\\??=\\"" -- kept\n');
    put('include/one.lua', "local one = 'one'\n--@include two\n");
    put('include/two.lua', "local two = 'two'\n\n");
    tap.is(read(dir).a.text, "local one = 'one'\nlocal two = 'two'\n"
        + 'return one .. two .. "\\\\??=\\"" -- kept\n',
    'each include once, where it is asked for first');
    tap.is(execFileSync('sh', ['join.sh', dir], { cwd: path.dirname(script),
        encoding: 'utf8' }), execFileSync('sh', [script, path.relative('/tmp',
        dir)], { cwd: '/tmp', encoding: 'utf8' }), 'from any directory');

    put('a.lua', 'if a then\n    --@include two\nend\n--@include two\n'
        + 'if b then\n    --@include two\nend\n');
    tap.is(read(dir).a.text, "if a then\nlocal two = 'two'\nend\n"
        + "local two = 'two'\nif b then\nend\n",
    'an indented include does not serve the whole script');

    const fails = (text) => {
        put('a.lua', text);
        try {
            execFileSync('sh', [script, dir], { stdio: 'pipe' });
            return 'no error';
        } catch (e) {
            return String(e.stderr);
        }
    };
    tap.ok(/no include .*none\.lua/.test(fails('--@include none\n')),
        'an include that is not there is an error');
    put('include/one.lua', '--@include two\n');
    put('include/two.lua', '--@include one\n');
    tap.ok(/includes itself/.test(fails('    --@include one\n')),
        'so is a circle');
    fs.rmSync(dir, { recursive: true });
});
