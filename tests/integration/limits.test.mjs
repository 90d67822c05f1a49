// SPDX-License-Identifier: MIT
// Each limit an outsider can reach: the answer, and that the server goes on.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { held, logfmt, publish, releaseBin, request, startCrier } from './lib/crier.mjs';
import { folder } from './lib/folder.mjs';
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

test('one warning for each address that goes over its limit, not one for each refusal', async (t) => {
  const crier = await startCrier(t, { args: ['--max-connections-per-address', '1', '--trust-proxy', '127.0.0.0/8'] });
  const addresses = ['192.0.2.1', '192.0.2.2'];
  const streams = [];
  for (const address of addresses) streams.push(await follow(crier, 'x', { t, headers: { 'X-Forwarded-For': address } }));
  for (let i = 0; i < 5; i++) {
    for (const address of addresses) await kindRefusal(crier, 30_000, 60_000, { 'X-Forwarded-For': address });
  }
  const warned = () => crier.lines.map(logfmt).filter((line) => line.level === 'warning').map((line) => line.peer).sort();
  assert.deepEqual(warned(), addresses, crier.log);
  assert.equal((await crier.stats()).over_address_limit, 10);
  for (const stream of streams) stream.close();
});

test('the refusals of limits carry the CORS headers they are due', async (t) => {
  const origin = 'https://app.example';
  const crier = await startCrier(t, { args: ['--max-connections-per-address', '1', '--cors-origin', origin] });
  const [stream] = await fill(crier, 1);
  for (const [accept, status] of [['text/event-stream', 200], ['application/json', 429]]) {
    const answer = await exchange(crier, requestBytes('GET', '/events/x', { Accept: accept, Origin: origin }));
    assert.equal(answer.status, status);
    assert.equal(answer.headers['access-control-allow-origin'], origin, answer.head);
    assert.equal(answer.headers['access-control-allow-credentials'], 'true');
    assert.match(answer.headers['access-control-expose-headers'], /Retry-After/);
  }
  stream.close();
});

test('pages of history that nobody takes are bounded; when they are gone, history is there again', async (t) => {
  const crier = await startCrier(t, { workers: 1 });
  for (let i = 0; i < 3; i++) await publish(crier, 'pages', 'x'.repeat(900_000));
  const ask = (query) => requestBytes('GET', `/events/pages?since=earliest${query}`, { Accept: 'application/json' });
  const greedy = [];
  t.after(() => greedy.forEach((raw) => raw.destroy()));
  let refused;
  // 40 pages are 80 MB, a worker bears 32.
  while (!refused && greedy.length < 40) {
    const raw = await Raw.connect(crier);
    greedy.push(raw);
    raw.socket.pause();
    raw.send(ask(''));
    const answer = await exchange(crier, ask('&limit=1'));
    if (answer.status !== 200) refused = answer;
  }
  assert.equal(refused?.status, 503, 'never refused');
  assert.equal(refused.json().code, 'busy');
  assert.match(refused.headers['retry-after'], /^\d+$/);
  assert.ok(greedy.length > 8, 'not before it must be');
  assert.ok((await publish(crier, 'other', 'x')).id, 'everything else goes on');
  for (const raw of greedy) raw.destroy();
  await until(async () => (await exchange(crier, ask('&limit=1'))).status === 200, 'history was there again');
});

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

// ---- every limit has a flag, and a counter that says when it was reached ----------------------

async function shown(t, args, flags) {
  const crier = await startCrier(t, { args: [...args, ...Object.entries(flags).flatMap(([flag, [value]]) => [`--${flag}`, value])] });
  return (await crier.stats()).limits;
}

const named = (flags) => Object.fromEntries(Object.values(flags).map(([, name, value]) => [name, value]));

