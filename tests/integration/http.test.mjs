// SPDX-License-Identifier: MIT
// HTTP as it is, and as it is abused: pipelining, Expect, OPTIONS, absolute-form, half-close, odd splits,
// bytes that are no HTTP, and CR, LF and NUL smuggled through every field.
import assert from 'node:assert/strict';
import { after, before, test } from 'node:test';
import { held, publish, request, scopeOf, startCrier } from './lib/crier.mjs';
import { Publisher } from './lib/publisher.mjs';
import { chunked, exchange, Raw, requestBytes } from './lib/raw.mjs';
import { follow } from './lib/sse.mjs';
import { until } from './lib/wait.mjs';

let crier;
const scope = scopeOf(after);
before(async () => { crier = await startCrier(scope); });

test('10,000 pipelined requests are answered in order', async (t) => {
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  const count = 10_000;
  const parts = [];
  for (let i = 0; i < count; i++) parts.push(requestBytes('POST', '/events/pipelined', {}, `${i}`));
  raw.send(Buffer.concat(parts));
  let last = [0n, 0n];
  for (let i = 0; i < count; i++) {
    const answer = await raw.response();
    assert.equal(answer.status, 201);
    const id = answer.json().id.split('-').map(BigInt);
    assert.ok(id[0] > last[0] || (id[0] === last[0] && id[1] > last[1]), 'answers are in order');
    last = id;
  }
  const list = await request(crier, '/events/pipelined?since=last:3', { headers: { accept: 'application/json' } });
  assert.deepEqual(list.json().map((event) => event.data), ['9997', '9998', '9999']);
});

test('pipelined requests of all kinds, in one packet', async (t) => {
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send(Buffer.concat([
    requestBytes('GET', '/-/health'),
    requestBytes('HEAD', '/events/x', { Accept: 'text/event-stream' }),
    requestBytes('POST', '/events/x', { 'Transfer-Encoding': 'chunked' }), Buffer.from(chunked('one')),
    requestBytes('GET', '/events/a//b'),
    requestBytes('DELETE', '/events/x'),
    requestBytes('OPTIONS', '*'),
    requestBytes('GET', '/events/x', { Accept: 'application/json' }),
  ]));
  assert.equal((await raw.response()).status, 200);
  assert.equal((await raw.response('HEAD')).status, 200);
  assert.equal((await raw.response()).status, 201);
  assert.equal((await raw.response()).status, 400);
  assert.equal((await raw.response()).status, 204);
  assert.equal((await raw.response()).status, 204);
  assert.equal((await raw.response()).text.trim(), '[]');
});

test('what is pipelined behind a stream does not disturb it', async (t) => {
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send(Buffer.concat([requestBytes('GET', '/events/behind', { Accept: 'text/event-stream' }), requestBytes('POST', '/events/behind', {}, 'no')]));
  await raw.readHead();
  assert.match((await raw.chunk()).toString(), /crier:connected/);
  await publish(crier, 'behind', 'yes');
  assert.match((await raw.chunk()).toString(), /data: yes\n\n$/);
  assert.deepEqual((await held(crier, 'behind')).map((event) => event.data), ['yes']);
});

test('Expect: 100-continue is answered before the body is sent', async (t) => {
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send(requestBytes('POST', '/events/expect', { Expect: '100-continue', 'Content-Length': 5 }));
  const interim = await raw.readHead();
  assert.equal(interim.status, 100);
  raw.send('hello');
  assert.equal((await raw.response()).status, 201);
  // The body in the same packet: an interim answer is allowed, not needed.
  raw.send(requestBytes('POST', '/events/expect', { Expect: '100-continue' }, 'again'));
  let answer = await raw.response();
  if (answer.status === 100) answer = await raw.response();
  assert.equal(answer.status, 201);
});

test('100 Continue comes in its turn, after the answer to what was pipelined before', async (t) => {
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send(Buffer.concat([requestBytes('POST', '/events/turn', {}, 'x'),
    requestBytes('DELETE', '/events/turn', { Expect: '100-continue', 'Content-Length': 2 })]));
  assert.equal((await raw.response()).status, 201);
  assert.equal((await raw.readHead()).status, 100);
  raw.send('ok');
  assert.equal((await raw.response()).status, 204);
});

test('Expect: 100-continue for what is refused gets the refusal, and no body is waited for', async (t) => {
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send(requestBytes('POST', '/events/a//b', { Expect: '100-continue', 'Content-Length': 5 }));
  assert.equal((await raw.response()).status, 400);
});

