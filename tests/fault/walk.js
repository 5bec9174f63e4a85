'use strict';

/*
 * Two classes that walk through states of Redis or of the way to it, one a
 * time: without a spool, where senders come again until they are told 200 and
 * sluice_dedupe knows what was stored, and with one, where all is 200 at once.
 * A state is:
 *
 *   name
 *   says    $sluice_enqueue_status of what is not stored at once: 503 without
 *           a spool; of none, all is stored.  A Redis that is too slow for the
 *           timeout is "away" in each state
 *   whole   503 with a spool too: the same call would be refused again
 *   begin   async ({ house, edge, rand, ... })
 *   end     the same, when events have met the state
 *   met     answers of those that it takes, before it ends
 *   still   ms that it goes on then, at most
 */

const fs = require('fs');
const path = require('path');
const { is, ok, until, rest, emptied } = require('./fault');
const { dir } = require('../e2e/edge');

const MET = 16;           /* answers of a state, when it does not say */
const TIMEOUT = 500;      /* ms, sluice_redis */

const server = (more) => `
    location /counted/ {
        sluice_verify  meta secret=acme-app-secret;
        sluice_enqueue counted tenant=acme id=e-$http_x_event_id;
        ${more}
        add_header X-Status $sluice_enqueue_status always;
    }
    location = /sluice/status { sluice_status; }`;

const place = (name) => path.join(dir, `${name.replace(/\W+/g, '-')}.spool`);

function one(name, states, spooled, { options = '', ...more }) {
    const seen = states.map(() => ({ times: 0, told: {} }));

    return {
        name,
        persist: true,
        least: states.length,
        statuses: [200],
        edge: {
            options: `timeout=${TIMEOUT}ms ${options}`,
            server: server(spooled ? ''
                : 'sluice_dedupe $http_x_event_id ttl=1m;'),
            more: spooled ? `sluice_spool ${place(name)} size=2g;` : '',
        },
        settled: () => spooled && emptied(place(name)),
        ...more,

        async disturb(all) {
            const { load, edge } = all;
            const which = (all.n - 1) % states.length;
            const state = states[which];
            const { says, whole, met = MET, still = 0 } = state;
            const count = (words) => words.reduce((sum, word) =>
                sum + (load.told[word] || 0), 0);
            const more = (words, n, there = count(words)) =>
                until(() => count(words) >= there + n,
                    `${name}, ${state.name}: ${words}`, 30000);

            /* what is spooled would be refused for good too, and set aside */
            if (whole && spooled) {
                await emptied(place(name));
            }
            const before = { ...load.told };
            const words = says.length === 0 ? ['accepted']
                : spooled && !whole ? ['spooled'] : says;
            const there = count(words);
            await state.begin(all);
            await more(words, met, there);
            await rest(all.rand() * still);
            await state.end(all);
            await more(['accepted'], MET);
            await until(async () => {
                const { ready, unused } = (await edge.status())
                    .redis[0].connections;
                return ready > 0 && ready + unused === 2;
            }, 'both processes', 60000);

            seen[which].times += 1;
            for (const [word, n] of Object.entries(load.told)) {
                seen[which].told[word] = (seen[which].told[word] || 0) + n
                    - (before[word] || 0);
            }
        },

        after({ edge, load }) {
            states.forEach((state, i) => {
                const { times, told } = seen[i];
                const may = ['accepted', ...(spooled ? ['spooled']
                    : ['duplicate', 'away']),
                ...(spooled && !state.whole ? [] : state.says)];
                const words = Object.keys(told).filter((word) => told[word]);
                console.log(`# ${name}, ${state.name}: ${times} times; ${
                    words.map((word) => `${told[word]} ${word}`).join(', ')}`);
                is(words.filter((word) => !may.includes(word)), [],
                    `${name}, ${state.name}: only ${may}`);
            });
            is(load.broken.length, 0, `${name}: each is answered`);
            ok(!/set aside/.test(fs.readFileSync(edge.log, 'utf8')),
                `${name}: none was set aside`);
        },
    };
}

module.exports = {
    TIMEOUT,
    walk: (name, states, more = {}) => [
        one(name, states, false, more),
        one(`${name}, spool`, states, true, more),
    ],
};