test('/-/stats shows every limit with the value its flag gave it', async (t) => {
  const flags = {
    'max-connections': ['77', 'connections', 77],
    'max-connections-per-address': ['66', 'connections_per_address', 66],
    'max-target-size': ['1K', 'target_bytes', 1024],
    'max-head-size': ['2K', 'head_bytes', 2048],
    'max-headers': ['33', 'headers', 33],
    'max-chunk-extensions': ['34', 'chunk_extension_bytes', 34],
    'max-trailer-size': ['35', 'trailer_bytes', 35],
    'max-event-size': ['36K', 'event_bytes', 36 * 1024],
    'history-events': ['37', 'history_events', 37],
    'history-bytes': ['1M', 'history_bytes', 1024 * 1024],
    'history-age': ['38s', 'history_age_ms', 38_000],
    'keep-bytes': ['39', 'keep_bytes', 39],
    'unread-bytes': ['2M', 'unread_bytes', 2 * 1024 * 1024],
    'lap-time': ['1500ms', 'lap_time_ms', 1500],
    'max-keys': ['40', 'keys', 40],
    'key-age': ['41s', 'key_age_ms', 41_000],
    'max-floors': ['42', 'floors', 42],
    'max-page-size': ['43K', 'page_bytes', 43 * 1024],
    'max-pages-size': ['44K', 'pages_bytes', 44 * 1024],
    'window-bytes': ['45K', 'window_bytes', 45 * 1024],
    'windows-bytes': ['46K', 'windows_bytes', 46 * 1024],
    'pin-bytes': ['47', 'pin_bytes', 47],
    'unsent-bytes': ['48K', 'unsent_bytes', 48 * 1024],
    'head-timeout': ['49s', 'head_timeout_ms', 49_000],
    'body-timeout': ['50s', 'body_timeout_ms', 50_000],
    'publish-pause': ['51s', 'publish_pause_ms', 51_000],
    'idle-timeout': ['52s', 'idle_timeout_ms', 52_000],
    'stall-timeout': ['53s', 'stall_timeout_ms', 53_000],
    'peer-timeout': ['54s', 'peer_timeout_ms', 54_000],
    'keepalive': ['55s', 'keepalive_ms', 55_000],
    'heartbeat': ['56s', 'heartbeat_ms', 56_000],
    'linger': ['1s', 'linger_ms', 1000],
    'drain': ['3s', 'drain_ms', 3000],
  };
  assert.deepEqual(await shown(t, [], flags), named(flags));
});

test('and those of a journal on disk', async (t) => {
  const flags = {
    'data-bytes': ['57M', 'data_bytes', 57 * 1024 * 1024],
    'memory-bytes': ['58M', 'memory_bytes', 58 * 1024 * 1024],
    'replay-bytes': ['59M', 'replay_bytes', 59 * 1024 * 1024],
    'pending-bytes': ['70K', 'pending_bytes', 70 * 1024],
  };
  const limits = await shown(t, ['--data', folder(t)], flags);
  assert.deepEqual({ ...limits, ...named(flags) }, limits);
});

test('limits that contradict each other are refused, and which', async (t) => {
  for (const [small, large] of [['max-page-size', 'max-pages-size'], ['window-bytes', 'windows-bytes']]) {
    const crier = await startCrier(t, { args: [`--${small}`, '2M', `--${large}`, '1M'], expectExit: true });
    assert.equal(crier.exit.code, 2);
    assert.match(crier.log, new RegExp(`--${small} must not be larger than --${large}`));
  }
});

test('--max-headers: 431, counted', async (t) => {
  const crier = await startCrier(t, { args: ['--max-headers', '8'] });
  const lines = (count) => Object.fromEntries(Array.from({ length: count }, (_, i) => [`X-${i}`, 'x']));
  // Host is one of them.
  assert.equal((await exchange(crier, requestBytes('GET', '/-/health', lines(7)))).status, 200);
  const answer = await exchange(crier, requestBytes('GET', '/-/health', lines(8)));
  assert.equal(answer.status, 431);
  assert.equal(answer.json().code, 'head-too-large');
  assert.equal((await crier.stats()).refused['head-too-large'], 1);
});

test('--max-chunk-extensions, over a whole body: 400, counted, nothing published', async (t) => {
  const crier = await startCrier(t, { args: ['--max-chunk-extensions', '16'] });
  const post = (length) => exchange(crier, Buffer.concat([requestBytes('POST', '/events/x', { 'Transfer-Encoding': 'chunked' }),
    Buffer.from(`1;${'e'.repeat(8)}\r\nx\r\n1;${'e'.repeat(length - 8)}\r\nx\r\n0\r\n\r\n`)]));
  assert.equal((await post(16)).status, 201);
  const answer = await post(17);
  assert.equal(answer.status, 400);
  assert.equal(answer.json().code, 'bad-request');
  assert.equal((await crier.stats()).refused['bad-request'], 1);
  assert.equal((await held(crier, 'x')).length, 1);
});

test('--max-trailer-size: 431, counted, nothing published', async (t) => {
  const crier = await startCrier(t, { args: ['--max-trailer-size', '32'] });
  const post = (length) => exchange(crier, Buffer.concat([requestBytes('POST', '/events/x', { 'Transfer-Encoding': 'chunked' }),
    Buffer.from(`1\r\nx\r\n0\r\nX: ${'t'.repeat(length)}\r\n\r\n`)]));
  assert.equal((await post(16)).status, 201);
  const answer = await post(40);
  assert.equal(answer.status, 431);
  assert.equal(answer.json().code, 'head-too-large');
  assert.equal((await crier.stats()).refused['head-too-large'], 1);
  assert.equal((await held(crier, 'x')).length, 1);
});

