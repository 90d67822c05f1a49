// SPDX-License-Identifier: MIT
// Clients people use: npm eventsource, @microsoft/fetch-event-source, curl.
import assert from 'node:assert/strict';
import { execFile, spawn } from 'node:child_process';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { held, publish, request, scopeOf, startCrier } from './lib/crier.mjs';
import { Bell, until } from './lib/wait.mjs';

const run = promisify(execFile);
const curl = async (...args) => (await run('curl', ['-sS', '--max-time', '25', ...args])).stdout;

let crier;
const scope = scopeOf(after);
before(async () => { crier = await startCrier(scope); });

const major = Number(process.versions.node.split('.')[0]);
const needs20 = major >= 20 ? false : `this client needs node 20, here is ${process.versions.node}`;

test('npm eventsource: messages, named events, resume over a restart, the gap', { skip: needs20 }, async (t) => {
  const { EventSource } = await import('eventsource');
  const own = await startCrier(t);
  const source = new EventSource(`${own.url}/events/es`);
  t.after(() => source.close());
  const bell = new Bell();
  const seen = [];
  const gaps = [];
  let opens = 0;
  source.onopen = () => { opens += 1; bell.ring(); };
  source.onerror = () => bell.ring();
  source.onmessage = (event) => { seen.push(['message', event.data, event.lastEventId]); bell.ring(); };
  source.addEventListener('tick', (event) => { seen.push(['tick', event.data, event.lastEventId]); bell.ring(); });
  source.addEventListener('crier:gap', (event) => { gaps.push(JSON.parse(event.data)); bell.ring(); });
  source.addEventListener('crier:connected', () => bell.ring());
  await bell.when(() => opens === 1, 'open');
  const first = await publish(own, 'es', 'two\nlines', '?retry=500');
  const second = await publish(own, 'es', 'typed', '?event=tick');
  const third = await publish(own, 'es', '');
  await bell.when(() => seen.length === 3, 'three events');
  assert.deepEqual(seen, [['message', 'two\nlines', first.id], ['tick', 'typed', second.id], ['message', '', third.id]]);

  const address = own.addresses[0];
  await own.stop();
  const next = await startCrier(t, { listens: [address] });
  await bell.when(() => gaps.length === 1, 'the gap after the restart');
  assert.equal(gaps[0].requested, third.id);
  await publish(next, 'es', 'after');
  await bell.when(() => seen.length === 4, 'the event after the restart');
  assert.equal(seen[3][1], 'after');
  source.close();
});

test('fetch-event-source: neither loops nor sees an empty message', async (t) => {
  // It was written for browsers: it wants a document and a window.
  globalThis.document ??= { hidden: false, addEventListener() {}, removeEventListener() {} };
  globalThis.window ??= globalThis;
  const { fetchEventSource } = await import('@microsoft/fetch-event-source');
  const bell = new Bell();
  const messages = [];
  const errors = [];
  let opens = 0;
  const control = new AbortController();
  t.after(() => control.abort());
  const done = fetchEventSource(`${crier.url}/events/fes?heartbeat=1`, {
    signal: control.signal,
    openWhenHidden: true,
    fetch: globalThis.fetch,
    async onopen(response) { assert.equal(response.headers.get('content-type'), 'text/event-stream'); opens += 1; bell.ring(); },
    onmessage(message) { messages.push(message); bell.ring(); },
    onerror(error) { errors.push(error); bell.ring(); throw error; },
  }).catch((error) => errors.push(error));
  await bell.when(() => messages.length === 1, 'the opening event');
  assert.equal(messages[0].event, 'crier:connected');
  const { id } = await publish(crier, 'fes', 'one');
  await publish(crier, 'fes', 'two', '?event=tick');
  await bell.when(() => messages.length === 3, 'two events');
  // Two heartbeats pass (stats would not tell which stream; the third event comes after them).
  const beats = (await crier.stats()).heartbeats;
  await until(async () => (await crier.stats()).heartbeats >= beats + 2, 'two heartbeats');
  await publish(crier, 'fes', 'three');
  await bell.when(() => messages.length === 4, 'the third event');
  assert.deepEqual(messages.slice(1).map(({ id: _, retry, ...rest }) => rest), [
    { event: '', data: 'one' }, { event: 'tick', data: 'two' }, { event: '', data: 'three' }]);
  assert.equal(messages[1].id, id);
  assert.equal(opens, 1, 'it did not loop');
  control.abort();
  await done;
  assert.deepEqual(errors, []);
});