test('HTTP/1.0: no interim answer, no chunks, closed unless asked otherwise', async (t) => {
  const answer = await exchange(crier, requestBytes('POST', '/events/ten', { Expect: '100-continue' }, 'x', { version: '1.0' }));
  assert.notEqual(answer.status, 100);
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send(requestBytes('GET', '/-/health', {}, undefined, { version: '1.0' }));
  const health = await raw.response();
  assert.equal(health.status, 200);
  assert.ok(!('transfer-encoding' in health.headers));
  await raw.when((r) => r.over, 'the close');
});

test('HTTP/1.0 needs no Host to read', async () => {
  const answer = await exchange(crier, Buffer.from('GET /-/health HTTP/1.0\r\n\r\n'));
  assert.equal(answer.status, 200);
});

test('Connection: close is heeded', async (t) => {
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send(requestBytes('GET', '/-/health', { Connection: 'close' }));
  const answer = await raw.response();
  assert.match(answer.headers.connection, /close/);
  await raw.when((r) => r.over, 'the close');
});

test('Connection: close is heeded by HEAD on a stream; without it the connection goes on', async (t) => {
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send(requestBytes('HEAD', '/events/head', { Accept: 'text/event-stream' }));
  assert.equal((await raw.response('HEAD')).headers.connection, 'keep-alive');
  raw.send(requestBytes('HEAD', '/events/head', { Accept: 'text/event-stream', Connection: 'close' }));
  const answer = await raw.response('HEAD');
  assert.equal(answer.status, 200);
  assert.equal(answer.headers.connection, 'close');
  await raw.when((r) => r.over, 'the close');
});

test('OPTIONS without Origin: 204 with Allow; OPTIONS * too', async () => {
  for (const [path, method] of [['/events/x', 'DELETE'], ['/events', 'POST'], ['*', 'OPTIONS'], ['/-/health', 'GET']]) {
    const answer = await exchange(crier, requestBytes('OPTIONS', path));
    assert.equal(answer.status, 204, path);
    assert.ok(answer.headers.allow.split(/, */).includes(method), `${path}: ${answer.headers.allow}`);
    assert.ok(!('transfer-encoding' in answer.headers));
  }
});

test('absolute-form: its authority overrides Host', async () => {
  const ok = await exchange(crier, requestBytes('GET', `http://localhost:${crier.port}/-/stats`));
  assert.equal(ok.status, 200);
  const other = await exchange(crier, requestBytes('GET', 'http://attacker.example/events/x', { Accept: 'application/json' }));
  assert.equal(other.status, 421);
  const over = await exchange(crier, requestBytes('GET', `http://localhost/events/x`, { Accept: 'application/json' }, undefined, { host: 'attacker.example' }));
  assert.equal(over.status, 200);
});

test('a half-closed request is still answered', async () => {
  const answer = await exchange(crier, requestBytes('POST', '/events/half', {}, 'x'), { half: true });
  assert.equal(answer.status, 201);
});

test('half-close on a stream is its end', async () => {
  const stream = await follow(crier, 'half-stream');
  await stream.opened();
  const before = (await crier.stats());
  assert.ok(before);
  stream.raw.finish();
  await stream.raw.when((raw) => raw.over, 'the end of the stream');
  stream.close();
});

test('the request for a stream and the end of input in one go: the stream ends', async (t) => {
  const own = await startCrier(t, { workers: 1 });
  const gone = await Promise.all(Array.from({ length: 10 }, () => Raw.connect(own)));
  t.after(() => gone.forEach((raw) => raw.destroy()));
  // It stands still until all of it is there.
  own.signal('SIGSTOP');
  await Promise.all(gone.map((raw) => new Promise((resolve) => {
    raw.socket.once('finish', resolve);
    raw.socket.end(requestBytes('GET', '/events/gone', { Accept: 'text/event-stream' }));
  })));
  own.signal('SIGCONT');
  for (const raw of gone) await raw.when((r) => r.over, 'the server closed');
  await until(async () => (await own.stats()).streams === 0, 'no stream was left');
});

test('requests that are dear take turns with those of others', async (t) => {
  const own = await startCrier(t, { workers: 1 });
  const publisher = await Publisher.open(own);
  t.after(() => publisher.close());
  const lines = Array.from({ length: 5000 }, () => ({ data: '' }));
  for (let i = 0; i < 10; i++) await publisher.batch('/events/dear', lines);
  const raw = await Raw.connect(own);
  t.after(() => raw.destroy());
  const count = 200;
  const dear = requestBytes('GET', '/events/dear?event=zz&since=earliest', { Accept: 'application/json' });
  raw.send(Buffer.concat(Array(count).fill(dear)));
  const id = await publisher.one('/events/dear?event=zz', 'in between');
  let seen;
  for (let i = 0; i < count; i++) seen = (await raw.response()).json();
  assert.deepEqual(seen.map((event) => event.id), [id], 'it was published before the last of them was answered');
});