test('--max-keys: the oldest key makes room, counted; its repeat is published again', async (t) => {
  const crier = await startCrier(t, { args: ['--max-keys', '2'] });
  for (const key of ['a', 'b']) await publish(crier, 'keys', key, `?key=${key}`);
  assert.equal((await publish(crier, 'keys', 'a', '?key=a')).duplicate, true);
  assert.equal((await crier.stats()).history.keys_dropped, 0);
  await publish(crier, 'keys', 'c', '?key=c');
  const { history } = await crier.stats();
  assert.equal(history.keys, 2);
  assert.equal(history.keys_dropped, 1);
  assert.equal((await publish(crier, 'keys', 'c', '?key=c')).duplicate, true);
  assert.ok(!(await publish(crier, 'keys', 'a', '?key=a')).duplicate);
  assert.deepEqual((await held(crier, 'keys')).map((event) => event.data), ['a', 'b', 'c', 'a']);
});

test('--key-age: a key that is too old is forgotten, counted', async (t) => {
  const crier = await startCrier(t, { args: ['--key-age', '1s'] });
  await publish(crier, 'keys', 'a', '?key=a');
  await until(async () => (await crier.stats()).history.keys_expired === 1, 'the key was too old');
  assert.ok(!(await publish(crier, 'keys', 'a', '?key=a')).duplicate);
  assert.equal((await held(crier, 'keys')).length, 2);
});

test('--keep-bytes and --max-floors: what they push out is counted', async (t) => {
  const crier = await startCrier(t, { args: ['--history-events', '1', '--keep-bytes', '1', '--max-floors', '1'] });
  for (const topic of ['a', 'b', 'c', 'd']) await publish(crier, topic, 'x');
  const { history } = await crier.stats();
  assert.equal(history.events, 1);
  assert.equal(history.kept_dropped, 3);
  assert.equal(history.floors, 1);
  assert.equal(history.floors_dropped, 2);
});

test('--max-page-size: a page ends after the event that reaches it, counted; Link leads on', async (t) => {
  const crier = await startCrier(t, { args: ['--max-page-size', '2K'] });
  const data = (i) => `${i} ${'x'.repeat(1000)}`;
  for (let i = 0; i < 7; i++) await publish(crier, 'pages', data(i));
  const seen = [];
  let path = '/events/pages?since=earliest';
  let pages = 0;
  while (path) {
    const answer = await request(crier, path, { headers: { accept: 'application/json' } });
    assert.equal(answer.status, 200);
    assert.ok(answer.bytes.length < 2048 + 1200, String(answer.bytes.length));
    seen.push(...answer.json().map((event) => event.data));
    pages += 1;
    path = /^<([^>]+)>; rel="next"$/.exec(answer.headers.link ?? '')?.[1];
  }
  assert.deepEqual(seen, Array.from({ length: 7 }, (_, i) => data(i)));
  assert.equal(pages, 4);
  assert.equal((await crier.stats()).pages_cut, 3);
  // A page that ends at its limit is not cut.
  await request(crier, '/events/pages?since=earliest&limit=1', { headers: { accept: 'application/json' } });
  assert.equal((await crier.stats()).pages_cut, 3);
});

test('--window-bytes and --pin-bytes: a stalled stream costs no more than they say, is counted, and loses nothing', async (t) => {
  const crier = await startCrier(t, { workers: 1, args: ['--window-bytes', '64K', '--windows-bytes', '64K', '--pin-bytes', '1'] });
  const count = 30;
  const streams = [];
  for (let i = 0; i < 10; i++) streams.push(await follow(crier, 'crowd', { t }));
  for (const stream of streams) await stream.opened();
  streams[0].raw.socket.pause();
  for (let i = 0; i < count; i++) await publish(crier, 'crowd', `${i} ${'x'.repeat(500_000)}`);
  for (const stream of streams.slice(1)) await stream.until(count);
  const stats = await crier.stats();
  assert.ok(stats.windows_dropped > 0, JSON.stringify(stats));
  assert.ok(stats.pins_refused > 0, JSON.stringify(stats));
  assert.equal(stats.pinned_bytes, 0);
  assert.equal(stats.lagging, 1);
  streams[0].raw.socket.resume();
  await streams[0].until(count);
  for (const stream of streams) {
    assert.deepEqual(stream.events.map((event) => parseInt(event.data, 10)), Array.from({ length: count }, (_, i) => i));
  }
});
