'use strict';

/*
 * The senders' own libraries, one scheme each: which of them signs, and which
 * verifies.  "here": signed by the sender's description, with what Node has.
 *
 *   meta         whatsapp-api-js verifies
 *   twilio       twilio, both
 *   stripe       stripe, both
 *   github       @octokit/webhooks-methods, both
 *   gitlab       standardwebhooks, both, which GitLab's headers are of
 *   slack        @slack/bolt verifies
 *   shopify      @shopify/shopify-api verifies, by both names of the header
 *   standard     standardwebhooks, both
 *   svix         svix, both
 *   square       square verifies; 39, which 40 and later have inside, with
 *                the same check and 70 MB in all
 *   line         @line/bot-sdk verifies
 *   zoom         @zoom/rivet verifies, and answers the handshake
 *   discord      discord-interactions verifies
 *   telegram     grammy verifies; Telegram has no library of its own
 *   viber        viber-bot verifies
 *   sendgrid     @sendgrid/eventwebhook verifies
 *   paddle       @paddle/paddle-node-sdk verifies
 *   mailgun      mailgun-js verifies; the official mailgun.js does not
 *   vonage       @vonage/jwt verifies
 *   messagebird  messagebird verifies
 *   intercom     x-hub-signature, both; intercom-client has no webhooks
 *   linear       @linear/sdk verifies
 *   wasender     wasenderapi verifies
 *   evolution    jose signs: Evolution takes a JWT library, too
 *   jwt          jose, both
 *   hmac         stripe, both, by the settings of docs/schemes.md
 *
 * None is known for gitlab_token (@gitbeaker/rest has no webhooks,
 * gitlab-webhook-handler does not look at the token), waha and api_key: these
 * have the vectors of tests/vectors only.
 */

const crypto = require('crypto');

const SECRET = 'a secret of forty characters, not a real one';
const WHSEC = `whsec_${Buffer.from('0123456789abcdef01234567')
    .toString('base64')}`;
const URL_ = 'https://hooks.example.com/hook?tenant=3';
const NOW = Math.floor(Date.now() / 1000);

const hmac = (text, encoding = 'hex', secret = SECRET) => crypto
    .createHmac('sha256', secret).update(text).digest(encoding);
const sha256 = (text) => crypto.createHash('sha256').update(text)
    .digest('hex');
const pem = (key) => key.export({ type: 'spki', format: 'pem' });

/* Those that sign and verify a list of headers of Standard Webhooks. */

const standard = (Webhook, prefix) => ({
    secret: WHSEC,
    sign: (body) => ({ [`${prefix}-id`]: 'msg_1',
        [`${prefix}-timestamp`]: String(NOW),
        [`${prefix}-signature`]: new Webhook(WHSEC).sign('msg_1',
            new Date(NOW * 1000), body) }),
    verify: (body, headers) => !!new Webhook(WHSEC).verify(body, headers),
});

function stripe() {
    const library = require('stripe');
    const webhooks = (library.default || library).webhooks
        || new (library.default || library)('sk_test_x').webhooks;

    return {
        sign: (payload) => ({ 'Stripe-Signature':
            webhooks.generateTestHeaderString({ payload, secret: SECRET }) }),
        verify: (body, headers) => !!webhooks.constructEvent(body,
            headers['Stripe-Signature'], SECRET),
    };
}

function twilio() {
    const library = require('twilio');
    const fields = { From: '+15550001', Body: 'Hello & all',
        MessageSid: 'ev_1' };
    const at = (target) => `https://hooks.example.com${target}`;

    return {
        'twilio form': {
            scheme: 'twilio', conf: `public_url=${URL_}`,
            type: 'application/x-www-form-urlencoded',
            body: new URLSearchParams(fields).toString(),
            sign: () => ({ 'X-Twilio-Signature':
                library.getExpectedTwilioSignature(SECRET, URL_, fields) }),
            verify: (body, headers) => library.validateRequest(SECRET,
                headers['X-Twilio-Signature'], URL_,
                Object.fromEntries(new URLSearchParams(body))),
        },
        'twilio json': {
            scheme: 'twilio', conf:
                'public_url=https://hooks.example.com$request_uri',
            query: (body) => `?bodySHA256=${library.getExpectedBodyHash(body)}`,
            sign: (body, target) => ({ 'X-Twilio-Signature':
                library.getExpectedTwilioSignature(SECRET, at(target), {}) }),
            verify: (body, headers, target) => library.validateRequestWithBody(
                SECRET, headers['X-Twilio-Signature'], at(target), body),
        },
    };
}

