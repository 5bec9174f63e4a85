'use strict';

/*
 * NGINX with the module in front of a House, as two tenants would have it, and
 * clients for it.  SLUICE_NGINX names an NGINX that has the module inside.
 */

const { spawn, spawnSync } = require('child_process');
const crypto = require('crypto');
const fs = require('fs');
const http = require('http');
const path = require('path');
const house = require('../worker/house');

const { until, dir, root, closing } = house;

const ACME = '498877665544332';
const GLOBEX = '498877665544999';

/* the locations of contrib/demo, with what a test needs to tell jobs apart */
const SERVER = `
    client_max_body_size    4m;
    client_body_buffer_size 64k;

    location /hooks/meta/ {
        sluice_verify  meta secret=$app_secret verify_token=$verify_token;
        sluice_enqueue events tenant=$tenant;
    }

    location /split/ {
        sluice_verify  meta secret=acme-app-secret secret=globex-app-secret;
        sluice_enqueue events tenant=$owner;
        sluice_split   meta;
        sluice_dedupe  event;
    }

    location /counted/ {
        sluice_verify  meta secret=acme-app-secret;
        sluice_enqueue counted tenant=acme id=e-$http_x_event_id;
    }

    location ~ ^/v[0-9.]+/[0-9]+/messages$ {
        sluice_verify  api_key secret=$api_key;
        sluice_json    $to /to;
        sluice_enqueue messages tenant=$tenant name=cloud_api.message
                       id=m-$http_idempotency_key;
        sluice_respond 200 application/json '{"messages":[{"id":"$sluice_job_id"}]}';
    }

    location = /sluice/status { sluice_status; }
    location = /sluice/health { sluice_health; }
`;

const HTTP = `
    map $uri $tenant {
        /hooks/meta/acme                      acme;
        /hooks/meta/globex                    globex;
        ~^/v[0-9.]+/${ACME}/messages$    acme;
        ~^/v[0-9.]+/${GLOBEX}/messages$    globex;
    }
    map "$sluice_secret_index $sluice_item_number" $owner {
        "1 ${ACME}"    acme;
        "2 ${GLOBEX}"    globex;
    }
    map $tenant $app_secret {
        acme    acme-app-secret;
        globex  globex-app-secret;
    }
    map $tenant $verify_token { acme acme-verify-token; }
    map $tenant $api_key {
        acme    acme-api-key;
        globex  globex-api-key;
    }
`;

/* where webhooks go: to one job each, or "/split" */
const HOOK = process.env.EDGE_HOOK || '/hooks/meta';

/* more parameters of sluice_redis, as "connections=4" */
const REDIS = process.env.EDGE_REDIS || '';

const sign = (body, secret = 'acme-app-secret') => ({
    'X-Hub-Signature-256': `sha256=${crypto.createHmac('sha256', secret)
        .update(body).digest('hex')}` });

const alive = (pid) => {
    try {
        return !/\) Z/.test(fs.readFileSync(`/proc/${pid}/stat`, 'utf8'));
    } catch (e) {
        return false;
    }
};


class Edge {
    constructor(name, redis, { server = SERVER, options = '', more = '',
        daemon = false } = {})
    {
        this.daemon = daemon;
        this.home = path.join(dir, name);
        this.socket = path.join(dir, `${name}.n`);
        this.log = path.join(this.home, 'error.log');
        this.file = path.join(this.home, 'nginx.conf');
        this.agent = new http.Agent({ keepAlive: true, maxSockets: 64 });
        fs.mkdirSync(this.home, { recursive: true });
        fs.writeFileSync(this.file, this.text(redis, server, options, more));
    }

    text(redis, server, options, more) {
        const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
            .map((what) => `${what}_temp_path ${this.home}/${what};`).join(' ');
        const module = process.env.SLUICE_NGINX ? ''
            : `load_module ${root}/build/ngx_http_sluice_module.so;`;

        return `${module} daemon ${this.daemon ? 'on' : 'off'}; worker_processes 2;
${process.getuid() === 0 ? 'user root root;' : ''}
pid ${this.home}/nginx.pid; error_log ${this.log} notice;
events { worker_connections 1024; }
http {
    access_log off; ${temporary}
    sluice_redis ${redis} ${options} ${REDIS};
    ${HTTP}
    ${more}
    server { listen unix:${this.socket}; ${server} }
}
`;
    }

