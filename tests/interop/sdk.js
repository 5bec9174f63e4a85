'use strict';

/*
 * The edge and the senders' own libraries: what they sign the edge accepts,
 * what they refuse it refuses.  Libraries that only verify are asked about
 * what is signed here, so that both say the same of it.
 *
 *   node tests/interop/sdk.js
 */

const { spawn, spawnSync } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');
const tap = require('../lua/tap');

const root = path.join(__dirname, '..', '..');
const modules = path.join(__dirname, 'sdk', 'node_modules');
const nginx = process.env.TEST_NGINX_BINARY || '/usr/sbin/nginx';
const dir = path.join(root, 'build', 'tests', `sdk-${process.pid}`);
const socket = path.join(dir, 'n');
const from = (name) => require(path.join(modules, name));

const SECRET = 'a secret of forty characters, not a real one';
const WHSEC = `whsec_${Buffer.from('0123456789abcdef01234567')
    .toString('base64')}`;
const URL_ = 'https://hooks.example.com/hook?tenant=3';
const NOW = Math.floor(Date.now() / 1000);

const hmac = (text, encoding = 'hex', secret = SECRET) => crypto
    .createHmac('sha256', secret).update(text).digest(encoding);
const sha256 = (text) => crypto.createHash('sha256').update(text)
    .digest('hex');
const settled = (fn) => Promise.resolve().then(fn)
    .then((value) => value !== false, () => false);

/* name, conf, body, type; sign(body) gives headers, verify(body, headers) */

