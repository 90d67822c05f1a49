// SPDX-License-Identifier: MIT
// The graceful end, and the change of guard: the port is never unbound, nobody is reset.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { held, publish, ready, request, startCrier } from './lib/crier.mjs';
import { SocketHolder } from './lib/holder.mjs';
import { Publisher } from './lib/publisher.mjs';
import { exchange, Raw, requestBytes } from './lib/raw.mjs';
import { follow, Stream } from './lib/sse.mjs';
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
  assert.match(second.log, /level=error event=hint .*--listen/, 'and what to do');
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

// ---- what was acknowledged is delivered --------------------------------------------------------------

test('2,000 streams: what was answered with 201 before SIGTERM reaches every one, then the retry and the end', async (t) => {
  const crier = await startCrier(t, { args: ['--drain', '20s', '--max-connections-per-address', '5000'] });
  const streams = [];
  for (let i = 0; i < 2000; i++) streams.push(await follow(crier, 'crowd', { t }));
  for (const stream of streams) await stream.opened();
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  // At once: most streams have still to get it.
  raw.socket.once('data', () => crier.signal('SIGTERM'));
  raw.send(requestBytes('POST', '/events/crowd', {}, 'last words'));
  assert.equal((await raw.response()).status, 201);
  for (const stream of streams) {
    await stream.end();
    assert.deepEqual(stream.events.map((event) => event.data), ['last words']);
    assert.equal(stream.retries.length, 2, 'the farewell');
  }
  assert.deepEqual(await crier.waitExit(), { code: 0, signal: null });
});

test('streams that are in the middle of history when SIGTERM comes get all of it before their end', async (t) => {
  const crier = await startCrier(t, { args: ['--drain', '60s'] });
  const publisher = await Publisher.open(crier);
  const count = 500;
  await publisher.batch('/events/long', Array.from({ length: count }, (_, i) => ({ data: `${i} ${'x'.repeat(1000)}` })));
  publisher.close();
  const raws = await Promise.all(Array.from({ length: 200 }, () => Raw.connect(crier)));
  t.after(() => raws.forEach((raw) => raw.destroy()));
  let signalled = false;
  // They come together, so each has to wait for its turn; the first sign of one is the signal.
  for (const raw of raws) {
    raw.socket.once('data', () => {
      if (!signalled) crier.signal('SIGTERM');
      signalled = true;
    });
    raw.send(requestBytes('GET', '/events/long?since=earliest', STREAM));
  }
  let served = 0;
  for (const raw of raws) {
    const stream = await new Stream(raw, await raw.readHead()).end();
    if (!stream.connected) continue; // it came too late, and was told so
    served += 1;
    assert.deepEqual(stream.events.map((event) => parseInt(event.data, 10)), Array.from({ length: count }, (_, i) => i));
    assert.equal(stream.retries.length, 2, 'the farewell');
  }
  assert.ok(served > 0);
  assert.deepEqual(await crier.waitExit(), { code: 0, signal: null });
});

test('at half of the drain time a slow reader gets the rest of its event, the retry and a clean end', async (t) => {
  const crier = await startCrier(t, { args: ['--drain', '4s'] });
  const publisher = await Publisher.open(crier);
  const count = 200;
  for (let i = 0; i < count; i++) await publisher.one('/events/slow', 'x'.repeat(200_000));
  publisher.close();
  const streams = [];
  for (let i = 0; i < 3; i++) {
    const stream = await follow(crier, '/events/slow?since=earliest', { t });
    const { socket } = stream.raw;
    // At most 64 KiB at a time: 40 MB take these readers far longer than the drain may last.
    socket.on('data', () => {
      socket.pause();
      setTimeout(() => socket.resume(), 10);
    });
    streams.push(stream);
  }
  for (const stream of streams) await stream.until(1);
  crier.signal('SIGTERM');
  for (const stream of streams) {
    await stream.end(); // not cut
    assert.ok(!stream.parser.unfinished, 'no half event');
    assert.ok(stream.events.every((event) => event.data.length === 200_000));
    assert.ok(stream.events.length < count, 'history was longer than the time');
    assert.equal(stream.retries.length, 2, 'the farewell');
  }
  assert.deepEqual(await crier.waitExit(), { code: 0, signal: null });
});