test('a head one byte at a time', async (t) => {
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  for (const byte of requestBytes('POST', '/events/slowly', { 'Content-Type': 'text/plain' }, 'drop by drop')) {
    raw.send(Buffer.from([byte]));
    await new Promise((resolve) => setImmediate(resolve));
  }
  assert.equal((await raw.response()).status, 201);
  assert.equal((await held(crier, 'slowly'))[0].data, 'drop by drop');
});

test('empty lines before a request are passed over', async (t) => {
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send('\r\n\r\n');
  raw.send(requestBytes('GET', '/-/health'));
  assert.equal((await raw.response()).status, 200);
});

test('a body that ends before its announced length is not published', async () => {
  const raw = await Raw.connect(crier);
  raw.send(Buffer.concat([requestBytes('POST', '/events/short', { 'Content-Length': 10 }), Buffer.from('12345')]));
  raw.finish();
  const bytes = await raw.readToEnd();
  if (bytes.length) assert.match(bytes.toString(), /^HTTP\/1\.1 4\d\d /);
  raw.destroy();
  const cut = await Raw.connect(crier);
  cut.send(Buffer.concat([requestBytes('POST', '/events/short', { 'Transfer-Encoding': 'chunked' }), Buffer.from('5\r\n12345\r\n')]));
  cut.finish();
  await cut.readToEnd();
  cut.destroy();
  assert.deepEqual(await held(crier, 'short'), []);
});

test('a body longer than announced: the rest is the next request, and no good one', async () => {
  const raw = await Raw.connect(crier);
  raw.send(Buffer.concat([requestBytes('POST', '/events/long', { 'Content-Length': 5 }), Buffer.from('12345rest of it\r\n\r\n')]));
  assert.equal((await raw.response()).status, 201);
  assert.equal((await raw.response()).status, 400);
  await raw.when((r) => r.over, 'the close');
  raw.destroy();
  assert.deepEqual((await held(crier, 'long')).map((event) => event.data), ['12345']);
});

test('a chunk of 2^64-1 bytes is refused as soon as it is too much, and nothing is kept', async () => {
  const raw = await Raw.connect(crier);
  raw.send(requestBytes('POST', '/events/huge', { 'Transfer-Encoding': 'chunked' }));
  raw.send('ffffffffffffffff\r\n');
  raw.send(Buffer.alloc(2 * 1024 * 1024, 'x'));
  assert.ok([400, 413].includes((await raw.response()).status));
  raw.destroy();
  assert.deepEqual(await held(crier, 'huge'), []);
});

test('a GET and a DELETE with a body: the body is no next request', async (t) => {
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send(requestBytes('DELETE', '/events/smuggle', {}, 'POST /events/smuggle HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\nx'));
  assert.ok((await raw.response()).status < 500);
  raw.send(requestBytes('GET', '/-/health', {}, 'GET /events/smuggle HTTP/1.1\r\nHost: localhost\r\n\r\n'));
  await raw.response();
  assert.deepEqual(await held(crier, 'smuggle'), []);
});

const noise = (seed, length) => {
  // A linear congruence is noise enough, and the same on every run.
  const bytes = Buffer.alloc(length);
  let state = seed;
  for (let i = 0; i < length; i++) {
    state = (Math.imul(state, 1103515245) + 12345) >>> 0;
    bytes[i] = state >>> 16;
  }
  return bytes;
};

test('bytes that are no HTTP get a refusal or the door, and the server goes on', async () => {
  const hello = Buffer.from('16030100c8010000c40303' + '00'.repeat(32) + '20' + '11'.repeat(32) + '0008130213031301' + '00ff0100', 'hex');
  const cases = [hello, Buffer.from('\0\0\0\0'), Buffer.from('hello\r\n\r\n'), Buffer.from('\x16\x03\x01\x02\x00'), Buffer.from('SSH-2.0-x\r\n'),
    Buffer.from('{"json": true}\r\n\r\n'), Buffer.alloc(100_000, 'A'), Buffer.from('GET'.repeat(20_000)), Buffer.alloc(70_000, '\r\n')];
  for (let seed = 1; seed <= 20; seed++) cases.push(noise(seed, 5000));
  for (const bytes of cases) {
    const raw = await Raw.connect(crier);
    raw.send(bytes);
    raw.finish();
    const answer = (await raw.readToEnd()).toString('latin1');
    assert.match(answer, /^($|HTTP\/1\.1 (4\d\d|501|505) )/, answer.slice(0, 100));
    raw.destroy();
  }
  assert.equal((await request(crier, '/-/health')).status, 200);
});

