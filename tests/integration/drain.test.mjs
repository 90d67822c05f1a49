// SPDX-License-Identifier: MIT
// The graceful end, and the change of guard: the port is never unbound, nobody is reset.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { held, publish, ready, request, startCrier } from './lib/crier.mjs';
import { SocketHolder } from './lib/holder.mjs';
import { exchange, Raw, requestBytes } from './lib/raw.mjs';
import { follow } from './lib/sse.mjs';
import { until } from './lib/wait.mjs';

const STREAM = { Accept: 'text/event-stream' };

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal}: every stream gets a retry and its clean end; exit 0`, async (t) => {
    const crier = await startCrier(t);
    const streams = [];
    for (let i = 0; i < 50; i++) streams.push(await follow(crier, `drain/${i % 5}`, { version: i % 10 ? '1.1' : '1.0', keep: true }));
    for (const stream of streams) await stream.opened();
    for (let i = 0; i < 5; i++) await publish(crier, `drain/${i}`, 'last words');
    crier.signal(signal);
    for (const stream of streams) {
      await stream.end();
      assert.deepEqual(stream.events.map((event) => event.data), ['last words'], 'the queues are emptied');
      assert.match(stream.body, /data: last words\n\nretry: \d+\n$/);
      assert.equal(stream.retries.length, 2);
      stream.close();
    }
    assert.deepEqual(await crier.waitExit(), { code: 0, signal: null });
    assert.ok(crier.lines.some((line) => /event=drain/.test(line)), crier.log);
  });
}

test('while it drains the port stays bound and answers', async (t) => {
  const crier = await startCrier(t, { args: ['--drain', '20s'] });
  // A publish that is still running keeps it draining.
  const running = await Raw.connect(crier);
  t.after(() => running.destroy());
  running.send(requestBytes('POST', '/events/run', { 'Content-Length': 5 }));
  running.send('he');
  await until(async () => (await crier.stats()).connections >= 1, 'the connection was counted');
  const kept = await Raw.connect(crier);
  t.after(() => kept.destroy());
  kept.send(requestBytes('GET', '/-/health'));
  assert.equal((await kept.response()).status, 200);

  crier.signal('SIGTERM');
  await crier.waitLog((fields) => /^drain/.test(fields.event), 'it drains');
  const health = await exchange(crier, requestBytes('GET', '/-/health'));
  assert.equal(health.status, 503);
  assert.match(health.text, /draining/);
  const reader = await exchange(crier, requestBytes('GET', '/events/x', STREAM));
  assert.equal(reader.status, 200);
  assert.equal(reader.headers['content-type'], 'text/event-stream');
  const retry = /^retry: (\d+)\n$/.exec(reader.text);
  assert.ok(retry && Number(retry[1]) >= 5000 && Number(retry[1]) <= 15_000, reader.text);
  for (const bytes of [requestBytes('POST', '/events/x', {}, 'x'), requestBytes('GET', '/events/x', { Accept: 'application/json' })]) {
    const answer = await exchange(crier, bytes);
    assert.equal(answer.status, 503);
    assert.equal(answer.json().code, 'draining');
    assert.match(answer.headers['retry-after'], /^\d+$/);
  }
  assert.equal(crier.exit, null);
  running.send('llo');
  const finished = await running.response();
  assert.equal(finished.status, 201, 'a running publish finishes');
  assert.deepEqual(await crier.waitExit(), { code: 0, signal: null });
});

test('the drain time ends it: exit 0 even when a publish never comes to its end', async (t) => {
  const crier = await startCrier(t, { args: ['--drain', '1s'] });
  const running = await Raw.connect(crier);
  t.after(() => running.destroy());
  running.send(requestBytes('POST', '/events/run', { 'Content-Length': 5 }));
  running.send('he');
  const stuck = await Raw.connect(crier);
  t.after(() => stuck.destroy());
  stuck.send(requestBytes('GET', '/events/big', STREAM));
  await stuck.readHead();
  stuck.socket.pause();
  for (let i = 0; i < 30; i++) await publish(crier, 'big', 'x'.repeat(500_000));
  crier.signal('SIGTERM');
  assert.deepEqual(await crier.waitExit(), { code: 0, signal: null });
});

test('a second signal ends it at once', async (t) => {
  const crier = await startCrier(t, { args: ['--drain', '10m'] });
  const running = await Raw.connect(crier);
  t.after(() => running.destroy());
  running.send(requestBytes('POST', '/events/run', { 'Content-Length': 5 }));
  running.send('he');
  await until(async () => (await crier.stats()).connections >= 1, 'the connection was counted');
  crier.signal('SIGTERM');
  await crier.waitLog((fields) => /^drain/.test(fields.event), 'it drains');
  assert.equal(crier.exit, null);
  crier.signal('SIGTERM');
  await crier.waitExit();
});

test('a second crier on the port fails with exit 1 and says why', async (t) => {
  const crier = await startCrier(t);
  const second = await startCrier(t, { listens: [crier.addresses[0]], expectExit: true });
  assert.equal(second.exit.code, 1);
  assert.match(second.log, /in use/i);
  assert.match(second.log, new RegExp(crier.addresses[0]));
  assert.equal((await request(crier, '/-/health')).status, 200, 'the first one does not mind');
});

test('LISTEN_FDS: a handed-in socket is served', async (t) => {
  const holder = await SocketHolder.open(t);
  const crier = await holder.start();
  await ready(holder.port);
  const answer = await request(holder.port, '/events/fd', { method: 'POST', body: 'x' });
  assert.equal(answer.status, 201);
  await holder.end(crier);
});

test('a rolling restart: 1,000 clients connecting all the while, none refused or reset', async (t) => {
  const holder = await SocketHolder.open(t);
  let crier = await holder.start();
  await ready(holder.port);
  const followers = [];
  for (let i = 0; i < 20; i++) followers.push(await follow(holder.port, `roll/${i}`));
  for (const follower of followers) await follower.opened();

  const total = 1000;
  let begun = 0;
  let ended = 0;
  const failures = [];
  const told = { streams: 0, drained: 0, published: 0, refused: 0 };
  const bell = { restarts: 0 };
  async function client() {
    while (begun < total) {
      const number = begun++;
      try {
        const raw = await Raw.connect(holder.port);
        try {
          if (number % 4 === 0) {
            raw.send(requestBytes('POST', '/events/roll/x', {}, `${number}`));
            const answer = await raw.response();
            if (answer?.status === 201) told.published += 1;
            else if (answer?.status === 503) told.refused += 1;
            else throw new Error(`publishing gave ${answer?.status ?? 'no answer'}`);
          } else {
            raw.send(requestBytes('GET', '/events/roll/y', STREAM));
            const head = await raw.readHead();
            if (head?.status !== 200) throw new Error(`following gave ${head?.status ?? 'no answer'}`);
            const first = ('content-length' in head.headers ? await raw.read(Number(head.headers['content-length'])) : await raw.chunk()).toString();
            assert.match(first, /^retry: \d+\n/);
            if (first.includes('crier:connected')) told.streams += 1;
            else told.drained += 1;
          }
        } finally {
          raw.destroy();
        }
      } catch (error) {
        failures.push(`${number}: ${error.code ?? error.message}`);
      }
      ended += 1;
    }
  }
  async function restarts() {
    for (const at of [250, 500, 750]) {
      await until(() => ended >= at, `${at} clients were served`);
      const successor = await holder.start();
      await holder.listening(successor);
      await holder.end(crier);
      crier = successor;
      bell.restarts += 1;
    }
  }
  await Promise.all([restarts(), ...Array.from({ length: 20 }, client)]);
  assert.deepEqual(failures, []);
  assert.equal(bell.restarts, 3);
  assert.equal(ended, total);
  for (const follower of followers) {
    await follower.end(); // cleanly, not cut
    follower.close();
  }
  assert.ok(told.streams > 0 && told.published > 0, JSON.stringify(told));
  await holder.end(crier);
});

test('after a restart a last id of the old life is a gap, told', async (t) => {
  const first = await startCrier(t);
  const { id } = await publish(first, 'life', 'old');
  const address = first.addresses[0];
  await first.stop();
  const second = await startCrier(t, { listens: [address] });
  const stream = await follow(second, 'life', { t, headers: { 'Last-Event-ID': id } });
  await stream.when((s) => s.gaps.length === 1, 'the gap');
  assert.equal(JSON.parse(stream.gaps[0].data).reason, 'unknown');
  await publish(second, 'life', 'new');
  assert.equal((await stream.next()).data, 'new');
  assert.equal((await held(second, 'life')).length, 1);
});
