'use strict';

/*
 * Flows, and jobs kept for the time after their owner: each case is done once by
 * stock BullMQ and once by our scripts, and the keyspaces are compared.
 *
 *   node tests/lua/flows.js [case ...]
 */

const { Stock, Ours, compare } = require('./steps');

const P = { id: 'P', queue: 'bull:qp' };

const fpof = { failParentOnFailure: true };
const cpof = { continueParentOnFailure: true };
const idof = { ignoreDependencyOnFailure: true };
const rdof = { removeDependencyOnFailure: true };
const K = { deduplication: { id: 'K', keepLastIfActive: true } };

/* each returns codes and ids that must be the same, too */
const cases = {
    async 'children complete, the last one releases'(c) {
        await c.tree({ C1: {}, C2: {} });
        await c.take('qc', 2);
        const one = await c.complete('qc', 'C2', { a: 1 });
        await c.tick();
        return [one, await c.complete('qc', 'C1'), await c.take('qp'),
            await c.complete('qp', 'P')];
    },
    async 'a parent of the same queue'(c) {
        await c.flow.add({ name: 'p', queueName: 'qc', data: {},
            opts: { jobId: 'P' }, children: [{ name: 'c', queueName: 'qc',
                opts: { jobId: 'C1' } }] });
        await c.take('qc');
        return [await c.complete('qc', 'C1'), await c.take('qc')];
    },
    async 'a parent of parents'(c) {
        await c.flow.add({ name: 'g', queueName: 'qp', data: {},
            opts: { jobId: 'G' }, children: [{ name: 'p', queueName: 'qp',
                opts: { jobId: 'P', ...fpof }, children: [{ name: 'c',
                    queueName: 'qc', opts: { jobId: 'C1', ...fpof } }] }] });
        await c.take('qc');
        await c.fail('qc', 'C1');
        const one = await c.take('qp');
        await c.tick();
        return [one, await c.take('qp')];
    },
    async 'a delayed parent'(c) {
        await c.tree({ C1: {} }, { delay: 60000, priority: 3 });
        await c.take('qc');
        await c.complete('qc', 'C1');
    },
    async 'a prioritized parent'(c) {
        await c.tree({ C1: {} }, { priority: 3 });
        await c.add('qp', 'x', { priority: 3 });
        await c.take('qc');
        await c.complete('qc', 'C1');
        return c.take('qp', 2);
    },
    async 'a released parent is next'(c) {
        await c.tree({ C1: {} });
        await c.add('qp', 'x');
        await c.take('qc');
        await c.complete('qc', 'C1');
        return c.take('qp', 2);
    },
    async 'a parent of a paused queue'(c) {
        await c.tree({ C1: {} });
        await c.queues.qp.pause();
        await c.take('qc');
        await c.complete('qc', 'C1');
    },
    async 'a parent of a queue at its concurrency'(c) {
        await c.queues.qp.setGlobalConcurrency(1);
        await c.tree({ C1: {} });
        await c.add('qp', 'x');
        await c.take('qp');
        await c.redis.del('bull:qp:marker');
        await c.take('qc');
        await c.complete('qc', 'C1');
    },
    async 'fpof: the parent fails when it is taken'(c) {
        await c.tree({ C1: fpof, C2: {} });
        await c.take('qc', 2);
        await c.fail('qc', 'C1');
        return [await c.take('qp'), await c.complete('qc', 'C2')];
    },
    async 'fpof: a parent that has a delay'(c) {
        await c.tree({ C1: fpof, C2: {} }, { delay: 60000 });
        await c.take('qc', 2);
        return [await c.fail('qc', 'C1'), await c.complete('qc', 'C2')];
    },
    async 'fpof: a parent that is delayed'(c) {
        await c.tree({ C0: {} }, { delay: 60000 });
        await c.take('qc');
        await c.complete('qc', 'C0');
        await c.add('qc', 'C1', { ...fpof, parent: P });
        await c.take('qc');
        await c.fail('qc', 'C1');
        return c.take('qp');
    },
    async 'fpof: an active parent'(c) {
        await c.add('qp', 'P');
        await c.take('qp');
        await c.add('qc', 'C1', { ...fpof, parent: P });
        await c.take('qc');
        await c.fail('qc', 'C1');
        return [await c.children('qp', 'P'), await c.complete('qp', 'P')];
    },
    async 'fpof: a failed parent'(c) {
        await c.add('qp', 'P');
        await c.take('qp');
        await c.add('qc', 'C1', { ...fpof, parent: P });
        await c.take('qc');
        await c.fail('qp', 'P');
        await c.fail('qc', 'C1');
    },
    async 'fpof: a parent that is gone'(c) {
        await c.tree({ C1: fpof });
        await c.take('qc');
        await c.redis.del('bull:qp:P', 'bull:qp:P:dependencies');
        return c.fail('qc', 'C1');
    },
    async 'fpof: attempts are left'(c) {
        await c.tree({ C1: { ...fpof, attempts: 2 } });
        await c.take('qc');
        await c.fail('qc', 'C1');
        await c.take('qc');
        await c.fail('qc', 'C1');
    },
    async 'cpof: the parent goes on at once'(c) {
        await c.tree({ C1: cpof, C2: {} });
        await c.take('qc', 2);
        await c.fail('qc', 'C1');
    },
    async 'cpof: not a parent that is active'(c) {
        await c.add('qp', 'P');
        await c.take('qp');
        await c.add('qc', 'C1', { ...cpof, parent: P });
        await c.take('qc');
        await c.fail('qc', 'C1');
        return c.complete('qp', 'P');
    },
    async 'cpof: not a parent that is delayed'(c) {
        await c.add('qp', 'P', { delay: 60000 });
        await c.add('qc', 'C1', { ...cpof, parent: P });
        await c.take('qc');
        await c.fail('qc', 'C1');
    },
    async 'idof'(c) {
        await c.tree({ C1: idof, C2: {} });
        await c.take('qc', 2);
        return [await c.fail('qc', 'C1', 'no "reason"'),
            await c.complete('qc', 'C2'), await c.take('qp')];
    },
    async 'rdof'(c) {
        await c.tree({ C1: rdof, C2: rdof });
        await c.take('qc', 2);
        return [await c.fail('qc', 'C1'), await c.fail('qc', 'C2'),
            await c.take('qp')];
    },
    async 'no option: the parent waits'(c) {
        await c.tree({ C1: {}, C2: {} });
        await c.take('qc', 2);
        await c.fail('qc', 'C1');
        await c.complete('qc', 'C2');
        return c.take('qp');
    },
    async 'an old hash without parent, completed'(c) {
        await c.tree({ C1: {} });
        await c.redis.hdel('bull:qc:C1', 'parent');
        await c.take('qc');
        await c.complete('qc', 'C1');
    },
    async 'an old hash without parent, failed'(c) {
        await c.tree({ C1: fpof });
        await c.redis.hdel('bull:qc:C1', 'parent');
        await c.take('qc');
        await c.fail('qc', 'C1');
    },
    async 'removed when completed'(c) {
        await c.tree({ C1: { removeOnComplete: true }, C2: {} });
        await c.take('qc', 2);
        await c.complete('qc', 'C1');
        await c.complete('qc', 'C2');
    },
    async 'removed when failed'(c) {
        await c.tree({ C1: { removeOnFail: true } });
        await c.take('qc');
        await c.fail('qc', 'C1');
        return c.take('qp');
    },
    async 'removed to keep to a rule'(c) {
        await c.tree({ C1: {} });
        await c.take('qc');
        await c.fail('qc', 'C1');
        await c.add('qc', 'X', { removeOnFail: 1 });
        await c.take('qc');
        await c.fail('qc', 'X');
    },
    async 'removed to keep to a rule, others are waited for'(c) {
        await c.tree({ C1: {}, C2: {} });
        await c.take('qc', 2);
        await c.fail('qc', 'C1');
        await c.add('qc', 'X', { removeOnFail: 1 });
        await c.take('qc');
        await c.fail('qc', 'X');
        await c.complete('qc', 'C2');
    },
    async 'removed to keep to a rule, when it was done'(c) {
        await c.tree({ C1: {}, C2: {} });
        await c.take('qc', 2);
        await c.complete('qc', 'C1');
        await c.add('qc', 'X', { removeOnComplete: 1 });
        await c.take('qc');
        await c.complete('qc', 'X');
    },
    async 'a parent that is removed'(c) {
        await c.tree({ C1: fpof, C2: {} }, { removeOnFail: true });
        await c.take('qc', 2);
        await c.fail('qc', 'C1');
        await c.take('qp');
        return c.complete('qc', 'C2');
    },
    async 'back: a completed child'(c) {
        await c.tree({ C1: {}, C2: {} });
        await c.take('qc', 2);
        await c.complete('qc', 'C1');
        return c.requeue('qc', 'C1', 'completed');
    },
    async 'back: a child that failed its parent'(c) {
        await c.tree({ C1: fpof, C2: {} });
        await c.take('qc', 2);
        await c.fail('qc', 'C1');
        return c.requeue('qc', 'C1');
    },
    async 'back: a child whose failure was ignored'(c) {
        await c.tree({ C1: idof });
        await c.take('qc');
        await c.fail('qc', 'C1');
        await c.take('qp');
        await c.complete('qp', 'P');
        await c.requeue('qc', 'C1');
        await c.take('qc');
        return c.complete('qc', 'C1');
    },
    async 'back: a child whose failure was forgotten'(c) {
        await c.tree({ C1: rdof, C2: {} });
        await c.take('qc', 2);
        await c.fail('qc', 'C1');
        return c.requeue('qc', 'C1');
    },
    async 'back: a child that is waited for'(c) {
        await c.tree({ C1: {} });
        await c.take('qc');
        await c.fail('qc', 'C1');
        await c.requeue('qc', 'C1');
        await c.take('qc');
        await c.complete('qc', 'C1');
        return c.take('qp');
    },
    async 'back: a child whose parent is gone'(c) {
        await c.tree({ C1: idof });
        await c.take('qc');
        await c.fail('qc', 'C1');
        await c.queues.qp.remove('P', { removeChildren: false });
        return c.requeue('qc', 'C1');
    },
    async 'back: a failed parent'(c) {
        await c.tree({ C1: fpof, C2: {} });
        await c.take('qc', 2);
        await c.fail('qc', 'C1');
        await c.complete('qc', 'C2');
        await c.take('qp');
        await c.requeue('qp', 'P');
        await c.take('qp');
        return c.complete('qp', 'P');
    },
    async 'children that are added while the parent runs'(c) {
        await c.add('qp', 'P');
        await c.take('qp');
        const none = await c.children('qp', 'P');
        await c.add('qc', 'C1', { parent: P });
        const early = await c.complete('qp', 'P');
        const some = await c.children('qp', 'P');
        await c.take('qc');
        await c.complete('qc', 'C1');
        return [none, early, some, await c.take('qp'),
            await c.complete('qp', 'P')];
    },

    async 'kept: the last one follows'(c) {
        await c.add('qc', '', K);
        await c.take('qc');
        await c.add('qc', '', K);
        await c.add('qc', '', { ...K, lifo: true });
        await c.complete('qc', '1');
        return c.take('qc');
    },
    async 'kept: after a failure, delayed'(c) {
        await c.add('qc', 'A', K);
        await c.take('qc');
        await c.add('qc', 'B', { ...K, delay: 60000, priority: 4 });
        await c.fail('qc', 'A');
    },
    async 'kept: not before the last attempt'(c) {
        await c.add('qc', 'A', { ...K, attempts: 2 });
        await c.take('qc');
        await c.add('qc', 'B', K);
        await c.fail('qc', 'A');
        await c.take('qc');
        return c.complete('qc', 'A');
    },
    async 'kept: lifo'(c) {
        await c.add('qc', 'A', K);
        await c.take('qc');
        await c.add('qc', 'X');
        await c.add('qc', 'B', { ...K, lifo: true });
        await c.complete('qc', 'A');
        return c.take('qc');
    },
    async 'kept: prioritized'(c) {
        await c.add('qc', 'A', K);
        await c.take('qc');
        await c.add('qc', 'B', { ...K, priority: 5,
            timestamp: 1700000000000 });
        await c.complete('qc', 'A');
    },
    async 'kept: with a ttl, while paused'(c) {
        const ttl = { deduplication: { ...K.deduplication, ttl: 60000 } };
        await c.add('qc', 'A', ttl);
        await c.take('qc');
        await c.add('qc', 'B', ttl);
        await c.queues.qc.pause();
        await c.complete('qc', 'A');
    },
    async 'kept: though another owns the key'(c) {
        await c.add('qc', 'A', K);
        await c.take('qc');
        await c.add('qc', 'B', K);
        await c.redis.set('bull:qc:de:K', 'other');
        await c.complete('qc', 'A');
    },
    async 'kept: the owner is removed'(c) {
        await c.add('qc', 'A', { ...K, removeOnComplete: true });
        await c.take('qc');
        await c.add('qc', 'B', K);
        await c.complete('qc', 'A');
    },
};


compare('flows', [Stock, Ours], cases);
