'use strict';

/* A client of the REST API: its answers, and what a wrong request is told. */

const http = require('http');
const { is } = require('../lua/tap');

module.exports = (socketPath, all) => {
    function ask(method, where, { body, key = all, headers = {} } = {}) {
        const text = body === undefined || typeof body === 'string'
            ? body : JSON.stringify(body);
        return new Promise((done, fail) => {
            const request = http.request({ socketPath, method, path: where,
                headers: { host: 'sluiced',
                    ...(key && { authorization: `Bearer ${key}` }),
                    ...(text !== undefined
                        && { 'content-length': Buffer.byteLength(text) }),
                    ...headers } }, (answer) => {
                let got = '';
                answer.on('data', (data) => { got += data; });
                answer.on('end', () => {
                    let json = null;
                    try {
                        json = JSON.parse(got);
                    } catch (e) {
                        json = got;
                    }
                    done({ status: answer.statusCode, json,
                        type: answer.headers['content-type'],
                        allow: answer.headers.allow });
                });
            });
            request.on('error', fail);
            request.setTimeout(30000, () => request.destroy(
                new Error(`${method} ${where}: no answer`)));
            request.end(text);
        });
    }

    /* what a wrong request is told: status, field */
    async function refused(name, expected, method, where, options) {
        const got = await ask(method, where, options);
        is([got.status, got.json.field, got.type, got.json.status],
            [expected[0], expected[1], 'application/problem+json', expected[0]],
            name);
    }

    return { ask, refused };
};
