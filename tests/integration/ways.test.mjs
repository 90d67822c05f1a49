// SPDX-License-Identifier: MIT
// The client through proxies: which one it takes, what it tells it, and what it says when that does not work.
import assert from 'node:assert/strict';
import { after, test } from 'node:test';
import { Authority } from './lib/certificates.mjs';
import { client } from './lib/client.mjs';
import { run } from './lib/command.mjs';
import { chunk, event, freePort, head, lastChunk, published, scripted } from './lib/scripted.mjs';
import { forwardProxy } from './lib/ways.mjs';

const authority = new Authority(after);
const good = authority.server('good', 'DNS:localhost,IP:127.0.0.1,IP:0.0.0.0');
const trust = ['--ca-file', authority.file];
const stream = (...parts) => head() + parts.map(chunk).join('');
// This machine by an address that is no loopback one: the proxies of the environment are asked for it.
const away = (server, scheme = 'http') => `${scheme}://0.0.0.0:${server.port}`;
const once = (connection) => connection.end(stream(event('1', 'x')) + lastChunk);

test('http goes through a proxy by absolute-form, with credentials for the proxy alone', async (t) => {
  const proxy = await forwardProxy(t);
  const server = await scripted(t, once);
  const follower = client(t, `${server.url}/a?b=c`, ['--proxy', `http://us%40er:pa%20ss@${proxy.address}`, '--bearer', 'tok', '--events', '2']);
  await follower.over();
  assert.deepEqual(follower.data, ['x', 'x']);
  const [asked] = proxy.asked;
  assert.deepEqual([asked.method, asked.target], ['GET', `${server.url}/a?b=c`]);
  assert.equal(asked.authorization, `Basic ${Buffer.from('us@er:pa ss').toString('base64')}`);
  assert.equal(asked.headers.host, `127.0.0.1:${server.port}`);
  const { target, headers } = server.connections[0].request;
  assert.equal(target, '/a?b=c');
  assert.equal(headers.get('authorization'), 'Bearer tok');
  assert.ok(!headers.has('proxy-authorization'));
});

test('https goes through it by CONNECT, and the proxy sees nothing else', async (t) => {
  const proxy = await forwardProxy(t);
  const server = await scripted(t, once, { secure: good });
  const follower = client(t, `https://localhost:${server.port}/a`, [...trust, '--proxy', `user:pass@${proxy.address}`, '--bearer', 'tok',
    '--events', '2']);
  await follower.over();
  assert.deepEqual(follower.data, ['x', 'x']);
  assert.equal(proxy.asked.length, 2);
  const [{ method, target, authorization, headers }] = proxy.asked;
  assert.deepEqual([method, target, headers.host], ['CONNECT', `localhost:${server.port}`, `localhost:${server.port}`]);
  assert.equal(authorization, `Basic ${Buffer.from('user:pass').toString('base64')}`);
  assert.ok(!('authorization' in headers));
  assert.equal(server.connections[0].request.target, '/a');
  assert.ok(!server.connections[0].request.headers.has('proxy-authorization'));
});

test('a certificate is looked at behind a proxy too', async (t) => {
  const proxy = await forwardProxy(t);
  const server = await scripted(t, once, { secure: good });
  const follower = client(t, `https://localhost:${server.port}/`, ['--proxy', proxy.url]);
  assert.match((await follower.over()).reason, /^certificate verify failed: /);
});

test('each redirect finds its own way', async (t) => {
  const proxy = await forwardProxy(t);
  const secure = await scripted(t, once, { secure: good });
  const server = await scripted(t, (connection) => connection.answer('307 X', { Location: `${away(secure, 'https')}/` }));
  const follower = client(t, server.url, [...trust, '--events', '1'], { env: { https_proxy: proxy.url } });
  await follower.over();
  assert.deepEqual(proxy.asked.map(({ method }) => method), ['CONNECT']);
});

// Which variables count: [environment, options, does the proxy see it?], for http and for https.
const choices = [
  ['http', {}, [], false],
  ['http', { http_proxy: 'P' }, [], true],
  ['http', { HTTP_PROXY: 'P' }, [], false], // httpoxy
  ['http', { https_proxy: 'P', HTTPS_PROXY: 'P' }, [], false],
  ['http', { all_proxy: 'P' }, [], true],
  ['http', { ALL_PROXY: 'P' }, [], true],
  ['http', { http_proxy: '', all_proxy: 'P' }, [], true],
  ['http', { http_proxy: 'P', no_proxy: '0.0.0.0' }, [], false],
  ['http', { http_proxy: 'P', NO_PROXY: 'example.org, 0.0.0.0:PORT' }, [], false],
  ['http', { http_proxy: 'P', no_proxy: '0.0.0.0:1' }, [], true],
  ['http', { http_proxy: 'P', no_proxy: '*' }, [], false],
  ['http', { http_proxy: 'P' }, ['--proxy', ''], false],
  ['http', { http_proxy: 'http://127.0.0.1:1', no_proxy: '*' }, ['--proxy', 'P'], true],
  ['https', { https_proxy: 'P' }, [], true],
  ['https', { HTTPS_PROXY: 'P' }, [], true],
  ['https', { http_proxy: 'P' }, [], false],
  ['https', { all_proxy: 'P' }, [], true],
  ['https', { https_proxy: 'P', no_proxy: '.0.0.0.0' }, [], false],
  ['https', { https_proxy: 'P', no_proxy: '0,0.0' }, [], true],
];
for (const [scheme, env, args, seen] of choices) {
  test(`${scheme} with ${JSON.stringify(env)} ${args.join(' ')}: ${seen ? 'through' : 'past'} the proxy`, async (t) => {
    const proxy = await forwardProxy(t);
    const server = await scripted(t, once, { secure: scheme === 'https' ? good : null });
    const fill = (text) => text.replace('PORT', server.port).replace(/^P$/, proxy.url);
    const follower = client(t, `${away(server, scheme)}/`,
      [...trust, ...args.map(fill), '--events', '1'],
      { env: Object.fromEntries(Object.entries(env).map(([name, value]) => [name, fill(value)])) });
    await follower.over();
    assert.equal(proxy.asked.length, seen ? 1 : 0);
  });
}

