// SPDX-License-Identifier: MIT
// Each limit an outsider can reach: the answer, and that the server goes on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { held, logfmt, publish, releaseBin, request, startCrier } from './lib/crier.mjs';
import { exchange, Raw, requestBytes } from './lib/raw.mjs';
import { follow } from './lib/sse.mjs';
import { pause, until } from './lib/wait.mjs';

const STREAM = { Accept: 'text/event-stream' };

async function fill(crier, count, headers = {}) {
  const streams = [];
  for (let i = 0; i < count; i++) streams.push(await follow(crier, 'fill', { headers }));
  return streams;
}

// 200, a retry in the range, and a clean end: an EventSource comes back later instead of giving up.
async function kindRefusal(crier, min, max, headers = {}, path = '/events/x') {
  const answer = await exchange(crier, requestBytes('GET', path, { ...STREAM, ...headers }));
  assert.equal(answer.status, 200);
  assert.equal(answer.headers['content-type'], 'text/event-stream');
  const retry = /^retry: (\d+)\n$/.exec(answer.text);
  assert.ok(retry, JSON.stringify(answer.text));
  assert.ok(Number(retry[1]) >= min && Number(retry[1]) <= max, retry[1]);
}

async function plainRefusal(crier, status, code, method, headers = {}) {
  const answer = await exchange(crier, requestBytes(method, '/events/x', headers, method === 'POST' ? 'x' : undefined));
  assert.equal(answer.status, status);
  assert.equal(answer.json().code, code);
  assert.match(answer.headers['retry-after'], /^\d+$/);
}

test('too many connections from one address', async (t) => {
  const crier = await startCrier(t, { args: ['--max-connections-per-address', '5'] });
  const streams = await fill(crier, 5);
  await kindRefusal(crier, 30_000, 60_000);
  await kindRefusal(crier, 30_000, 60_000);
  await plainRefusal(crier, 429, 'too-many-connections', 'GET', { Accept: 'application/json' });
  await plainRefusal(crier, 429, 'too-many-connections', 'POST');
  const warnings = crier.lines.filter((line) => logfmt(line).level === 'warning' && line.includes('max-connections-per-address'));
  assert.equal(warnings.length, 1, crier.log);
  assert.match(warnings[0], /127\.0\.0\.1/);
  for (const stream of streams) stream.close();
  await until(async () => (await request(crier, '/-/health')).status === 200, 'the place was free again');
  const stats = await crier.stats();
  assert.ok(JSON.stringify(stats).includes('over_address_limit'));
  assert.deepEqual(await held(crier, 'x'), []);
});

test('too many connections in all', async (t) => {
  const crier = await startCrier(t, { args: ['--max-connections', '5'] });
  const streams = await fill(crier, 5);
  await kindRefusal(crier, 5_000, 15_000);
  await plainRefusal(crier, 503, 'busy', 'GET', { Accept: 'application/json' });
  await plainRefusal(crier, 503, 'busy', 'POST');
  await publishTo(streams[0]);
  for (const stream of streams) stream.close();
  await until(async () => (await request(crier, '/-/health')).status === 200, 'the place was free again');
});

// The streams that are in go on as if nothing was.
async function publishTo(stream) {
  assert.equal(stream.broken, null);
  assert.equal(stream.done, false);
}

test('behind a trusted proxy each client counts by its own address, IPv6 by /64', async (t) => {
  const crier = await startCrier(t, { args: ['--max-connections-per-address', '2', '--trust-proxy', '127.0.0.0/8'] });
  const from = (address) => ({ 'X-Forwarded-For': address });
  const streams = [];
  for (const address of ['192.0.2.1', '192.0.2.1', '192.0.2.2', '2001:db8:1:2::1', '2001:db8:1:2:ffff::2', '2001:db8:1:3::1',
    '198.51.100.1, 192.0.2.9']) {
    streams.push(await follow(crier, 'x', { headers: from(address) }));
  }
  await kindRefusal(crier, 30_000, 60_000, from('192.0.2.1'));
  await kindRefusal(crier, 30_000, 60_000, from('2001:db8:1:2::3'));
  await kindRefusal(crier, 30_000, 60_000, from('203.0.113.7, 192.0.2.1, 127.0.0.1'));
  streams.push(await follow(crier, 'x', { headers: from('192.0.2.9') }), await follow(crier, 'x', { headers: from('192.0.2.2') }),
    await follow(crier, 'x', { headers: from('2001:db8:1:3::2') }));
  await kindRefusal(crier, 30_000, 60_000, from('192.0.2.9'));
  for (const stream of streams) stream.close();
});