async function cases() {
    const octokit = await import(path.join(modules,
        '@octokit/webhooks-methods/dist-node/index.js')).catch(() => import(
        path.join(modules, '@octokit/webhooks-methods/dist-bundle/index.js')));
    const jose = await import(path.join(modules,
        'jose/dist/webapi/index.js'));
    const twilio = from('twilio');
    const stripe = from('stripe');
    const webhooks = (stripe.default || stripe).webhooks
        || new (stripe.default || stripe)('sk_test_x').webhooks;
    const slack = from('@slack/bolt');
    const line = from('@line/bot-sdk');
    const vonage = from('@vonage/jwt');
    const discord = from('discord-interactions');
    const messagebird = from('messagebird/lib/webhook-signature-jwt');
    const { EventWebhook } = from('@sendgrid/eventwebhook');
    const { Paddle } = from('@paddle/paddle-node-sdk');

    const ec = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
    const ed = crypto.generateKeyPairSync('ed25519');
    const rsa = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
    const pem = (key) => key.export({ type: 'spki', format: 'pem' });
    const spki = ec.publicKey.export({ type: 'spki', format: 'der' })
        .toString('base64');
    const edHex = ed.publicKey.export({ type: 'spki', format: 'der' })
        .subarray(-32).toString('hex');
    const key = new TextEncoder().encode(SECRET);
    const form = { From: '+15550001', Body: 'Hello & all', MessageSid: 'SM1' };
    const standard = (Webhook, prefix) => ({
        secret: WHSEC,
        sign: (body) => ({ [`${prefix}-id`]: 'msg_1',
            [`${prefix}-timestamp`]: String(NOW),
            [`${prefix}-signature`]: new Webhook(WHSEC).sign('msg_1',
                new Date(NOW * 1000), body) }),
        verify: (body, headers) => !!new Webhook(WHSEC).verify(body, headers),
    });
    const bearer = (alg, signer, verifier, more = '') => ({
        scheme: 'jwt', conf: `algorithms=${alg} issuer=me ${more}`,
        secret: typeof verifier === 'string' ? verifier : SECRET, bodyFree: 1,
        sign: async () => ({ Authorization: `Bearer ${await new jose.SignJWT({})
            .setProtectedHeader({ alg }).setIssuer('me').setIssuedAt()
            .setExpirationTime('1m').sign(signer)}` }),
    });

    return {
        stripe: {
            sign: (payload) => ({ 'Stripe-Signature':
                webhooks.generateTestHeaderString({ payload,
                    secret: SECRET }) }),
            verify: (body, headers) => !!webhooks.constructEvent(body,
                headers['Stripe-Signature'], SECRET),
        },
        github: {
            sign: async (body) => ({ 'X-Hub-Signature-256':
                await octokit.sign(SECRET, body) }),
            verify: (body, headers) => octokit.verify(SECRET, body,
                headers['X-Hub-Signature-256']),
        },
        standard: standard(from('standardwebhooks').Webhook, 'webhook'),
        svix: standard(from('svix').Webhook, 'svix'),
        'twilio form': {
            scheme: 'twilio', conf: `public_url=${URL_}`,
            type: 'application/x-www-form-urlencoded',
            body: new URLSearchParams(form).toString(),
            sign: () => ({ 'X-Twilio-Signature':
                twilio.getExpectedTwilioSignature(SECRET, URL_, form) }),
            verify: (body, headers) => twilio.validateRequest(SECRET,
                headers['X-Twilio-Signature'], URL_,
                Object.fromEntries(new URLSearchParams(body))),
        },
        'twilio json': {
            scheme: 'twilio', conf:
                'public_url=https://hooks.example.com$request_uri',
            query: (body) => `?bodySHA256=${twilio.getExpectedBodyHash(body)}`,
            sign: (body, target) => ({ 'X-Twilio-Signature':
                twilio.getExpectedTwilioSignature(SECRET,
                    `https://hooks.example.com${target}`, {}) }),
            verify: (body, headers, target) => twilio.validateRequestWithBody(
                SECRET, headers['X-Twilio-Signature'],
                `https://hooks.example.com${target}`, body),
        },
        slack: {
            sign: (body) => ({ 'X-Slack-Request-Timestamp': String(NOW),
                'X-Slack-Signature': `v0=${hmac(`v0:${NOW}:${body}`)}` }),
            verify: (body, headers) => slack.isValidSlackRequest({ body,
                signingSecret: SECRET, headers: {
                    'x-slack-signature': headers['X-Slack-Signature'],
                    'x-slack-request-timestamp': NOW } }),
        },
        line: {
            sign: (body) => ({ 'x-line-signature': hmac(body, 'base64') }),
            verify: (body, headers) => line.validateSignature(body, SECRET,
                headers['x-line-signature']),
        },
        paddle: {
            conf: 'tolerance=1m',
            sign: (body) => { const ts = Math.floor(Date.now() / 1000);
                return { 'Paddle-Signature':
                    `ts=${ts};h1=${hmac(`${ts}:${body}`)}` }; },
            verify: (body, headers) => new Paddle('key').webhooks
                .isSignatureValid(body, SECRET, headers['Paddle-Signature']),
        },
        sendgrid: {
            secret: spki,
            sign: (body) => ({
                'X-Twilio-Email-Event-Webhook-Timestamp': String(NOW),
                'X-Twilio-Email-Event-Webhook-Signature': crypto.sign('sha256',
                    Buffer.from(NOW + body), ec.privateKey)
                    .toString('base64') }),
            verify: (body, headers) => { const check = new EventWebhook();
                return check.verifySignature(
                    check.convertPublicKeyToECDSA(spki), body,
                    headers['X-Twilio-Email-Event-Webhook-Signature'],
                    String(NOW)); },
        },
        discord: {
            secret: edHex,
            sign: (body) => ({ 'X-Signature-Timestamp': String(NOW),
                'X-Signature-Ed25519': crypto.sign(null,
                    Buffer.from(NOW + body), ed.privateKey)
                    .toString('hex') }),
            verify: (body, headers) => discord.verifyKey(body,
                headers['X-Signature-Ed25519'], String(NOW), edHex),
        },
        vonage: {
            sign: async (body) => ({ Authorization: `Bearer ${
                await new jose.SignJWT({ payload_hash: sha256(body) })
                    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
                    .setIssuedAt().sign(key)}` }),
            /* the library leaves the body to its caller */
            verify: (body, headers) => { const token = headers.Authorization
                .slice(7);
                return vonage.verifySignature(token, SECRET)
                    && jose.decodeJwt(token).payload_hash === sha256(body); },
        },
        messagebird: {
            conf: `public_url=${URL_}`,
            sign: async (body) => ({ 'MessageBird-Signature-JWT':
                await new jose.SignJWT({ url_hash: sha256(URL_),
                    payload_hash: sha256(body) })
                    .setProtectedHeader({ alg: 'HS256' }).setJti('j')
                    .setIssuer('MessageBird').setIssuedAt().setNotBefore('0s')
                    .setExpirationTime('1m').sign(key) }),
            verify: (body, headers) => messagebird.verify(URL_,
                Buffer.from(body), headers['MessageBird-Signature-JWT'],
                crypto.createSecretKey(Buffer.from(SECRET))).then(() => true),
        },
        'jwt HS512': bearer('HS512', key, 0),
        'jwt RS256': bearer('RS256', rsa.privateKey, pem(rsa.publicKey)),
        'jwt ES256': bearer('ES256', ec.privateKey, pem(ec.publicKey)),
    };
}

