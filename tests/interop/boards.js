'use strict';

/*
 * bull-board and Arena, in a real browser, on queues that our scripts have
 * filled and that sluiced works on: what they show, and what their buttons do.
 * The pages are kept as build/log/board-*.png.
 *
 *   node tests/interop/boards.js
 */

const fs = require('fs');
const path = require('path');
const { createRequire } = require('module');
const { House, closing, is, ok, root, run, until } =
    require('../worker/house');
const { Sluice } = require('../lua/scripts');

const witness = createRequire(path.join(__dirname, 'boards', 'package.json'));
const puppeteer = witness('puppeteer-core');
const express = witness('express');
const { createBullBoard } = witness('@bull-board/api');
const { BullMQAdapter } = witness('@bull-board/api/bullMQAdapter');
const { ExpressAdapter } = witness('@bull-board/express');

const bullmq = { 5: witness('bullmq5'), 6: witness('bullmq') };
const browsers = ['/usr/bin/chromium-headless-shell', '/usr/bin/chromium'];
const HOUR = 3600000;

const CDN = {
    'combine/npm/jquery': ['jquery/dist/jquery.min.js',
        'bootstrap/dist/js/bootstrap.min.js'],
    'bootstrap.min.css': ['bootstrap/dist/css/bootstrap.min.css'],
    'highlight.min.js': ['@highlightjs/cdn-assets/highlight.min.js'],
    'default.min.css': ['@highlightjs/cdn-assets/styles/default.min.css'],
};


/* ------------------------------------------------------------ the browser */

class Page {
    static async open(base) {
        const executablePath = browsers.find((file) => fs.existsSync(file));
        if (!executablePath) {
            throw new Error(`no browser: ${browsers.join(', ')}`);
        }
        const browser = await puppeteer.launch({ executablePath,
            headless: 'shell', args: ['--no-sandbox'] });
        closing.push(() => browser.close());
        const page = new Page();
        page.base = base;
        page.page = await browser.newPage();
        await page.page.setViewport({ width: 1400, height: 1000 });
        page.page.on('dialog', (dialog) => dialog.accept());
        page.page.on('request', (request) => page.answer(request));
        await page.page.setRequestInterception(true);
        return page;
    }

    /* what Arena has from the network comes from npm; nothing leaves here */
    answer(request) {
        const url = request.url();
        if (url.startsWith(this.base)) {
            return request.continue();
        }
        const files = Object.keys(CDN).find((name) => url.includes(name));
        if (!files) {
            return request.abort();
        }
        return request.respond({
            contentType: url.endsWith('.css') ? 'text/css' : 'text/javascript',
            body: CDN[files].map((file) => fs.readFileSync(path.join(__dirname,
                'boards', 'node_modules', file), 'utf8')).join('\n') });
    }

    async go(where) {
        await this.page.goto(this.base + where);
    }

    text() {
        return this.page.evaluate(() => document.body.innerText);
    }

    /* until the page says so; what it said at last when it never does */
    async says(pattern, name) {
        let text;
        try {
            await until(async () => {
                text = await this.text();
                return pattern.test(text);
            }, name);
            ok(true, name);
        } catch (e) {
            ok(false, name, `${pattern}\n${text}`);
        }
    }

    async shot(name) {
        const log = path.join(root, 'build', 'log');
        fs.mkdirSync(log, { recursive: true });
        await this.page.screenshot({ path: path.join(log,
            `board-${name}.png`) });
    }

    /* presses what fits a selector and says that text, once it is there */
    press(selector, text = '') {
        return until(() => this.page.evaluate((css, label) => {
            const found = [...document.querySelectorAll(css)]
                .find((e) => e.innerText.trim() === label);
            if (found) {
                found.click();
            }
            return Boolean(found);
        }, selector, text), `a button ${selector} "${text}"`);
    }
}


/* -------------------------------------------------------------- the queue */

class Filled {
    constructor(house, major) {
        this.house = house;
        this.major = major;
        this.name = `orders${major}`;
        this.sluice = new Sluice(house.redis, major, `bull:${this.name}:`);
        this.queue = new bullmq[major].Queue(this.name,
            { connection: house.connection });
        this.queue.on('error', () => {});
        closing.push(() => this.queue.close());
    }