test('a TLS hello is told that this port speaks plain HTTP, or closed, at once', async () => {
  const raw = await Raw.connect(crier);
  raw.send(Buffer.from('16030100050100000100', 'hex'));
  raw.send(Buffer.alloc(300));
  await raw.when((r) => r.over, 'the close');
  raw.destroy();
});

// ---- smuggling -------------------------------------------------------------------------------------

test('CR, LF and NUL get through no field: neither into heads nor into streams', async (t) => {
  const witness = await follow(crier, '/events?topic=**&topic=smuggled', { t, keep: true });
  await witness.opened();
  const breaks = ['%0d%0a', '%0a', '%0d', '%00', '%0d%0aid:%209-9%0d%0adata:%20evil%0d%0a%0d%0a', '%E2%80%A8', '%C2%85'];
  let accepted = 0;
  for (const evil of breaks) {
    for (const path of [`/events/a${evil}b`, `/events/smuggled?event=a${evil}b`, `/events/smuggled?key=a${evil}b`,
      `/events/smuggled?retry=500${evil}`, `/events/smuggled?ttl=5s${evil}`, `/events/smuggled?x${evil}=1`]) {
      const answer = await exchange(crier, requestBytes('POST', path, {}, 'data'));
      if (answer.status === 201) accepted += 1;
      else assert.ok(answer.status === 400, `${path}: ${answer.status}`);
    }
    for (const path of [`/events/a${evil}b`, `/events/s?event=a${evil}b`, `/events/s?lastEventId=a${evil}b`, `/events/s?since=a${evil}b`, `/-/topics/a${evil}b`, `/-/topics?prefix=a${evil}b`, `/-/topics?after=a${evil}b`]) {
      const raw = await Raw.connect(crier);
      raw.send(requestBytes('GET', path, { Accept: 'text/event-stream, application/json;q=0.5' }));
      const head = await raw.readHead();
      assert.ok([200, 400, 404].includes(head.status), path);
      if (head.headers['content-type'] === 'text/event-stream') {
        const opening = (await raw.chunk()).toString();
        assert.ok(!opening.includes('\r') && !opening.includes('\0'));
        for (const line of opening.split('\n')) assert.match(line, /^($|retry: \d+$|event: crier:|id: \d+-\d+$|data: \{)/);
      }
      raw.destroy();
    }
  }
  // U+2028 is no line end for SSE: a topic or type may have it.
  await publish(crier, 'smuggled', 'end\r\nid: 7-7\r\n\r\ndata: x');
  await witness.when((s) => s.events.at(-1)?.data.startsWith('end'), 'the end');
  assert.equal(witness.events.at(-1).data, 'end\nid: 7-7\n\ndata: x');
  assert.equal(witness.events.length, accepted + 1);
  for (const line of witness.body.split('\n')) assert.match(line, /^($|:|retry: \d+$|id: \d+-\d+$|event: [^\r\0]+$|data: [^\r]*$)/);
});

test('Crier-Event and Idempotency-Key headers with obs-text that is no UTF-8, or control characters, are refused', async () => {
  for (const value of ['a\tb\x7f', '\xff', 'a\x01b']) {
    const answer = await exchange(crier, requestBytes('POST', '/events/hdr', { 'Crier-Event': value }, 'x'));
    assert.equal(answer.status, 400, JSON.stringify(value));
  }
  assert.deepEqual(await held(crier, 'hdr'), []);
});

test('Date is there, Server tells nothing it need not', async () => {
  const answer = await request(crier, '/-/health');
  assert.ok(!Number.isNaN(Date.parse(answer.headers.date)));
  assert.ok(Math.abs(Date.parse(answer.headers.date) - Date.now()) < 60_000);
});

test('IPv6, and several --listen', async (t) => {
  const both = await startCrier(t, { listens: ['127.0.0.1:0', '[::1]:0'] });
  assert.equal(both.addresses.length, 2);
  for (const address of both.addresses) {
    const port = Number(address.replace(/^.*:/, ''));
    const host = address.startsWith('[') ? '::1' : '127.0.0.1';
    const answer = await request(port, '/-/health', { host });
    assert.equal(answer.status, 200, address);
  }
  const six = Number(both.addresses.find((address) => address.startsWith('[')).replace(/^.*:/, ''));
  const answer = await exchange(six, requestBytes('POST', '/events/six', {}, 'x', { host: `[::1]:${six}` }), { host: '::1' });
  assert.equal(answer.status, 201, 'a request over [::1] is local');
});