test('the first example of the README', async () => {
  const stream = spawn('curl', ['-sN', '--max-time', '25', `${crier.url}/events/news`], { stdio: ['ignore', 'pipe', 'inherit'] });
  let text = '';
  const bell = new Bell();
  stream.stdout.setEncoding('utf8');
  stream.stdout.on('data', (part) => { text += part; bell.ring(); });
  try {
    await bell.when(() => text.includes('crier:connected'), 'the opening');
    assert.match(await curl('-d', 'hello', `${crier.url}/events/news`), /^\{"id":"\d+-\d+","topic":"news"\}/);
    await bell.when(() => text.includes('data: hello\n\n'), 'the event');
  } finally {
    stream.kill();
  }
});

for (const version of ['--http1.0', '--http1.1']) {
  test(`curl ${version}`, async () => {
    const topic = `curl${version.replaceAll(/[^0-9]/g, '')}`;
    const stream = spawn('curl', [version, '-sNi', '--max-time', '25', `${crier.url}/events/${topic}`], { stdio: ['ignore', 'pipe', 'inherit'] });
    let text = '';
    const bell = new Bell();
    stream.stdout.setEncoding('utf8');
    stream.stdout.on('data', (part) => { text += part; bell.ring(); });
    try {
      await bell.when(() => text.includes('crier:connected'), 'the opening');
      for (const word of ['one', 'two']) {
        await publish(crier, topic, word);
        await bell.when(() => text.includes(`data: ${word}\n\n`), word);
      }
      assert.match(text, /^HTTP\/1\.1 200 OK\r\n/);
    } finally {
      stream.kill();
    }
    const list = JSON.parse(await curl(version, '-H', 'Accept: application/json', `${crier.url}/events/${topic}`));
    assert.deepEqual(list.map((event) => event.data), ['one', 'two']);
  });
}

test('curl: PUT, HEAD, DELETE, a batch from a file, a large body (with Expect)', async () => {
  assert.match(await curl('-X', 'PUT', '-d', 'x', `${crier.url}/events/curl`), /"id"/);
  assert.match(await curl('-I', `${crier.url}/events/curl`), /text\/event-stream/);
  assert.match(await curl('--data-binary', `@${new URL('../package.json', import.meta.url).pathname}`, `${crier.url}/events/curl-file`), /"id"/);
  const big = spawn('curl', ['-sS', '--max-time', '25', '-H', 'Expect: 100-continue', '--data-binary', '@-', `${crier.url}/events/curl-big`], { stdio: ['pipe', 'pipe', 'inherit'] });
  big.stdin.end('y'.repeat(900_000));
  let answer = '';
  for await (const part of big.stdout) answer += part;
  assert.match(answer, /"id"/);
  assert.equal((await held(crier, 'curl-big'))[0].data.length, 900_000);
  assert.equal(await curl('-X', 'DELETE', '-w', '%{http_code}', `${crier.url}/events/curl-big`), '204');
});

test('curl pipes one topic into another', async (t) => {
  const from = spawn('curl', ['-sSN', '--max-time', '25', `${crier.url}/events/pipe/a`], { stdio: ['ignore', 'pipe', 'inherit'] });
  const to = spawn('curl', ['-sST', '-', '--max-time', '25', '-H', 'Content-Type: text/event-stream', `${crier.url}/events/pipe/b`], { stdio: [from.stdout, 'ignore', 'inherit'] });
  t.after(() => { from.kill(); to.kill(); });
  await until(async () => (await request(crier, '/-/topics/pipe/a')).json().subscribers === 1, 'the pipe was laid');
  await publish(crier, 'pipe/a', 'x');
  await until(async () => (await held(crier, 'pipe/b')).length === 1, 'the first came through');
  await publish(crier, 'pipe/a', 'y', '?event=tick');
  await until(async () => (await held(crier, 'pipe/b')).length === 2, 'the second came through');
  assert.deepEqual((await held(crier, 'pipe/b')).map((event) => [event.event, event.data]), [['message', 'x'], ['tick', 'y']]);
});
