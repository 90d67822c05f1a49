// SPDX-License-Identifier: MIT
// In front of Crier: nginx as Debian configures it, and the very files of docs/proxies, with only names and
// ports changed. Events arrive one by one, and publishing needs the token.
import assert from 'node:assert/strict';
import { existsSync, readFileSync } from 'node:fs';
import { describe, test } from 'node:test';
import { publish, request, root, startCrier } from './lib/crier.mjs';
import { program, startProxy } from './lib/proxy.mjs';
import { Raw, requestBytes } from './lib/raw.mjs';
import { follow } from './lib/sse.mjs';

const TOKEN = 'correct-horse-battery-staple';
const file = (name) => readFileSync(`${root}docs/proxies/${name}`, 'utf8');
const change = (text, ...changes) => changes.reduce((before, [from, to]) => {
  assert.ok(before.includes(from), `the file has ${from}`);
  return before.replaceAll(from, to);
}, text);
const absent = (name) => (program(name) ? false : `${name} is not installed`);

// One event after the other: each is published only when the one before has arrived.
async function oneByOne(t, port, publishOne, host, extra = {}) {
  const stream = await follow(port, '/events/proxied', { t, host, ...extra });
  await stream.opened();
  assert.ok(stream.connected, 'the opening is not held back');
  for (let i = 0; i < 5; i++) {
    await publishOne(`${i}`);
    assert.equal((await stream.next()).data, `${i}`);
  }
  const again = await follow(port, '/events/proxied', { t, host, headers: { 'Last-Event-ID': stream.events[2].id }, ...extra });
  await again.until(2);
  assert.deepEqual(again.events.map((event) => event.data), ['3', '4'], 'resuming works through it');
  stream.close();
  again.close();
}

describe('nginx, default configuration of the package', { skip: absent('nginx') }, () => {
  // Debian's nginx.conf with its paths moved, and nothing of ours but proxy_pass.
  function configuration(folder, port, hub) {
    const packaged = '/etc/nginx/nginx.conf';
    const main = existsSync(packaged) ? readFileSync(packaged, 'utf8') : 'events {}\nhttp {\ninclude /etc/nginx/sites-enabled/*;\n}\n';
    return main
      .replace(/^user .*;$/m, '').replace(/^pid .*;$/m, `pid ${folder}/nginx.pid;\ndaemon off;`)
      .replaceAll('/var/log/nginx', folder)
      .replace(/include \/etc\/nginx\/modules-enabled\/\*\.conf;/, '')
      .replace(/include \/etc\/nginx\/conf\.d\/\*\.conf;/, '')
      .replace(/include \/etc\/nginx\/sites-enabled\/\*;/, `
        client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
        server { listen 127.0.0.1:${port}; location / { proxy_pass http://127.0.0.1:${hub}; } }`);
  }

  test('events arrive one by one', async (t) => {
    const crier = await startCrier(t);
    const port = await startProxy(t, (folder, p) => ({ 'nginx.conf': configuration(folder, p, crier.port) }),
      (folder) => [program('nginx'), '-p', folder, '-e', `${folder}/error.log`, '-c', `${folder}/nginx.conf`]);
    await oneByOne(t, port, (data) => publish(crier, 'proxied', data));
    const far = await request(port, '/events/proxied', { method: 'POST', body: 'x' });
    assert.equal(far.status, 403, 'what a proxy hands on is not local');
  });

  test('compressed responses are asked for: still one by one', async (t) => {
    const crier = await startCrier(t);
    const port = await startProxy(t, (folder, p) => ({ 'nginx.conf': configuration(folder, p, crier.port).replace('gzip on;', 'gzip on; gzip_types text/event-stream; gzip_min_length 0; gzip_proxied any;') }),
      (folder) => [program('nginx'), '-p', folder, '-e', `${folder}/error.log`, '-c', `${folder}/nginx.conf`]);
    await oneByOne(t, port, (data) => publish(crier, 'proxied', data));
  });
});