function slack() {
    const bolt = require('@slack/bolt');

    return {
        sign: (body) => ({ 'X-Slack-Request-Timestamp': String(NOW),
            'X-Slack-Signature': `v0=${hmac(`v0:${NOW}:${body}`)}` }),
        verify: (body, headers) => bolt.isValidSlackRequest({ body,
            signingSecret: SECRET, headers: {
                'x-slack-signature': headers['X-Slack-Signature'],
                'x-slack-request-timestamp':
                    Number(headers['X-Slack-Request-Timestamp']) } }),
    };
}

function shopify(prefix) {
    require('@shopify/shopify-api/adapters/node');
    const { ApiVersion, LogSeverity, shopifyApi } =
        require('@shopify/shopify-api');
    const shop = shopifyApi({ apiKey: 'key', apiSecretKey: SECRET,
        hostName: 'hooks.example.com', isEmbeddedApp: false,
        apiVersion: Object.values(ApiVersion)[0],
        logger: { level: LogSeverity.Error } });
    const more = { topic: 'orders/create', 'shop-domain': 'a.myshopify.com',
        'api-version': '2026-10', 'webhook-id': 'w', 'event-id': 'e' };
    const described = Object.fromEntries(Object.entries(more)
        .map(([name, value]) => [`${prefix}${name}`, value]));

    return {
        scheme: 'shopify',
        sign: (body) => ({ [`${prefix}hmac-sha256`]: hmac(body, 'base64') }),
        verify: async (body, headers) => (await shop.webhooks.validate({
            rawBody: body, rawResponse: {}, rawRequest: { method: 'POST',
                url: '/hook', headers: { ...described, ...headers } },
        })).valid,
    };
}

function zoom() {
    const { AwsLambdaReceiver } = require('@zoom/rivet/marketplace');
    const receiver = new AwsLambdaReceiver({ webhooksSecretToken: SECRET });
    const ask = receiver.start();

    /* it tells of each event */
    console.debug = () => {};
    receiver.init({ eventEmitter: { emit: () => {} } });

    return {
        body: JSON.stringify({ event: 'meeting.started', event_ts: NOW,
            payload: { object: { id: 'ev_1' } } }),
        handshake: JSON.stringify({ event: 'endpoint.url_validation',
            event_ts: NOW, payload: { plainToken: 'qgg8vlvZRS6UYooatFL8Aw' } }),
        sign: (body) => ({ 'x-zm-request-timestamp': String(NOW),
            'x-zm-signature': `v0=${hmac(`v0:${NOW}:${body}`)}` }),
        verify: async (body, headers) =>
            (await ask({ body, headers }, {})).statusCode === 200,
        answer: async (body, headers) =>
            JSON.parse((await ask({ body, headers }, {})).body),
    };
}

function telegram() {
    const { Bot, webhookCallback } = require('grammy');

    return {
        body: '{"update_id":1,"poll":{"id":"ev_1"}}',
        tokenOnly: true,
        sign: () => ({ 'X-Telegram-Bot-Api-Secret-Token': SECRET }),
        verify: async (body, headers) => {
            const bot = new Bot('1:x', { botInfo: { id: 1, is_bot: true,
                first_name: 'x', username: 'x' } });
            let taken = true;
            await webhookCallback(bot, () => ({
                update: Promise.resolve(JSON.parse(body)),
                header: headers['X-Telegram-Bot-Api-Secret-Token'],
                respond: () => {}, end: () => {},
                unauthorized: () => { taken = false; },
            }), { secretToken: SECRET })();
            return taken;
        },
    };
}