    async fill() {
        const s = this.sluice;
        const name = 'ship';
        await s.add({ id: 'e-done', name });
        await s.take(1);
        await s.finish([{ id: 'e-done', value: '{"sent":true}' }]);
        await s.add({ id: 'e-dead', name });
        await s.take(1);
        await s.finish([{ id: 'e-dead', reason: 'no such number',
            stacktrace: '["Error: no such number\\n    at send"]' }]);
        await s.add({ id: 'e-busy', name });
        await s.take(1);
        await s.add({ id: 'e-1', name, data: '{"order":4711}' },
            { id: 'e-2', name }, { id: 'e-3', name },
            { id: 'e-prior', name, priority: 10 },
            { id: 'e-later', name, delay: HOUR });
        await s.insert('e-parent', { attempts: 0 }, { name, children: 1 });
        await s.schedule('tick', Date.now() + 2 * HOUR, { every: 2 * HOUR },
            { name: 'tick' });
    }

    state(id) {
        return this.queue.getJob(id).then((job) => job && job.getState());
    }

    becomes(id, state, name) {
        return until(async () => await this.state(id) === state,
            `${id} ${state}`).then(() => ok(true, name),
            async () => is(await this.state(id), state, name));
    }
}


/* ------------------------------------------------------------- bull-board */

const RETRY = 'button:has(svg.lucide-refresh-cw)';
const PROMOTE = 'button:has(svg.lucide-corner-up-left)';
const REMOVE = 'button:has(svg.lucide-trash2)';
const MENU = 'button[aria-haspopup=menu]:has(svg.lucide-ellipsis-vertical)';

class BullBoard {
    constructor(page, filled) {
        this.page = page;
        this.filled = filled;
        this.say = (name) => `bull-board, v${filled.major}: ${name}`;
    }

    go(status) {
        return this.page.go(`/bb/queue/${this.filled.name}?status=${status}`);
    }

    /* the numbers beside the names of the states */
    async counts(expected, name) {
        let got;
        const wanted = JSON.stringify(expected);
        await until(async () => {
            await this.go('latest');
            await until(async () => /LATEST/.test(await this.page.text()),
                'the page');
            const lines = (await this.page.text()).split('\n');
            got = Object.fromEntries(Object.keys(expected).map((state) => {
                const i = lines.lastIndexOf(state);
                return [state, /^\d+$/.test(lines[i + 1]) ? +lines[i + 1] : 0];
            }));
            return JSON.stringify(got) === wanted;
        }, name).catch(() => {});
        is(got, expected, this.say(name));
    }

    async confirm() {
        await this.page.press('button', 'Confirm');
    }

    async menu(item) {
        await this.page.press(MENU);
        await this.page.press('[role=menuitem]', item);
        await this.confirm();
    }

