'use strict';

/*
 * A backend of BullMQ 6 on the scripts of Sluice, for setDefaultBackendFactory():
 * Queue, Worker, FlowProducer and QueueEvents of stock BullMQ then work through
 * them.  Connections and what only reads are stock's.
 */

const admin = require('./admin');
const producer = require('./producer');
const worker = require('./worker');

/* stock's scripts that may run: they read, or do what Sluice has no script for */
const allowed = new Set(['getCounts', 'getRanges', 'getJobs', 'getState',
    'getStateV2', 'isFinished', 'isMaxed', 'isJobInList', 'paginate',
    'getDependencyCounts', 'getCountsPerPriority', 'getMetrics',
    'getRateLimitTtl', 'getJobScheduler',
    'removeChildDependency', 'removeDeduplicationKey', 'cleanOrphanedJobs',
    'removeOrphanedJobs']);

/* bullmq: the package's module, which a test may have loaded in a way of its own */
function backend(bullmq) {
    return class Sluice extends
        admin(worker(producer(bullmq.RedisQueueBackend)))
    {
        execCommand(client, command, args) {
            if (!allowed.has(command)) {
                throw new Error(`stock script ${command} instead of ours`);
            }
            return super.execCommand(client, command, args);
        }

        forQueue(name, prefix = this.redisPrefix) {
            const keys = new bullmq.QueueKeys(prefix);
            return new Sluice(this.connection, name, keys.getKeys(name),
                (type) => keys.toKey(name, type), { ...this.options, prefix },
                this.blockingConnection, false);
        }
    };
}

/* stock's factory makes the connections; ours takes them over */
function factory(bullmq) {
    const Sluice = backend(bullmq);
    return (name, opts, options) => {
        const made = bullmq.createRedisBackend(name, opts, options);
        return Object.setPrototypeOf(made, Sluice.prototype);
    };
}

module.exports = { factory };