test('X-Forwarded-For is not believed from others', async (t) => {
  const crier = await startCrier(t, { args: ['--max-connections-per-address', '2'] });
  const streams = [await follow(crier, 'x', { headers: { 'X-Forwarded-For': '192.0.2.1' } }), await follow(crier, 'x', { headers: { 'X-Forwarded-For': '192.0.2.2' } })];
  await kindRefusal(crier, 30_000, 60_000, { 'X-Forwarded-For': '192.0.2.3' });
  for (const stream of streams) stream.close();
});

test('no free descriptors: accepting pauses without spinning, and recovers', async (t) => {
  const crier = await startCrier(t, { shell: 'ulimit -n 64; exec "$@"', args: ['--max-connections', '1000'] });
  const waiting = [];
  for (let i = 0; i < 100; i++) {
    const raw = await Raw.connect(crier);
    raw.send(requestBytes('GET', '/events/fd', STREAM));
    waiting.push(raw);
  }
  t.after(() => waiting.forEach((raw) => raw.destroy()));
  await until(() => waiting.filter((raw) => raw.bytesRead > 0).length >= 20, 'as many as fit were served');
  // Two workers that spin would use 200 ticks of CPU in a second; sleeping ones next to none.
  await pause(200);
  const before = crier.cpuTicks;
  await pause(1000);
  assert.ok(crier.cpuTicks - before < 100, `accept spins: ${crier.cpuTicks - before} ticks in a second`);
  const served = waiting.filter((raw) => raw.bytesRead > 0);
  assert.ok(served.length < 100, 'the descriptors were used up');
  for (const raw of served) raw.destroy();
  await until(() => waiting.every((raw) => raw.bytesRead > 0 || raw.closed), 'those that waited were served');
  for (const raw of waiting) raw.destroy();
  await until(async () => {
    try { return (await request(crier, '/-/health')).status === 200; } catch { return false; }
  }, 'all is well again');
  assert.ok((await publish(crier, 'fd', 'x')).id);
});

test('history is bounded by events, bytes and age', async (t) => {
  const events = await startCrier(t, { args: ['--history-events', '100', '--keep-bytes', '1'] });
  const batch = (n, size = 1) => Array.from({ length: n }, (_, i) => `{"data":"${String(i).padEnd(size, '.')}"}`).join('\n');
  const nd = { 'content-type': 'application/x-ndjson' };
  const answer = await request(events, '/events/many', { method: 'POST', body: batch(5000), headers: nd });
  assert.equal(answer.json().published, 5000);
  await until(async () => (await held(events, 'many')).length <= 200, 'what is too much has left');
  const left = await held(events, 'many');
  assert.equal(left.at(-1).data, '4999');

  const bytes = await startCrier(t, { args: ['--history-bytes', '1M'] });
  for (let i = 0; i < 20; i++) {
    const full = await request(bytes, '/events/many', { method: 'POST', body: batch(100, 5000), headers: nd });
    assert.equal(full.status, 201, full.text);
  }
  await until(async () => {
    const list = await held(bytes, 'many');
    return list.reduce((sum, event) => sum + event.data.length, 0) <= 2 * 1024 * 1024;
  }, 'history was within its bytes');

  const age = await startCrier(t, { args: ['--history-age', '1s', '--keep-bytes', '1'] });
  await publish(age, 'old', 'x');
  await until(async () => (await held(age, 'old')).length === 0, 'the event was too old');
});