test('a proxy that cannot be used is told when it would be, and only then', async (t) => {
  const server = await scripted(t, once);
  for (const [proxy, words] of [['socks5://127.0.0.1:1080', 'only http proxies'], ['http://:x', 'malformed'], ['http://a%zz@b', 'percent-encoded']]) {
    const follower = client(t, away(server), [], { env: { all_proxy: proxy } });
    const { over, reason } = await follower.over();
    assert.equal(over, 'CRIER_OVER');
    assert.ok(reason.startsWith('the proxy cannot be used: ') && reason.includes(words), reason);
    assert.deepEqual(follower.downs.map(({ down }) => down), ['invalid']);
    const past = client(t, away(server), ['--events', '1'], { env: { all_proxy: proxy, no_proxy: '0.0.0.0' } });
    await past.over();
    const here = client(t, server.url, ['--events', '1'], { env: { all_proxy: proxy } });
    await here.over();
  }
});

test('a proxy that is not there is an outage, and named', async (t) => {
  const port = await freePort();
  for (const url of ['http://example.invalid/', 'https://example.invalid/']) {
    const follower = client(t, url, ['--proxy', `http://127.0.0.1:${port}`, '--downs', '2']);
    await follower.over();
    assert.deepEqual(follower.downs.map(({ down, again, reason }) => [down, again, reason]),
      Array(2).fill(['unreachable', true, 'cannot connect to the proxy 127.0.0.1: connection refused']));
  }
});

for (const [status, again] of [['407 Proxy Authentication Required', false], ['403 Forbidden', false], ['302 Found', false],
  ['502 Bad Gateway', true], ['503 Service Unavailable', true], ['429 Too Many Requests', true]]) {
  test(`a CONNECT that is refused with ${status} is told`, async (t) => {
    const proxy = await forwardProxy(t, { refuse: () => status });
    const follower = client(t, 'https://example.invalid/', ['--proxy', proxy.url, '--downs', '1']);
    await follower.over();
    const [down] = follower.downs;
    assert.deepEqual([down.down, down.status, down.again], ['unreachable', Number(status.slice(0, 3)), again]);
    assert.equal(down.reason, `the proxy does not connect to the server: ${status}`);
  });
}

test('a proxy that refuses for now says for how long', async (t) => {
  const proxy = await forwardProxy(t, { refuse: () => '503 Service Unavailable\r\nRetry-After: 7' });
  const follower = client(t, 'https://example.invalid/', ['--proxy', proxy.url, '--downs', '1']);
  await follower.over();
  const { delay } = follower.downs[0];
  assert.ok(delay >= 7000 && delay < 8000, String(delay));
});

test('a proxy that answers CONNECT with nonsense, with too much, or not at all', async (t) => {
  const answers = [
    ['garbage\r\n\r\n', /^the proxy failed: the answer is not well-formed HTTP$/],
    ['HTTP/1.1 200 OK\r\n\r\nand more', /^the proxy failed: the proxy speaks in the server's place$/],
    [`HTTP/1.1 200 ${'x'.repeat(200_000)}`, /^the proxy failed: the head of the answer does not end$/],
    ['HTTP/1.1 200', /^the proxy failed: the proxy closed the connection$/],
    [null, /^the proxy does not answer$/],
  ];
  for (const [bytes, words] of answers) {
    const proxy = await scripted(t, (connection) => {
      assert.equal(connection.request.method, 'CONNECT');
      if (bytes !== null) connection.end(bytes);
    });
    const follower = client(t, 'https://example.invalid/', ['--proxy', proxy.url, '--connect', bytes === null ? '100' : '20000', '--downs', '1']);
    await follower.over();
    assert.match(follower.downs[0].reason, words);
    assert.deepEqual([follower.downs[0].down, follower.downs[0].again], ['unreachable', true]);
  }
});

test('an http proxy that wants credentials is the end, in words', async (t) => {
  const proxy = await forwardProxy(t, { refuse: () => '407 Proxy Authentication Required' });
  const follower = client(t, 'http://example.invalid/', ['--proxy', proxy.url]);
  const { over, reason } = await follower.over();
  assert.deepEqual([over, reason], ['CRIER_OVER', '407 Proxy Authentication Required']);
});

test('crier sub and crier pub take the proxies of the environment', async (t) => {
  const proxy = await forwardProxy(t);
  const server = await scripted(t, async (connection) => {
    if (connection.request.method === 'GET') connection.send(stream(event('1', 'x')));
    else {
      await connection.readBody();
      published(connection);
    }
  });
  const env = { http_proxy: proxy.url };
  assert.equal((await run(t, ['sub', '-u', away(server), '-n', '1', 'news'], { env })).stdout, 'x\n');
  assert.equal((await run(t, ['pub', '-u', away(server), 'news', 'x'], { env })).status, 0);
  assert.deepEqual(proxy.asked.map(({ method, target }) => [method, target]),
    [['GET', `${away(server)}/events/news`], ['POST', `${away(server)}/events/news`]]);
});
