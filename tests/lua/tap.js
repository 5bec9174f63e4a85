'use strict';

/* TAP on standard output: one line a test. */

let count = 0;
let failed = 0;

function ok(pass, name, detail) {
    count += 1;
    if (!pass) {
        failed += 1;
    }
    console.log(`${pass ? 'ok' : 'not ok'} ${count} - ${name}`);
    if (!pass && detail !== undefined) {
        const text = typeof detail === 'string' ? detail
            : JSON.stringify(detail, null, 1);
        console.log(text.replace(/^/gm, '# '));
    }
    return pass;
}

function is(got, expected, name) {
    const a = JSON.stringify(got);
    const b = JSON.stringify(expected);
    return ok(a === b, name, `got      ${a}\nexpected ${b}`);
}

/* Runs fn, then prints the plan; the process ends with 1 when a test failed. */
async function run(fn) {
    try {
        await fn();
    } catch (e) {
        ok(false, 'ran to its end', String((e && e.stack) || e));
    }
    console.log(`1..${count}`);
    process.exit(failed ? 1 : 0);
}

/* Waits for a condition, not for a time. */
async function until(fn, what, ms = 15000) {
    const end = Date.now() + ms;
    for (;;) {
        const value = await fn();
        if (value) {
            return value;
        }
        if (Date.now() > end) {
            throw new Error(`waited ${ms} ms for ${what}`);
        }
        await new Promise((done) => { setTimeout(done, 5); });
    }
}

/* what a call that has to fail says */
async function error(promise) {
    try {
        return `no error: ${JSON.stringify(await promise)}`;
    } catch (e) {
        return e.message;
    }
}

module.exports = { ok, is, run, until, error };
