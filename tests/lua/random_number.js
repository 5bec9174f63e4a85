'use strict';

/* Numbers that a seed repeats: mulberry32. */

module.exports = (seed) => {
    let state = seed;
    return (n) => {
        state = (state + 0x6D2B79F5) | 0;
        let t = Math.imul(state ^ (state >>> 15), 1 | state);
        t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
        return ((t ^ (t >>> 14)) >>> 0) % n;
    };
};