    async shows() {
        const { page, say } = this;
        await this.counts({ ACTIVE: 1, WAITING: 3, 'WAITING CHILDREN': 1,
            PRIORITIZED: 1, COMPLETED: 1, FAILED: 1, DELAYED: 2,
            Schedulers: 1 }, 'each state');
        ok(/No workers/.test(await page.text()), say('no worker yet'));
        await page.shot(`bull${this.filled.major}-latest`);
        await this.go('failed');
        await page.says(/e-dead\s+ship[^]*no such number\s+at send/,
            say('why a job failed, and where'));
        await page.shot(`bull${this.filled.major}-failed`);
        await this.go('completed');
        await page.says(/e-done[^]*returnValue:\{\s+sent:true/,
            say('the result'));
        await this.go('waiting');
        await page.says(/e-1\s+ship[^]*order:4711/, say('the data'));
        await this.go('delayed');
        await page.says(/repeat:tick:\d+[^]*e-later|e-later[^]*repeat:tick:\d+/,
            say('the run of a scheduler, and what is delayed'));
    }

    async presses() {
        const { page, filled, say } = this;
        await this.go('failed');
        await page.press(RETRY);
        await this.confirm();
        await filled.becomes('e-dead', 'waiting', say('retry'));
        await page.go(`/bb/queue/${filled.name}/e-later`);
        await page.press(PROMOTE);
        await this.confirm();
        await filled.becomes('e-later', 'waiting', say('promote'));
        await page.go(`/bb/queue/${filled.name}/e-3`);
        await page.press(REMOVE);
        await this.confirm();
        await until(async () => !await filled.queue.getJob('e-3'), 'removed');
        ok(true, say('remove'));
    }

    async live() {
        const { page, filled, say } = this;
        await this.counts({ ACTIVE: 1, WAITING: 0, PRIORITIZED: 0,
            COMPLETED: 6, FAILED: 0, DELAYED: 1 }, 'sluiced did all of it');
        ok(!/No workers/.test(await page.text()),
            say('sluiced is its worker'));
        await this.menu('Pause');
        await until(() => filled.queue.isPaused(), 'the pause');
        await filled.sluice.add({ id: 'e-paused', name: 'ship' });
        await this.go(filled.major === 5 ? 'paused' : 'waiting');
        await page.says(/e-paused/, say('a paused queue keeps its jobs'));
        await page.shot(`bull${filled.major}-paused`);
        await this.menu('Resume');
        await filled.becomes('e-paused', 'completed', say('resume'));

        /* its "clean" leaves what is newer than 5 s */
        await filled.house.redis.zadd(`bull:${filled.name}:completed`, 1,
            'e-done');
        await this.go('completed');
        await page.press(REMOVE, 'Clean all');
        await this.confirm();
        await until(async () => !await filled.queue.getJob('e-done'), 'clean');
        ok(await filled.queue.getJob('e-paused'), say('clean, what is old'));
    }
}


/* ------------------------------------------------------------------ Arena */

async function arena(page, filled) {
    const at = `/arena/sluice/${filled.name}`;
    const say = (name) => `Arena: ${name}`;
    /* its buttons load the page anew: the next one must not be too early */
    const leave = (...what) => Promise.all([page.page.waitForNavigation(),
        page.press(...what)]);

    await page.go('/arena/');
    ok(await page.page.$(`a[href="${at}"]`), say('the queue'));
    await page.go(at);
    await page.says(new RegExp('3\\s+waiting\\s+1\\s+prioritized\\s+1\\s+active'
        + '\\s+1\\s+completed\\s+1\\s+failed\\s+2\\s+delayed\\s+0\\s+paused'
        + '\\s+1\\s+waiting-children', 'i'), say('each state'));
    await page.shot('arena-queue');
    await page.go(`${at}/e-dead`);
    await page.says(/Failed[^]*no such number[^]*at send/,
        say('why a job failed, and where'));
    await page.shot('arena-job');
    await leave('button.js-retry-job', 'Retry');
    await filled.becomes('e-dead', 'waiting', say('retry'));
    await page.go(`${at}/e-later`);
    await leave('button.js-promote-job', 'Promote');
    await filled.becomes('e-later', 'waiting', say('promote'));
    await page.go(`${at}/e-3`);
    await leave('button.js-remove-job', 'Remove');
    await until(async () => !await filled.queue.getJob('e-3'), 'removed');
    ok(true, say('remove'));
}


/* ------------------------------------------------------------------ all */

function serve(house, queues) {
    const adapter = new ExpressAdapter();
    adapter.setBasePath('/bb');
    createBullBoard({ serverAdapter: adapter,
        queues: queues.map((filled) => new BullMQAdapter(filled.queue)) });

    /* its last version knows no BullMQ 6: Queue.client is gone there */
    const shown = witness('bull-arena')({ BullMQ: bullmq[5].Queue,
        queues: [{ type: 'bullmq', name: queues[0].name, hostId: 'sluice',
            redis: house.connection }] },
    { basePath: '/arena', disableListen: true });

    const app = express();
    app.use('/bb', adapter.getRouter());
    app.use('/', shown);
    return new Promise((done) => {
        const server = app.listen(0, '127.0.0.1', () => {
            closing.push(() => server.closeAllConnections());
            closing.push(() => server.close());
            done(`http://127.0.0.1:${server.address().port}`);
        });
    });
}

run(async () => {
    const house = new House('boards');
    await house.startRedis();
    const queues = [new Filled(house, 5), new Filled(house, 6)];
    const page = await Page.open(await serve(house, queues));

    await queues[0].fill();
    await arena(page, queues[0]);
    await queues[0].queue.obliterate({ force: true });

    for (const filled of queues) {
        const board = new BullBoard(page, filled);
        await house.redis.del(`bull:${filled.name}:e-parent`,
            `bull:${filled.name}:waiting-children`);
        await filled.fill();
        await board.shows();
        await board.presses();
        const worker = house.run(`queue "${filled.name}" {`
            + ` prefix = "bull" kind = noop bullmq = ${filled.major} }`);
        await worker.ready();
        await board.live();
        is(await worker.stop(), 0, board.say('sluiced ends with 0'));
    }
});