function sendgrid(ec) {
    const { EventWebhook } = require('@sendgrid/eventwebhook');
    const prefix = 'X-Twilio-Email-Event-Webhook';
    const spki = ec.publicKey.export({ type: 'spki', format: 'der' })
        .toString('base64');

    return {
        secret: spki,
        sign: (body) => ({ [`${prefix}-Timestamp`]: String(NOW),
            [`${prefix}-Signature`]: crypto.sign('sha256',
                Buffer.from(NOW + body), ec.privateKey).toString('base64') }),
        verify: (body, headers) => { const check = new EventWebhook();
            return check.verifySignature(check.convertPublicKeyToECDSA(spki),
                body, headers[`${prefix}-Signature`],
                headers[`${prefix}-Timestamp`]); },
    };
}

function discord() {
    const { verifyKey } = require('discord-interactions');
    const ed = crypto.generateKeyPairSync('ed25519');
    const key = ed.publicKey.export({ type: 'spki', format: 'der' })
        .subarray(-32).toString('hex');

    return {
        secret: key,
        sign: (body) => ({ 'X-Signature-Timestamp': String(NOW),
            'X-Signature-Ed25519': crypto.sign(null, Buffer.from(NOW + body),
                ed.privateKey).toString('hex') }),
        verify: (body, headers) => verifyKey(body,
            headers['X-Signature-Ed25519'], headers['X-Signature-Timestamp'],
            key),
    };
}

/* What is signed is inside of the body, and not the event. */

function mailgun() {
    const library = require('mailgun-js');
    const token = 'ev_1'.padEnd(50, '0');
    const signature = { timestamp: String(NOW), token,
        signature: hmac(NOW + token) };

    return {
        body: JSON.stringify({ signature, 'event-data': { event: 'opened' } }),
        sign: () => ({}),
        verify: (body) => { const { timestamp, token: of, signature: claim } =
            JSON.parse(body).signature;
            return library({ apiKey: SECRET, domain: 'd', mute: true })
                .validateWebhook(timestamp, of, claim); },
    };
}

function tokens(jose, ec) {
    const rsa = crypto.generateKeyPairSync('rsa', { modulusLength: 2048 });
    const key = new TextEncoder().encode(SECRET);
    const shared = crypto.createSecretKey(Buffer.from(SECRET));
    const vonage = require('@vonage/jwt');
    const messagebird = require('messagebird/lib/webhook-signature-jwt');
    const bearer = (alg, signer, verifier) => ({
        scheme: 'jwt', conf: `algorithms=${alg} issuer=me`,
        secret: verifier === key ? SECRET : pem(verifier), tokenOnly: true,
        sign: async () => ({ Authorization: `Bearer ${await new jose.SignJWT({})
            .setProtectedHeader({ alg }).setIssuer('me').setIssuedAt()
            .setExpirationTime('1m').sign(signer)}` }),
        verify: (body, headers) => jose.jwtVerify(
            headers.Authorization.slice(7), verifier, { issuer: 'me' })
            .then(() => true),
    });

    return {
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
                shared).then(() => true),
        },
        evolution: {
            tokenOnly: true,
            sign: async () => ({ Authorization: `Bearer ${
                await new jose.SignJWT({ app: 'evolution', action: 'webhook' })
                    .setProtectedHeader({ alg: 'HS256', typ: 'JWT' })
                    .setIssuedAt().setExpirationTime('10m').sign(key)}` }),
            verify: (body, headers) => jose.jwtVerify(
                headers.Authorization.slice(7), key).then(() => true),
        },
        'jwt HS512': bearer('HS512', key, key),
        'jwt RS256': bearer('RS256', rsa.privateKey, rsa.publicKey),
        'jwt ES256': bearer('ES256', ec.privateKey, ec.publicKey),
    };
}

/*
 * By name, which is the scheme's where "scheme" is not given: "conf", the
 * settings; "secret"; "body" and "type"; "query"(body), what the URL has more;
 * "tokenOnly", nothing of the body is signed; "handshake", a body of one.
 *
 *   sign(body, target)              the headers
 *   verify(body, headers, target)   true; false or an exception: refused
 *   answer(body, headers)           to the handshake
 */