const proxies = {
  nginx: (hub) => [
    (folder, port) => ({ 'nginx.conf': `daemon off; pid ${folder}/pid; error_log ${folder}/error.log;\nevents {}\nhttp {\naccess_log off;
      client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f; uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
      ${change(file('nginx.conf'), ['listen 80;', `listen 127.0.0.1:${port};`], ['127.0.0.1:8080', `127.0.0.1:${hub}`])}}\n` }),
    (folder) => [program('nginx'), '-p', folder, '-e', `${folder}/error.log`, '-c', `${folder}/nginx.conf`]],
  haproxy: (hub) => [
    (folder, port) => ({ 'haproxy.cfg': change(file('haproxy.cfg'), ['bind :80', `bind 127.0.0.1:${port}`], ['127.0.0.1:8080', `127.0.0.1:${hub}`]) }),
    (folder) => [program('haproxy'), '-db', '-f', `${folder}/haproxy.cfg`]],
  caddy: (hub) => [
    (folder, port) => ({ Caddyfile: `{\n\tadmin off\n\tauto_https off\n}\n${change(file('Caddyfile'), ['hub.example {', `http://hub.example:${port} {\n\tbind 127.0.0.1`], ['127.0.0.1:8080', `127.0.0.1:${hub}`])}` }),
    (folder) => [program('caddy'), 'run', '--config', `${folder}/Caddyfile`, '--adapter', 'caddyfile']],
};

for (const [name, make] of Object.entries(proxies)) {
  describe(`docs/proxies: ${name}`, { skip: absent(name) }, () => {
    async function start(t) {
      const crier = await startCrier(t, { args: ['--host', 'hub.example', '--trust-proxy', '127.0.0.1/32'], env: { CRIER_PUBLISH_TOKEN: TOKEN } });
      const port = await startProxy(t, ...make(crier.port));
      const host = `hub.example:${port}`;
      const publishOne = async (data, headers = { Authorization: `Bearer ${TOKEN}` }) => {
        const raw = await Raw.connect(port);
        raw.send(requestBytes('POST', '/events/proxied', { ...headers, Connection: 'close' }, data, { host }));
        const answer = await raw.response();
        raw.destroy();
        return answer;
      };
      return { crier, port, host, publishOne };
    }

    test('events arrive one by one, HTTP/1.0 clients too', async (t) => {
      const { port, host, publishOne } = await start(t);
      await oneByOne(t, port, async (data) => assert.equal((await publishOne(data)).status, 201), host);
      const old = await follow(port, '/events/old', { t, host, version: '1.0' });
      await old.opened();
      assert.ok(old.connected);
    });

    test('publishing needs the token, and it comes through', async (t) => {
      const { publishOne } = await start(t);
      const missing = await publishOne('x', {});
      assert.equal(missing.status, 401);
      assert.equal(missing.headers['www-authenticate'], 'Bearer');
      assert.equal((await publishOne('x', { Authorization: 'Bearer wrong-wrong-wrong-wrong' })).status, 401);
      assert.equal((await publishOne('x')).status, 201);
    });

    test('topics, stats and wide selectors are not public behind it', async (t) => {
      const { port, host } = await start(t);
      for (const path of ['/-/topics', '/-/stats', '/events/**']) {
        assert.equal((await request(port, path, { headers: { host, accept: 'application/json' } })).status, 401, path);
      }
      assert.equal((await request(port, '/-/health', { headers: { host } })).status, 200);
    });

    test('NDJSON arrives line by line', async (t) => {
      const { port, host, publishOne } = await start(t);
      const raw = await Raw.connect(port);
      t.after(() => raw.destroy());
      raw.send(requestBytes('GET', '/events/proxied', { Accept: 'application/x-ndjson' }, undefined, { host }));
      await raw.readHead();
      await raw.when((r) => r.peek().includes('crier:connected'), 'the opening');
      await publishOne('one');
      await raw.when((r) => r.peek().includes('"one"'), 'the first');
      await publishOne('two');
      await raw.when((r) => r.peek().includes('"two"'), 'the second');
    });

    test('a published stream goes through as it comes', async (t) => {
      const { crier, port, host } = await start(t);
      const reader = await follow(crier, 'piped', { t });
      await reader.opened();
      const raw = await Raw.connect(port);
      t.after(() => raw.destroy());
      raw.send(requestBytes('POST', '/events/piped', { Authorization: `Bearer ${TOKEN}`, 'Content-Type': 'text/event-stream', 'Transfer-Encoding': 'chunked' }, undefined, { host }));
      for (const data of ['a', 'b', 'c']) {
        raw.send(`9\r\ndata: ${data}\n\n\r\n`);
        assert.equal((await reader.next()).data, data);
      }
      raw.send('0\r\n\r\n');
      assert.equal((await raw.response()).json().published, 3);
    });

    test("each client counts by its own address", async (t) => {
      const crier = await startCrier(t, { args: ['--host', 'hub.example', '--trust-proxy', '127.0.0.1/32', '--max-connections-per-address', '3'], env: { CRIER_PUBLISH_TOKEN: TOKEN } });
      const port = await startProxy(t, ...make(crier.port));
      const streams = [];
      // All are 127.0.0.1 to the proxy; 127.0.0.2 is another address of this machine.
      for (const localAddress of ['127.0.0.1', '127.0.0.2', '127.0.0.3', '127.0.0.4', '127.0.0.5']) {
        const stream = await follow(port, '/events/many', { t, host: `hub.example:${port}`, localAddress });
        await stream.opened();
        assert.ok(stream.connected, localAddress);
        streams.push(stream);
      }
      streams.forEach((stream) => stream.close());
    });
  });
}

test('the README shows the very files of docs/proxies', () => {
  const readme = readFileSync(`${root}README.md`, 'utf8');
  for (const name of ['nginx.conf', 'haproxy.cfg', 'Caddyfile']) assert.ok(readme.includes(file(name).trim()), name);
});