function configuration(all) {
    const user = process.getuid() === 0 ? 'user root root;' : '';
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
        .map((name) => `${name}_temp_path ${dir}/${name};`).join(' ');
    const locations = Object.entries(all).map(([name, one], i) => {
        const file = path.join(dir, `secret-${i}`);
        fs.writeFileSync(file, `${one.secret || SECRET}\n`, { mode: 0o600 });
        return `location = /${i} { sluice_verify ${one.scheme || name}
            secret=file:${file} ${one.conf || ''};
            sluice_respond 200 taken; }`;
    });

    return `${user} daemon off; worker_processes 1;
load_module ${root}/build/ngx_http_sluice_module.so;
pid ${dir}/nginx.pid; error_log ${dir}/error.log notice;
events { worker_connections 512; }
http {
    access_log off; ${temporary}
    server { listen unix:${socket}; ${locations.join('\n')} }
}`;
}

function ask(target, body, headers) {
    return new Promise((resolve, reject) => {
        const request = http.request({ socketPath: socket, path: target,
            method: 'POST', headers: { Host: 'hooks.example.com', ...headers,
                'Content-Length': Buffer.byteLength(body) } },
        (response) => {
            response.resume();
            response.on('end', () => resolve(response.statusCode));
        });
        request.on('error', reject);
        request.end(body);
    });
}

async function both(name, one, location) {
    const body = one.body || '{"id":"ev_1","object":"event","type":"a.b"}';
    const target = location + (one.query ? one.query(body) : '');
    const signed = await one.sign(body, target);
    const headers = { 'Content-Type': one.type || 'application/json',
        ...signed };

    tap.is(await ask(target, body, headers), 200, `${name}: signed, taken`);

    if (one.verify) {
        tap.ok(await settled(() => one.verify(body, signed, target)),
            `${name}: the library takes it, too`);
    }

    if (!one.bodyFree) {
        const changed = body.replace(/SM1|ev_1/, 'xxx');

        tap.is(await ask(target, changed, headers), 401,
            `${name}: another body, refused`);
        tap.ok(!await settled(() => one.verify(changed, signed, target)),
            `${name}: by the library, too`);
    }

    for (const field of Object.keys(signed)) {
        const without = { ...headers };
        delete without[field];
        tap.is(await ask(target, body, without), 401,
            `${name}: without ${field}, refused`);
    }
}

async function main() {
    fs.mkdirSync(dir, { recursive: true });
    const all = await cases();
    fs.writeFileSync(path.join(dir, 'nginx.conf'), configuration(all));

    const arguments_ = ['-p', dir, '-c', path.join(dir, 'nginx.conf'), '-e',
        path.join(dir, 'error.log')];
    const test = spawnSync(nginx, ['-t', ...arguments_], { encoding: 'utf8' });
    tap.ok(test.status === 0, 'nginx -t', test.stderr);
    const child = spawn(nginx, arguments_, { stdio: 'ignore' });
    const gone = new Promise((done) => { child.on('exit', done); });
    const kill = () => child.kill('SIGTERM');
    process.on('exit', kill);

    try {
        await tap.until(() => ask('/none', '', {}).then(() => true,
            () => false), 'NGINX');
        let location = 0;
        for (const [name, one] of Object.entries(all)) {
            await both(name, one, `/${location}`);
            location += 1;
        }
    } finally {
        child.kill('SIGQUIT');
        tap.ok(await gone === 0, 'NGINX ends');
        process.off('exit', kill);
    }

    fs.rmSync(dir, { recursive: true, force: true });
}

tap.run(main);