test('a streamed publish in progress at SIGTERM: 503 draining, which says what was published and what not', async (t) => {
  const crier = await startCrier(t, { args: ['--drain', '20s'] });
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  const text = 'data: whole\n\ndata: half\n';
  raw.send(requestBytes('POST', '/events/cut', { 'Transfer-Encoding': 'chunked', 'Content-Type': 'text/event-stream' }));
  raw.send(`${text.length.toString(16)}\r\n${text}\r\n`);
  await until(async () => (await held(crier, 'cut')).length === 1, 'the whole block was published');
  crier.signal('SIGTERM');
  const answer = await raw.response();
  assert.equal(answer.status, 503);
  assert.match(answer.headers['retry-after'], /^\d+$/);
  const problem = answer.json();
  assert.equal(problem.code, 'draining');
  assert.equal(problem.published, 1);
  assert.equal(problem.incomplete, true);
  assert.equal(problem.first, problem.last);
  assert.match(problem.first, /^\d+-\d+$/);
  raw.destroy();
  assert.deepEqual(await crier.waitExit(), { code: 0, signal: null });
});

test('while one worker is still busy, every new connection gets its draining answer, on whichever worker', async (t) => {
  const crier = await startCrier(t, { workers: 4, args: ['--drain', '30s'] });
  const running = await Raw.connect(crier);
  t.after(() => running.destroy());
  running.send(requestBytes('POST', '/events/run', { 'Content-Length': 5 }));
  running.send('he');
  await until(async () => (await crier.stats()).connections >= 2, 'the connection was counted');
  crier.signal('SIGTERM');
  await crier.waitLog((fields) => /^drain/.test(fields.event), 'it drains');
  for (let round = 0; round < 20; round++) {
    const answers = await Promise.all(Array.from({ length: 20 }, () => exchange(crier, requestBytes('GET', '/events/x', STREAM))));
    for (const answer of answers) {
      assert.equal(answer?.status, 200);
      assert.match(answer.text, /^retry: \d+\n$/);
    }
  }
  running.send('llo');
  assert.equal((await running.response()).status, 201);
  assert.deepEqual(await crier.waitExit(), { code: 0, signal: null });
});

test('draining answers carry the CORS headers they are due', async (t) => {
  const origin = 'https://app.example';
  const crier = await startCrier(t, { args: ['--drain', '30s', '--cors-origin', origin] });
  const running = await Raw.connect(crier);
  t.after(() => running.destroy());
  running.send(requestBytes('POST', '/events/run', { 'Content-Length': 5 }));
  running.send('he');
  await until(async () => (await crier.stats()).connections >= 2, 'the connection was counted');
  crier.signal('SIGTERM');
  await crier.waitLog((fields) => /^drain/.test(fields.event), 'it drains');
  const cases = [
    [requestBytes('GET', '/events/x', { ...STREAM, Origin: origin }), [200]],
    [requestBytes('GET', '/events/x', { Accept: 'application/json', Origin: origin }), [503]],
    [requestBytes('POST', '/events/x', { Origin: origin }, 'x'), [503]],
    [requestBytes('OPTIONS', '/events/x', { Origin: origin, 'Access-Control-Request-Method': 'PUT' }), [204, 503]],
  ];
  for (const [bytes, statuses] of cases) {
    const answer = await exchange(crier, bytes);
    assert.ok(statuses.includes(answer.status), answer.head);
    assert.equal(answer.headers['access-control-allow-origin'], origin, answer.head);
  }
  running.send('llo');
  assert.equal((await running.response()).status, 201);
});