test('a full memory limit: publishing is refused and said so, everything else goes on', async (t) => {
  const crier = await startCrier(t, { program: releaseBin, workers: 1, shell: 'ulimit -v 400000; exec "$@"', args: ['--history-bytes', '64G', '--history-events', '100000000'] });
  const stream = await follow(crier, 'small', { t });
  await stream.opened();
  const data = 'x'.repeat(1_000_000);
  let refused;
  for (let i = 0; i < 1000 && !refused; i++) {
    const answer = await request(crier, '/events/big', { method: 'POST', body: data });
    if (answer.status !== 201) refused = answer;
  }
  assert.ok(refused, 'memory ran out');
  // Which allocation fails first is chance: history's, or the one for the body.
  assert.ok(['journal-full', 'internal'].includes(refused.json().code), refused.text);
  if (refused.status === 503) assert.match(refused.headers['retry-after'], /^\d+$/);
  const before = (await request(crier, '/events/big?since=last:1', { headers: { accept: 'application/json' } })).status;
  assert.ok([200, 503, 500].includes(before));
  assert.equal((await request(crier, '/events/big', { method: 'DELETE' })).status, 204);
  assert.ok((await publish(crier, 'small', 'again')).id);
  assert.equal((await stream.next()).data, 'again');
});

test('--max-event-size', async (t) => {
  const crier = await startCrier(t, { args: ['--max-event-size', '1K'] });
  assert.equal((await request(crier, '/events/x', { method: 'POST', body: 'x'.repeat(900) })).status, 201);
  const answer = await request(crier, '/events/x', { method: 'POST', body: 'x'.repeat(1100) });
  assert.equal(answer.status, 413);
  assert.match(answer.json().detail, /max-event-size|1024|1,024|1 ?KiB/);
});

test('a head that does not come to its end: 408, closed', async (t) => {
  const crier = await startCrier(t, { args: ['--head-timeout', '1s'] });
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send('GET /events/x HTTP/1.1\r\nHost: local');
  const answer = await raw.response();
  assert.equal(answer.status, 408);
  assert.equal(answer.json().code, 'timeout');
  await raw.when((r) => r.over, 'the close');
});

test('a head that comes drop by drop is not forgiven for that', async (t) => {
  const crier = await startCrier(t, { args: ['--head-timeout', '1s'] });
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send('GET /events/x HTTP/1.1\r\nHost: localhost\r\nX: ');
  const drops = setInterval(() => { if (!raw.over) raw.send('x'); }, 100);
  try {
    assert.equal((await raw.response()).status, 408);
  } finally {
    clearInterval(drops);
  }
});

test('a connection that never says anything is closed', async (t) => {
  const crier = await startCrier(t, { args: ['--head-timeout', '1s', '--idle-timeout', '1s'] });
  const silent = await Raw.connect(crier);
  await silent.when((r) => r.over, 'the close');
  silent.destroy();
  const idle = await Raw.connect(crier);
  idle.send(requestBytes('GET', '/-/health'));
  assert.equal((await idle.response()).status, 200);
  assert.equal((await idle.readToEnd()).length, 0, 'between requests it is closed without a word');
  idle.destroy();
});

test('a body without progress: 408, nothing published', async (t) => {
  const crier = await startCrier(t, { args: ['--body-timeout', '1s', '--publish-pause', '1s'] });
  for (const headers of [{}, { 'Content-Type': 'text/event-stream' }]) {
    const raw = await Raw.connect(crier);
    t.after(() => raw.destroy());
    raw.send(requestBytes('POST', '/events/x', { ...headers, 'Content-Length': 100 }));
    raw.send('data: x');
    const answer = await raw.response();
    assert.equal(answer.status, 408);
    await raw.when((r) => r.over, 'the close');
  }
  assert.deepEqual(await held(crier, 'x'), []);
});

test('a published event stream may pause for longer than a body', async (t) => {
  const crier = await startCrier(t, { args: ['--body-timeout', '1s', '--head-timeout', '1s'] });
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  const other = await Raw.connect(crier);
  t.after(() => other.destroy());
  raw.send(requestBytes('POST', '/events/x', { 'Content-Type': 'text/event-stream', 'Transfer-Encoding': 'chunked' }));
  raw.send('9\r\ndata: 1\n\n\r\n');
  // A plain body beside it runs into the body timeout: by then the pause has been longer than it.
  other.send(requestBytes('POST', '/events/y', { 'Content-Length': 5 }));
  assert.equal((await other.response()).status, 408);
  raw.send('9\r\ndata: 2\n\n\r\n0\r\n\r\n');
  assert.equal((await raw.response()).json().published, 2);
});
