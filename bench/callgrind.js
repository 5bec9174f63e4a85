/*
 * Instructions that a process takes, by callgrind.  Whoever has this has
 * OpenSSL without AVX2, SHA and newer, which only some hosts have.
 */

'use strict';

const { execFileSync } = require('node:child_process');
const fs = require('node:fs');
const path = require('node:path');

process.env.OPENSSL_ia32cap = ':0';

/* what stands before a command */
const callgrind = (file) => ['valgrind', '-q', '--tool=callgrind',
                             `--callgrind-out-file=${file}`];

/* the instructions of a profile */
const total = (file) => {
    const line = /^(?:summary|totals): (\d+)/m.exec(
        fs.readFileSync(file, 'utf8'));

    if (line === null) {
        throw new Error(`${file}: no totals`);
    }

    return Number(line[1]);
};

/* a running process' instructions from now on, and what they came to */
const zero = (pid) => execFileSync('callgrind_control',
    ['-z', String(pid)], { stdio: 'pipe' });

const dump = (pid, file) => {
    const seen = new Set(fs.readdirSync(path.dirname(file)));

    execFileSync('callgrind_control', ['-d', String(pid)], { stdio: 'pipe' });

    const fresh = fs.readdirSync(path.dirname(file)).filter((name) =>
        !seen.has(name) && name.startsWith(path.basename(file)));

    if (fresh.length !== 1) {
        throw new Error(`callgrind wrote ${fresh.length} profiles of ${pid}`);
    }

    return total(path.join(path.dirname(file), fresh[0]));
};

module.exports = { callgrind, dump, total, zero };