    arguments() {
        return ['-p', this.home, '-c', this.file, '-e', this.log];
    }

    binary() {
        return process.env.SLUICE_NGINX || '/usr/sbin/nginx';
    }

    test() {
        const done = spawnSync(this.binary(), ['-t', ...this.arguments()],
            { encoding: 'utf8' });
        return { code: done.status, err: done.stderr };
    }

    async start() {
        const child = spawn(this.binary(), this.arguments(),
            { stdio: ['ignore', 'ignore', 'pipe'] });
        this.err = '';
        child.stderr.on('data', (data) => { this.err += data; });
        this.ended = new Promise((done) => {
            child.on('exit', (code, signal) => done(signal || code));
        });
        this.pid = child.pid;      /* of the master, also after an upgrade */

        if (this.daemon) {
            if (await this.ended !== 0) {
                throw new Error(`NGINX does not start: ${this.err}`);
            }
            this.pid = await until(() => this.read(), 'its number');
        }

        /* killed, the master would leave its processes behind */
        if (!this.watched) {
            this.watched = true;
            process.on('exit', () => this.signal('SIGTERM'));
            process.once('SIGTERM', () => process.exit(1));
            closing.push(() => this.stop('SIGTERM'));
        }

        await until(() => this.get('/sluice/status').then(
            (answer) => answer.status > 0, () => false), 'NGINX');
        return this;
    }

    signal(name, pid = this.pid) {
        if (alive(pid)) {
            process.kill(pid, name);
        }
    }

    /* its exit status; that of the start for a daemon, which is no child */
    async stop(signal = 'SIGQUIT') {
        this.signal(signal);
        const code = await this.ended;
        await until(() => !alive(this.pid), 'NGINX to end');
        this.agent.destroy();
        return code;
    }

    /* all of it at once, as when the machine stops; it may be started again */
    async kill() {
        this.signal('SIGSTOP');
        const all = [this.pid, ...this.processes()];
        all.forEach((pid) => this.signal('SIGKILL', pid));
        await until(() => !all.some(alive), 'NGINX to be gone');
        fs.unlinkSync(this.socket);
    }

    processes(pid = this.pid) {
        return fs.readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
            .trim().split(' ').filter(Boolean).map(Number)
            .filter((child) => child !== this.pid && alive(child));
    }

    /* a reload; the time that the old processes took to leave */
    async reload() {
        const old = this.processes();
        const began = Date.now();
        this.signal('SIGHUP');
        await until(() => !old.some(alive), 'the old processes to leave');
        await until(() => this.processes().length === 2, 'the new processes');
        return Date.now() - began;
    }

    /*
     * A binary upgrade, as nginx.org has it: USR2, WINCH, QUIT.  NGINX takes it
     * only when its parent is another than that which started it: a daemon.
     */
    async upgrade() {
        const old = this.pid;
        const processes = this.processes();
        this.signal('SIGUSR2');
        this.pid = await until(() => {
            const now = this.read();
            return now !== old && now;
        }, 'a new master');
        await until(() => this.processes().length === 2, 'its processes');
        this.signal('SIGWINCH', old);
        await until(() => !processes.some(alive), 'the old processes to leave');
        this.signal('SIGQUIT', old);
        await until(() => !alive(old), 'the old master to leave');
    }

    /* the master that the file names, 0 for none */
    read() {
        try {
            return Number(fs.readFileSync(`${this.home}/nginx.pid`, 'utf8'));
        } catch (e) {
            return 0;
        }
    }

    async status() {
        return JSON.parse((await this.get('/sluice/status')).text);
    }

    /* what nobody wants to read there, but for what a test expects */
    complaints(expected = /(?!)/) {
        return fs.readFileSync(this.log, 'utf8').split('\n')
            .filter((line) => /\[(alert|crit|emerg)\]|Sanitizer|runtime error/
                .test(line) && !expected.test(line));
    }

    ask(method, uri, body = '', headers = {}, agent = this.agent) {
        return new Promise((done, fail) => {
            const request = http.request({ socketPath: this.socket, path: uri,
                method, agent, headers: { 'Content-Type': 'application/json',
                    'Content-Length': Buffer.byteLength(body), ...headers } },
            (answer) => {
                let text = '';
                answer.on('data', (data) => { text += data; });
                answer.on('error', fail);
                answer.on('end', () => done({ status: answer.statusCode,
                    headers: answer.headers, text }));
            });
            request.on('error', fail);
            request.end(body);
        });
    }

