'use strict';

/* BullMQ's jobs and options in the words of the scripts, and back. */

const short = { deduplication: 'de', failParentOnFailure: 'fpof',
    continueParentOnFailure: 'cpof', ignoreDependencyOnFailure: 'idof',
    removeDependencyOnFailure: 'rdof', keepLogs: 'kl' };

/* opts as they are stored */
function stored(opts = {}) {
    const out = {};
    for (const [name, value] of Object.entries(opts)) {
        if (name !== 'telemetry') {
            out[short[name] || name] = value;
        } else if (value) {
            out.tm = value.metadata;
            out.omc = value.omitContext;
        }
    }
    for (const name of Object.keys(out)) {
        if (out[name] === null || out[name] === undefined) {
            delete out[name];
        }
    }
    return out;
}

/* "count:age:limit": what is kept of the finished jobs; '' when it is not said */
function keep(rule) {
    if (rule === undefined || rule === null) {
        return '';
    }
    if (typeof rule === 'boolean') {
        return rule ? '0:0' : '-1:0';
    }
    if (typeof rule === 'number') {
        return `${rule}:0`;
    }
    return `${rule.count === undefined ? -1 : rule.count}:`
        + `${Math.ceil(rule.age || 0)}:${rule.limit || ''}`;
}

/* {id, queueKey} of the parent, in JSON; '' none */
function parentOf(job, { parentKey }) {
    if (job.parentKey && job.parent) {
        return JSON.stringify(job.parent);
    }
    if (!parentKey) {
        return '';
    }
    const end = parentKey.lastIndexOf(':');
    return JSON.stringify({ id: parentKey.slice(end + 1),
        queueKey: parentKey.slice(0, end) });
}

/* can add.lua put it in, or does it need insert.lua? */
function plain({ job, parentKeyOpts = {} }) {
    return !(job.opts.deduplication || job.repeatJobKey
        || parentOf(job, parentKeyOpts)
        || parentKeyOpts.addToWaitingChildren);
}

/* the arguments of a job in add.lua */
function addArguments({ job, jobId }) {
    const opts = stored(job.opts);
    return [jobId, job.name, job.data, JSON.stringify(opts), opts.delay || 0,
        opts.priority || 0, opts.lifo ? 1 : 0, job.timestamp, ''];
}

/* those of insert.lua; more: children of its parent follow */
function insertArguments({ job, jobId, parentKeyOpts = {}, more }) {
    return [jobId, job.name, job.data, JSON.stringify(stored(job.opts)),
        job.timestamp, parentOf(job, parentKeyOpts),
        (parentKeyOpts.addToWaitingChildren ? 1 : 0) + (more ? 2 : 0),
        job.repeatJobKey];
}

/*
 * The stacktrace of this attempt, of all that BullMQ hands over: those of the
 * attempts before are in the hash.
 */
function lastStack(fields, had) {
    const all = JSON.parse((fields && fields.stacktrace) || '[]');
    return all.length === 0 || JSON.stringify(all) === had ? '[]'
        : JSON.stringify(all.slice(-1));
}

module.exports = { stored, keep, plain, addArguments, insertArguments,
    lastStack };