async function senders() {
    const octokit = await import('@octokit/webhooks-methods');
    const jose = await import('jose');
    const { LinearWebhookClient } = await import('@linear/sdk/webhooks');
    const { WhatsAppAPI } = await import('whatsapp-api-js');
    const line = require('@line/bot-sdk');
    const { Paddle } = require('@paddle/paddle-node-sdk');
    const { WebhooksHelper } = require('square');
    const Viber = require('viber-bot/lib/message/message-validator');
    const { verifyWasenderWebhookSignature } = require('wasenderapi');
    const XHub = require('x-hub-signature');
    const hub = new (XHub.default || XHub)('sha1', SECRET);
    const ec = crypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });

    return {
        meta: {
            /* as Meta writes it: no byte above 0x7f, a slash escaped */
            body: '{"object":"a","entry":[{"id":"ev_1","b":"\\u00e9\\/"}]}',
            sign: (body) => ({ 'X-Hub-Signature-256': `sha256=${hmac(body)}` }),
            verify: (body, headers) => new WhatsAppAPI({ token: 't', v: 'v24.0',
                appSecret: SECRET }).verifyRequestSignature(body,
                headers['X-Hub-Signature-256']),
        },
        ...twilio(),
        stripe: stripe(),
        'hmac, as stripe': { ...stripe(), scheme: 'hmac', conf:
            `header=Stripe-Signature separator=comma prefix=v1=
             timestamp=pair:t "signed={timestamp}.{body}"` },
        github: {
            sign: async (body) => ({ 'X-Hub-Signature-256':
                await octokit.sign(SECRET, body) }),
            verify: (body, headers) => octokit.verify(SECRET, body,
                headers['X-Hub-Signature-256']),
        },
        gitlab: standard(require('standardwebhooks').Webhook, 'webhook'),
        standard: standard(require('standardwebhooks').Webhook, 'webhook'),
        svix: standard(require('svix').Webhook, 'svix'),
        slack: slack(),
        'shopify, webhooks': shopify('x-shopify-'),
        'shopify, events': shopify('shopify-'),
        square: {
            conf: `public_url=${URL_}`,
            sign: (body) => ({ 'x-square-hmacsha256-signature':
                hmac(URL_ + body, 'base64') }),
            verify: (body, headers) => WebhooksHelper
                .isValidWebhookEventSignature(body,
                    headers['x-square-hmacsha256-signature'], SECRET, URL_),
        },
        line: {
            sign: (body) => ({ 'x-line-signature': hmac(body, 'base64') }),
            verify: (body, headers) => line.validateSignature(body, SECRET,
                headers['x-line-signature']),
        },
        zoom: zoom(),
        discord: discord(),
        telegram: telegram(),
        viber: {
            sign: (body) => ({ 'X-Viber-Content-Signature': hmac(body) }),
            verify: (body, headers) => new Viber({ debug: () => {} }, SECRET)
                .validateMessage(headers['X-Viber-Content-Signature'], body),
        },
        sendgrid: sendgrid(ec),
        paddle: {
            conf: 'tolerance=1m',
            sign: (body) => { const ts = Math.floor(Date.now() / 1000);
                return { 'Paddle-Signature':
                    `ts=${ts};h1=${hmac(`${ts}:${body}`)}` }; },
            verify: (body, headers) => new Paddle('key').webhooks
                .isSignatureValid(body, SECRET, headers['Paddle-Signature']),
        },
        mailgun: mailgun(),
        intercom: {
            sign: (body) => ({ 'X-Hub-Signature': hub.sign(body) }),
            verify: (body, headers) =>
                hub.verify(headers['X-Hub-Signature'], body),
        },
        linear: {
            body: `{"type":"Issue","id":"ev_1","webhookTimestamp":${NOW}000}`,
            sign: (body) => ({ 'Linear-Signature': hmac(body) }),
            verify: (body, headers) => new LinearWebhookClient(SECRET).verify(
                Buffer.from(body), headers['Linear-Signature']),
        },
        wasender: {
            tokenOnly: true,
            sign: () => ({ 'X-Webhook-Signature': SECRET }),
            verify: (body, headers) => verifyWasenderWebhookSignature(
                headers['X-Webhook-Signature'], SECRET),
        },
        ...tokens(jose, ec),
    };
}

module.exports = { SECRET, senders };