    get(uri) {
        return this.ask('GET', uri);
    }

    hook(tenant, body, headers = sign(body, `${tenant}-app-secret`)) {
        return this.ask('POST', `${HOOK}/${tenant}`, body, headers);
    }

    /* as an application does; its id */
    async message(tenant, to, headers = {}, text = 'hello') {
        const number = tenant === 'acme' ? ACME : GLOBEX;
        const answer = await this.ask('POST', `/v26.0/${number}/messages`,
            JSON.stringify({ messaging_product: 'whatsapp', to, type: 'text',
                text: { body: text } }),
            { Authorization: `Bearer ${tenant}-api-key`, ...headers });
        if (answer.status === 200) {
            answer.id = JSON.parse(answer.text).messages[0].id;
        }
        return answer;
    }
}


/*
 * So many lanes, each a connection that posts one event after the other.  An
 * event that got no answer at all is posted again, as each sender does, under
 * the same id; one that was refused is not.
 */

class Load {
    constructor(edge, lanes, post, retries = true) {
        this.edge = edge;
        this.post = post;
        this.retries = retries;
        this.next = 0;
        this.broken = [];          /* ids without an answer, one each time */
        this.answers = new Map();  /* id -> answer */
        this.accepted = 0;         /* of them 200 */
        this.lanes = Array.from({ length: lanes }, () => this.lane());
    }

    async lane() {
        const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
        while (!this.ended) {
            this.next += 1;
            await this.event(String(this.next), agent);
        }
        agent.destroy();
    }

    async event(id, agent) {
        for (;;) {
            try {
                const answer = await this.post(this.edge, id, agent);
                this.answers.set(id, answer);
                this.accepted += answer.status === 200;
                return;
            } catch (e) {
                this.broken.push(id);
                if (!this.retries) {
                    return;
                }
                await new Promise((done) => { setTimeout(done, 2); });
            }
        }
    }

    async stop() {
        this.ended = true;
        await Promise.all(this.lanes);
    }

    /* until so many more were answered */
    more(n) {
        const from = this.answers.size;
        return until(() => this.answers.size >= from + n, `${n} answers`);
    }

    ids(status) {
        return [...this.answers].filter(([, answer]) =>
            answer.status === status).map(([id]) => id);
    }

    others(...statuses) {
        return [...this.answers].filter(([, answer]) =>
            !statuses.includes(answer.status));
    }
}

/* a signed webhook for the queue "counted", which nobody works on */
function counted(edge, id, agent) {
    const body = JSON.stringify({ object: 'whatsapp_business_account',
        entry: [{ id, changes: [] }], pad: 'x'.repeat(400) });
    return edge.ask('POST', '/counted/', body,
        { 'X-Event-Id': id, ...sign(body) }, agent);
}

/* the ids of its jobs, without the kind */
async function jobs(redis) {
    const ids = await redis.lrange('{acme}:counted:wait', 0, -1);
    return ids.map((id) => id.replace(/^e-/, ''));
}

function select(file, text) {
    const done = spawnSync('sqlite3', ['-json', '-cmd', '.timeout 5000',
        path.join(dir, file), text], { encoding: 'utf8', maxBuffer: 1 << 28 });
    return done.stdout ? JSON.parse(done.stdout) : [];
}

const rows = (file, where = '1') => select(file, 'select * from'
    + ` communication_logs where ${where} order by message_id`);

/* for waiting: cheaper than the rows */
function count(file, where = '1') {
    const [row] = select(file,
        `select count(*) as n from communication_logs where ${where}`);
    return row ? row.n : 0;
}

/* a generator of numbers from 0 to 1, the same for the same seed */
function random(seed) {
    let x = (seed * 2654435761) >>> 0 || 1;
    return () => {
        x ^= x << 13; x >>>= 0;
        x ^= x >>> 17;
        x ^= x << 5; x >>>= 0;
        return x / 4294967296;
    };
}

const SEED = Number(process.env.FAULT_SEED) || Date.now() % 100000;

module.exports = { HOOK, ...house, Edge, Load, counted, jobs, rows, count, random,
    sign, alive, SEED, SERVER, ACME, GLOBEX };
