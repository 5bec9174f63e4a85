'use strict';

/*
 * How the adapter calls the scripts of lua/: as commands of whichever client
 * BullMQ was given, alone or in its MULTI.
 */

const { read } = require('../../lua/scripts');

const scripts = read();
const keys = { add: 1, retry: 2, finish: 3 };
const known = new WeakSet();
const MAJOR = '6';

function define(client) {
    if (known.has(client)) {
        return client;
    }
    known.add(client);
    for (const [name, { text }] of Object.entries(scripts)) {
        client.defineCommand(`sluice:${name}`, { lua: text,
            numberOfKeys: keys[name] || 1 });
    }
    return client;
}

/*
 * A test that sets the clock sets it for stock BullMQ's scripts, too, which are
 * told the time.  Ours ask Redis: here they get that clock in its place.
 */
function clocked(name, ms) {
    const [seconds, rest] = [Math.floor(ms / 1000), ms % 1000];
    return scripts[name].text.replace("call('TIME')",
        `{'${seconds}', '${String(rest).padStart(3, '0')}000'}`);
}

/* the command of a call on this client, and its arguments */
function command(client, name, base, args, more = []) {
    const all = [base, ...more, MAJOR, ...args]
        .map((x) => (x === undefined || x === null ? '' : String(x)));
    if (name === 'extend') {
        all.splice(1, 1);               /* it is of no major */
    }
    define(client);
    if (!Date.isFake) {
        return [`sluice:${name}`, all];
    }
    const one = `sluice:${name}:${Date.now()}`;
    client.defineCommand(one, { lua: clocked(name, Date.now()),
        numberOfKeys: keys[name] || 1 });
    return [one, all];
}

function call(client, ...of) {
    return client.runCommand(...command(client, ...of));
}

/* calls: [name, base, args] each, in one MULTI; returns [error, reply] each */
function together(client, calls) {
    /* a transaction knows the commands that were there when it began */
    const commands = calls.map((of) => command(client, ...of));
    const multi = client.multi();
    for (const one of commands) {
        multi.runCommand(...one);
    }
    return multi.exec();
}

/* a script that does some of its work in each call, and says so by its codes */
async function each(client, name, base, argv, ids) {
    const codes = [];
    while (codes.length < ids.length) {
        codes.push(...await call(client, name, base,
            [...argv, ...ids.slice(codes.length, codes.length + 1000)]));
    }
    return codes;
}

module.exports = { call, command, each, together };
