'use strict';

/*
 * A door in front of Redis, for what happens on the way.  Its state:
 *
 *   open     all passes
 *   closed   connections are closed, and those that come
 *   deaf     what is said to Redis passes, no answer does
 *   lost     nothing passes, as behind a firewall that forgot: nobody is told
 *   held     answers wait until the state is another
 *
 * A connection that was deaf or lost is so until it is closed.
 */

const net = require('net');

class Door {
    /* from, to: what listen() and connect() of net take */
    constructor(from, to) {
        this.state = 'open';
        this.to = to;
        this.ways = new Set();
        this.cuts = 0;
        this.server = net.createServer((edge) => this.pass(edge)).listen(from);
    }

    pass(edge) {
        if (this.state === 'closed') {
            edge.destroy();
            return;
        }

        const way = { edge, redis: net.connect(this.to), held: [] };
        const end = () => {
            this.ways.delete(way);
            edge.destroy();
            way.redis.destroy();
        };

        this.ways.add(way);
        this.mark(way);
        edge.setNoDelay(true).on('error', end).on('close', end)
            .on('data', (data) => this.carry(way, 'redis', data));
        way.redis.on('error', end).on('close', end)
            .on('data', (data) => this.carry(way, 'edge', data));
    }

    mark(way) {
        way.deaf = way.deaf || this.state === 'deaf' || this.state === 'lost';
        way.lost = way.lost || this.state === 'lost';
    }

    carry(way, to, data) {
        if (way.lost || (way.deaf && to === 'edge')) {
            return;
        }
        if (to === 'edge' && this.state === 'held') {
            way.held.push(data);
            return;
        }
        if (this.armed && this.armed.to === to) {
            if (data.length <= this.armed.bytes) {
                this.armed.bytes -= data.length;
            } else {
                way[to].end(data.subarray(0, this.armed.bytes));
                way[to === 'edge' ? 'redis' : 'edge'].destroy();
                way.lost = true;
                this.armed = null;
                this.cuts += 1;
                return;
            }
        }
        way[to].write(data);
    }

    set(state) {
        this.state = state;
        for (const way of this.ways) {
            if (state === 'closed') {
                way.edge.destroy();
                continue;
            }
            this.mark(way);
            if (state !== 'held') {
                way.held.splice(0).forEach((data) =>
                    this.carry(way, 'edge', data));
            }
        }
    }

    /* after so many bytes more to the "edge" or to "redis" the way ends */
    cut(to, bytes) {
        this.armed = { to, bytes };
    }

    close() {
        this.set('closed');
        this.server.close();
    }
}

module.exports = { Door };
