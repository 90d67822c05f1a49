// SPDX-License-Identifier: MIT
// The library's client (crier/client.h) against servers that do what a test says, rule by rule: what it asks for,
// when it comes back and when it does not, what it tells of it. https is in https.test.mjs, proxies in
// ways.test.mjs; what bytes do to events, at every split, in cli/sub.test.mjs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { built, client } from './lib/client.mjs';
import { start } from './lib/command.mjs';
import { chunk, event, freePort, head, lastChunk, scripted } from './lib/scripted.mjs';

const stream = (...parts) => head() + parts.map(chunk).join('');
const requests = (server) => server.connections.map(({ request }) => request);
const header = (server, name) => requests(server).map(({ headers }) => headers.get(name));

// ---- what it asks for ----

test('the request is that of an event source, and nothing that could compress comes with it', async (t) => {
  const server = await scripted(t, (connection) => connection.send(stream(event('1', 'x'))));
  const follower = client(t, `${server.url}/a?b=c#d`, ['--events', '1']);
  assert.equal((await follower.over()).over, 'CRIER_STOPPED');
  const [{ method, target, version, headers }] = requests(server);
  assert.deepEqual([method, target, version], ['GET', '/a?b=c', 'HTTP/1.1']);
  assert.equal(headers.get('host'), `127.0.0.1:${server.port}`);
  assert.equal(headers.get('accept'), 'text/event-stream');
  assert.equal(headers.get('cache-control'), 'no-cache');
  assert.match(headers.get('user-agent'), /^crier\/\d/);
  for (const name of ['accept-encoding', 'last-event-id', 'authorization', 'content-length', 'transfer-encoding']) {
    assert.equal(headers.get(name), undefined, name);
  }
});

test('method, headers, body and token go as they are given, defaults give way', async (t) => {
  const bodies = [];
  const server = await scripted(t, async (connection) => {
    bodies.push(await connection.readBody());
    connection.send(stream(event('1', 'x')));
  });
  const follower = client(t, server.url, ['--method', 'POST', '--body', '{"a":1}', '--content-type', 'application/json',
    '--bearer', 'tok', '--header', 'X-One: 1 2', '--header', 'Accept: application/json, text/event-stream',
    '--header', 'User-Agent: mine', '--events', '1']);
  await follower.over();
  const [{ method, headers }] = requests(server);
  assert.deepEqual([method, ...bodies], ['POST', '{"a":1}']);
  assert.equal(headers.get('content-type'), 'application/json');
  assert.equal(headers.get('authorization'), 'Bearer tok');
  assert.equal(headers.get('x-one'), '1 2');
  assert.equal(headers.get('accept'), 'application/json, text/event-stream');
  assert.equal(headers.get('user-agent'), 'mine');
});

for (const [args, words] of [
  [['--method', 'GET / HTTP/1.1\r\nX:'], 'method is not valid'],
  [['--method', 'CONNECT'], 'CONNECT has no stream'],
  [['--header', 'A B: x'], 'name of a header'],
  [['--header', 'A\r\nB: x'], 'name of a header'],
  [['--header', 'A: x\r\nB: y'], 'value of the header A'],
  [['--header', 'Host: other'], 'header Host'],
  [['--header', 'content-LENGTH: 3'], 'header content-LENGTH'],
  [['--header', 'Transfer-Encoding: chunked'], 'header Transfer-Encoding'],
  [['--header', 'Connection: close'], 'header Connection'],
  [['--header', 'Accept-Encoding: gzip'], 'header Accept-Encoding'],
  [['--bearer', 'a\nb'], 'bearer token'],
  [['--content-type', 'a\nb'], 'content type'],
  [['--last-id', 'a\nb'], 'last event id'],
  [['--idle', '-2'], 'idle_timeout_ms'],
  [['--connect', '-7'], 'connect_timeout_ms'],
  [['--first', '-1'], 'first_delay_ms'],
  [['--max-event', '-9'], 'max_event_bytes'],
]) {
  test(`${JSON.stringify(args)} is not valid, and nothing is sent`, async (t) => {
    const server = await scripted(t, () => {});
    const follower = client(t, server.url, args);
    const { over, reason } = await follower.over();
    assert.equal(over, 'CRIER_OVER');
    assert.ok(reason.includes(words), reason);
    assert.deepEqual(follower.downs.map(({ down, status, again }) => [down, status, again]), [['invalid', 0, false]]);
    assert.equal(server.connections.length, 0);
  });
}

for (const [url, words] of [
  ['', 'must begin with http://'],
  ['example.org', 'must begin with http://'],
  ['ws://example.org/', 'must begin with http://'],
  ['http://user:secret@example.org/', 'user name or password'],
  ['http://example.org/a b', 'white space'],
  ['http://example.org/\r\nX: y', 'white space'],
]) {
  test(`${JSON.stringify(url)} is no URL to follow, whatever on_down says`, async (t) => {
    const follower = client(t, url, ['--decide', 'retry']);
    const { over, reason } = await follower.over();
    assert.deepEqual([over, follower.downs.length, follower.downs[0].down], ['CRIER_OVER', 1, 'invalid']);
    assert.ok(reason.includes(words), reason);
  });
}

// ---- answers ----

for (const status of ['201 Created', '202 Accepted', '204 No Content', '205 Reset', '400 Bad Request', '401 Unauthorized',
  '403 Forbidden', '404 Not Found', '410 Gone', '304 Not Modified', '300 Choices']) {
  test(`${status} is the end, told once`, async (t) => {
    const server = await scripted(t, (connection) => connection.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`));
    const follower = client(t, server.url);
    const { over, reason } = await follower.over();
    assert.equal(over, 'CRIER_OVER');
    const code = Number(status.slice(0, 3));
    assert.deepEqual(follower.downs.map(({ down, status: told, again }) => [down, told, again]), [['refused', code, false]]);
    assert.ok(reason.startsWith(String(code)), reason);
    assert.equal(server.connections.length, 1);
  });
}

for (const status of ['408 Request Timeout', '425 Too Early', '429 Too Many Requests', '500 Oops', '502 Bad Gateway',
  '503 Service Unavailable', '599 Odd']) {
  test(`after ${status} it comes back`, async (t) => {
    const server = await scripted(t, (connection) => {
      if (connection.index < 2) connection.answer(status);
      else connection.send(stream(event('1', 'x')));
    });
    const follower = client(t, server.url, ['--events', '1']);
    await follower.over();
    const code = Number(status.slice(0, 3));
    assert.deepEqual(follower.downs.map(({ down, status: told, again }) => [down, told, again]),
      [['refused', code, true], ['refused', code, true]]);
    assert.deepEqual(follower.data, ['x']);
  });
}

test('Retry-After is in the delay that is told, as seconds and as a date', async (t) => {
  const date = new Date(Date.now() + 600_000).toUTCString();
  for (const [value, least] of [['7', 7000], [date, 500_000], ['nonsense', 0]]) {
    const server = await scripted(t, (connection) => connection.answer('503 No', { 'Retry-After': value }));
    const follower = client(t, server.url, ['--downs', '1']);
    await follower.over();
    const [{ delay }] = follower.downs;
    assert.ok(delay >= least && delay <= least + 101_000, `${value}: ${delay}`);
  }
});

test('a wrong content type is the end', async (t) => {
  for (const [type, words] of [['text/html', 'text/html instead of'], ['text/event-streams', 'instead of'],
    ['', 'no content type']]) {
    const server = await scripted(t, (connection) => connection.end(head({ type, chunked: false }) + 'data: no\n\n'));
    const follower = client(t, server.url);
    const { over, reason } = await follower.over();
    assert.equal(over, 'CRIER_OVER');
    assert.ok(reason.includes(words), reason);
    assert.deepEqual(follower.data, []);
  }
});

test('a stream that is compressed although nobody asked is the end, in words', async (t) => {
  const server = await scripted(t, (connection) => connection.send(head({ more: 'Content-Encoding: gzip\r\n' })));
  const follower = client(t, server.url);
  const { over, reason } = await follower.over();
  assert.deepEqual([over, reason], ['CRIER_OVER', 'the stream is compressed (gzip), which was not asked for']);
  assert.deepEqual(follower.downs.map(({ down, status, again }) => [down, status, again]), [['refused', 200, false]]);
  const plain = await scripted(t, (connection) => connection.send(head({ more: 'Content-Encoding: identity\r\n' }) + chunk(event('1', 'x'))));
  await client(t, plain.url, ['--events', '1']).over();
});

test('on_down decides otherwise: back after 404, away after 503', async (t) => {
  const server = await scripted(t, (connection) => {
    if (connection.index < 2) connection.answer('404 Not Found');
    else connection.send(stream(event('1', 'x')));
  });
  const patient = client(t, server.url, ['--decide', 'retry', '--events', '1']);
  await patient.over();
  assert.deepEqual(patient.downs.map(({ again }) => again), [false, false]);
  assert.ok(patient.downs.every(({ delay }) => delay >= 1 && delay <= 5));
  assert.deepEqual(patient.data, ['x']);

  const busy = await scripted(t, (connection) => connection.answer('503 No'));
  const hasty = client(t, busy.url, ['--decide', 'stop']);
  assert.equal((await hasty.over()).over, 'CRIER_OVER');
  assert.deepEqual(hasty.downs.map(({ again }) => again), [true]);
  assert.equal(busy.connections.length, 1);
});

// ---- redirects ----

for (const status of [301, 302, 303, 307, 308]) {
  test(`${status}: a GET goes on there, and starts anew at the first URL`, async (t) => {
    const server = await scripted(t, (connection) => {
      if (connection.request.target === '/') connection.answer(`${status} There`, { Location: 'a/../b?c#d' });
      else if (connection.index === 1) connection.end(stream(event('7', 'x')) + lastChunk);
      else connection.send(stream(event('8', 'y')));
    });
    const follower = client(t, `${server.url}/`, ['--events', '2']);
    await follower.over();
    assert.deepEqual(requests(server).map(({ target }) => target), ['/', '/b?c', '/', '/b?c']);
    assert.deepEqual(header(server, 'last-event-id'), [undefined, undefined, '7', '7']);
  });

  test(`${status}: what becomes of a POST`, async (t) => {
    const bodies = [];
    const server = await scripted(t, async (connection) => {
      bodies.push(await connection.readBody());
      if (connection.request.target === '/') connection.answer(`${status} There`, { Location: '/b' });
      else connection.send(stream(event('7', 'x')));
    });
    const follower = client(t, `${server.url}/`, ['--method', 'POST', '--body', 'hello', '--content-type', 'text/plain',
      '--header', 'Content-Language: de', '--header', 'X-Kept: 1', '--events', '1']);
    await follower.over();
    const second = requests(server)[1];
    if (status < 307) {
      assert.deepEqual([second.method, bodies[1]], ['GET', '']);
      for (const name of ['content-type', 'content-length', 'content-language']) assert.ok(!second.headers.has(name), name);
    } else {
      assert.deepEqual([second.method, bodies[1]], ['POST', 'hello']);
      assert.equal(second.headers.get('content-type'), 'text/plain');
    }
    assert.equal(second.headers.get('x-kept'), '1');
  });
}

test('a redirect of a PUT is a GET only with 303', async (t) => {
  for (const [status, method] of [[301, 'PUT'], [302, 'PUT'], [303, 'GET']]) {
    const server = await scripted(t, async (connection) => {
      await connection.readBody();
      if (connection.request.target === '/') connection.answer(`${status} There`, { Location: '/b' });
      else connection.send(stream(event('7', 'x')));
    });
    await client(t, `${server.url}/`, ['--method', 'PUT', '--body', 'x', '--events', '1']).over();
    assert.equal(requests(server)[1].method, method);
  }
});

test('credentials never go to another origin, nor back from there; the rest does', async (t) => {
  const secrets = ['--bearer', 'tok', '--header', 'Cookie: a=b', '--secret', 'X-Key: k', '--header', 'X-Open: o'];
  const sent = (server) => requests(server).map(({ target, headers }) =>
    [target, ...['authorization', 'cookie', 'x-key', 'x-open'].map((name) => headers.get(name) ?? '-')].join(' '));
  const other = await scripted(t, (connection) => connection.answer('302 Back', { Location: `${server.url}/home` }));
  const server = await scripted(t, (connection) => {
    if (connection.request.target === '/') connection.answer('307 Same', { Location: '/same' });
    else if (connection.request.target === '/same') connection.answer('307 Away', { Location: `${other.url}/away` });
    else connection.end(stream(event('1', 'x')) + lastChunk);
  });
  const follower = client(t, `${server.url}/`, [...secrets, '--events', '2']);
  await follower.over();
  const round = ['/ Bearer tok a=b k o', '/same Bearer tok a=b k o', '/home - - - o'];
  assert.deepEqual(sent(server), [...round, ...round]);
  assert.deepEqual(sent(other), ['/away - - - o', '/away - - - o']);
});

test('another name of the same machine is another origin', async (t) => {
  const server = await scripted(t, (connection) => {
    if (connection.index === 0) connection.answer('307 X', { Location: `http://localhost:${server.port}/` });
    else connection.send(stream(event('1', 'x')));
  });
  await client(t, server.url, ['--header', 'Authorization: Basic eA==', '--events', '1']).over();
  assert.deepEqual(header(server, 'authorization'), ['Basic eA==', undefined]);
});

test('twenty redirects are followed, one more is the end', async (t) => {
  const ring = await scripted(t, (connection) => {
    if (connection.index < 20) connection.answer('302 On', { Location: `/${connection.index}` });
    else connection.send(stream(event('1', 'x')));
  });
  const patient = client(t, ring.url, ['--events', '1']);
  await patient.over();
  assert.deepEqual(patient.data, ['x']);

  const circle = await scripted(t, (connection) => connection.answer('302 On', { Location: '/' }));
  const follower = client(t, circle.url);
  const { over, reason } = await follower.over();
  assert.deepEqual([over, reason], ['CRIER_OVER', 'more than 20 redirects in a row']);
  assert.equal(circle.connections.length, 21);
});

for (const [what, headers] of [['no', {}], ['an empty', { Location: '' }]]) {
  test(`a redirect with ${what} Location is a refusal`, async (t) => {
    const server = await scripted(t, (connection) => connection.answer('302 Found', headers));
    const follower = client(t, server.url);
    assert.equal((await follower.over()).reason, '302 Found');
    assert.equal(server.connections.length, 1);
  });
}

for (const to of ['ftp://example.org/', 'http://user:pass@example.org/', 'http://', 'http://a b/']) {
  test(`a redirect to ${to} is the end, in words`, async (t) => {
    const server = await scripted(t, (connection) => connection.answer('302 Found', { Location: to }));
    const follower = client(t, server.url);
    assert.match((await follower.over()).reason, /^redirected to /);
    assert.deepEqual(follower.downs.map(({ down, status, again }) => [down, status, again]), [['refused', 302, false]]);
  });
}

// ---- the stream ----

test('what an event is: types, ids, many lines, a BOM, an id that is forgotten', async (t) => {
  const server = await scripted(t, (connection) => connection.send(stream(
    '\uFEFFdata: a\n\n', 'event: note\nid: 1\ndata: b\ndata: c\n\n', 'data\r\n\r\n', ':a comment\nid\ndata: d\n\n', 'id: 2\n\n',
    'data: e\n\n')));
  const follower = client(t, server.url, ['--events', '5', '--inside']);
  const { last } = await follower.over();
  assert.deepEqual(follower.said.filter((said) => 'event' in said), [
    { event: 'message', data: 'a', id: '' },
    { event: 'note', data: 'b\nc', id: '1' },
    { event: 'message', data: '', id: '1' },
    { event: 'message', data: 'd', id: '' },
    { event: 'message', data: 'e', id: '2' },
  ]);
  assert.deepEqual(follower.all('comment'), ['a comment']);
  assert.equal(last, '2');
});

test('it starts after the id it is given, and after the last one that it saw', async (t) => {
  const server = await scripted(t, (connection) => {
    if (connection.index === 0) connection.end(stream('data: none of its own\n\n') + lastChunk);
    else if (connection.index === 1) connection.end(stream('id: ünï\ndata: a\n\nid: 9\ndata: half') + lastChunk);
    else if (connection.index === 2) connection.end(stream('id\n\n') + lastChunk);
    else connection.send(stream('data: b\n\n'));
  });
  const follower = client(t, server.url, ['--last-id', 'seed', '--events', '3']);
  await follower.over();
  assert.deepEqual(header(server, 'last-event-id'), ['seed', 'seed', 'ünï', undefined]);
  assert.deepEqual(follower.data, ['none of its own', 'a', 'b'], 'what was cut off is dropped');
});

test('retry replaces the first delay at once, without an event', async (t) => {
  const server = await scripted(t, (connection) => connection.end(stream('retry: 40000\nretry: nonsense\n') + lastChunk));
  const follower = client(t, server.url, ['--downs', '1']);
  await follower.over();
  assert.deepEqual(follower.all('retry'), [40000]);
  const delays = [];
  for (let i = 0; i < 8; i++) {
    const again = client(t, server.url, ['--downs', '1']);
    await again.over();
    delays.push(again.downs[0].delay);
  }
  assert.ok(Math.max(...delays) > 5 && Math.max(...delays) <= 40000, `${delays}`);
});

test('each end is told once, with what it was', async (t) => {
  const ends = [
    [(c) => c.end(stream(event('1', 'x')) + lastChunk), 'ended', 200, /^the server ended the stream$/],
    [(c) => c.end(stream(event('1', 'x'))), 'ended', 200, /before its answer was complete/],
    [(c) => c.end(head() + '5\r\nab'), 'ended', 200, /before its answer was complete/],
    [(c) => c.end(head({ chunked: false }) + 'data: x\n\n'), 'ended', 200, /^the server ended the stream$/],
    [(c) => c.end(head() + 'no chunk\r\n'), 'ended', 200, /not well-formed HTTP/],
    [(c) => c.socket.resetAndDestroy(), 'unreachable', 0, /^connection reset by peer$/],
    [(c) => c.end('SSH-2.0-OpenSSH_9.2\r\n'), 'unreachable', 0, /not well-formed HTTP/],
    [(c) => c.end('HTTP/1.1 200 OK\r\nContent-Ty'), 'unreachable', 0, /before its answer was complete/],
    [(c) => c.end(), 'unreachable', 0, /before its answer was complete/],
    [(c) => c.end('HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n'), 'unreachable', 0, /another protocol/],
  ];
  const server = await scripted(t, (connection) => ends[connection.index][0](connection));
  const follower = client(t, server.url, ['--downs', String(ends.length)]);
  assert.equal((await follower.over()).over, 'CRIER_STOPPED');
  ends.forEach(([, kind, status, reason], i) => {
    const { down, status: told, again, reason: words } = follower.downs[i];
    assert.deepEqual([i, down, told, again], [i, kind, status, true]);
    assert.match(words, reason);
  });
});

test('a reset in the middle of the stream is an end like others', async (t) => {
  const server = await scripted(t, async (connection) => {
    connection.send(stream(event('1', 'x')));
    if (connection.index > 0) return;
    await follower.until('event');
    connection.socket.resetAndDestroy();
  });
  const follower = client(t, server.url, ['--events', '2']);
  await follower.over();
  assert.deepEqual(follower.downs.map(({ down, reason }) => [down, reason]), [['ended', 'connection reset by peer']]);
});

test('a head without end, or one that is too large, is no answer', async (t) => {
  const heads = [
    `HTTP/1.1 200 ${'x'.repeat(300_000)}`,
    `HTTP/1.1 200 OK\r\nA: ${'x'.repeat(300_000)}`,
    `HTTP/1.1 200 OK\r\n${'A: b\r\n'.repeat(1000)}`,
    'HTTP/1.1 100 Continue\r\n\r\n'.repeat(20_000),
    `HTTP/1.1 103 Hints\r\nA: ${'x'.repeat(50_000)}\r\n\r\n`.repeat(10),
  ];
  const server = await scripted(t, (connection) => connection.send(heads[connection.index]));
  const follower = client(t, server.url, ['--downs', String(heads.length)]);
  await follower.over();
  assert.deepEqual(follower.downs.map(({ down, again }) => [down, again]), heads.map(() => ['unreachable', true]));
  follower.downs.forEach(({ reason }) => assert.match(reason, /head of the answer|more than 128 headers|not well-formed/));
});

test('an event over the limit, a line without end: it stops, unless on_down says otherwise', async (t) => {
  for (const bytes of [`data: ${'x'.repeat(2000)}\n\n`, 'x'.repeat(2000), `:${'x'.repeat(2000)}`, 'data: xxxxxx\n'.repeat(300)]) {
    const server = await scripted(t, (connection) => connection.send(stream('data: ok\n\n', bytes)));
    const follower = client(t, server.url, ['--max-event', '1000']);
    const { over, reason } = await follower.over();
    assert.deepEqual([over, reason], ['CRIER_OVER', 'an event is larger than 1000 bytes']);
    assert.deepEqual(follower.downs.map(({ down, again }) => [down, again]), [['invalid', false]]);
    assert.deepEqual(follower.data, ['ok']);
  }
  const server = await scripted(t, (connection) =>
    connection.send(stream(connection.index === 0 ? 'x'.repeat(2000) : 'data: y\n\n')));
  const stubborn = client(t, server.url, ['--max-event', '1000', '--decide', 'retry', '--events', '1']);
  await stubborn.over();
  assert.deepEqual(stubborn.data, ['y']);
});

test('a large event is no trouble', async (t) => {
  const server = await scripted(t, (connection) => connection.send(stream(event('1', 'x'.repeat(5_000_000)))));
  const follower = client(t, server.url, ['--events', '1']);
  await follower.over();
  assert.equal(follower.data[0].length, 5_000_000);
});

test('silence is a dead peer, before the answer and after it', async (t) => {
  const server = await scripted(t, (connection) => {
    if (connection.index === 1) connection.send(stream(event('1', 'x')));
    if (connection.index === 2) connection.send(stream(event('2', 'y')));
  });
  const follower = client(t, server.url, ['--idle', '150', '--events', '2']);
  await follower.over();
  assert.deepEqual(follower.downs.map(({ down, reason }) => [down, reason]), [
    ['unreachable', 'the server accepts connections but does not answer'],
    ['ended', 'nothing came for too long, not even a heartbeat'],
  ]);
});

// ---- what does not answer ----

test('a port that refuses, a name that does not exist', async (t) => {
  const port = await freePort();
  const refused = client(t, `http://127.0.0.1:${port}`, ['--downs', '3']);
  await refused.over();
  assert.deepEqual(refused.downs.map(({ down, status, again, reason }) => [down, status, again, reason]),
    Array(3).fill(['unreachable', 0, true, 'connection refused']));
  const unknown = client(t, 'http://no-such-host.invalid/', ['--downs', '2', '--step']);
  await unknown.over();
  for (const { down, again, reason } of unknown.downs) {
    assert.deepEqual([down, again], ['unreachable', true]);
    assert.match(reason, /^cannot look up the host no-such-host\.invalid: ./);
  }
});

for (const how of [[], ['--step']]) {
  test(`a server that dies and comes back is followed on (${how[0] ?? 'run'})`, async (t) => {
    const first = await scripted(t, (connection) => connection.send(stream(event('1', 'x'))));
    const follower = client(t, first.url, ['--events', '2', '--inside', ...how]);
    await follower.until('event');
    await first.close();
    await follower.until('down', 3);
    const second = await scripted(t, (connection) => connection.send(stream(event('2', 'y'))), { port: first.port });
    await follower.over();
    assert.deepEqual(follower.data, ['x', 'y']);
    assert.deepEqual(header(second, 'last-event-id'), ['1']);
    assert.equal(follower.downs[0].down, 'ended');
    assert.ok(follower.downs.slice(1).every(({ down }) => down === 'unreachable'));
  });
}

// ---- requests that must not be sent twice ----

test('a POST that was sent is not sent again by itself', async (t) => {
  const ends = [
    (connection) => connection.end(stream(event('1', 'x')) + lastChunk),
    (connection) => connection.answer('503 No'),
    (connection) => connection.end(),
  ];
  for (const end of ends) {
    const server = await scripted(t, async (connection) => {
      await connection.readBody();
      end(connection);
    });
    const follower = client(t, server.url, ['--method', 'POST', '--body', 'x']);
    const { over, reason } = await follower.over();
    assert.equal(over, 'CRIER_OVER');
    assert.match(reason, /; a POST request is not sent again by itself$/);
    assert.deepEqual(follower.downs.map(({ again }) => again), [false]);
    assert.equal(server.connections.length, 1);
  }
});

test('with .repeat it is, the whole body again, with the last event id', async (t) => {
  const bodies = [];
  const server = await scripted(t, async (connection) => {
    bodies.push(await connection.readBody());
    connection.end(stream(event(String(connection.index), 'x')) + lastChunk);
  });
  const follower = client(t, server.url, ['--method', 'POST', '--body', 'hello', '--repeat', '--events', '3']);
  await follower.over();
  assert.deepEqual(bodies, ['hello', 'hello', 'hello']);
  assert.deepEqual(header(server, 'last-event-id'), [undefined, '0', '1']);
});

test('a POST that never left is tried until it does; on_down may send one again', async (t) => {
  const port = await freePort();
  const follower = client(t, `http://127.0.0.1:${port}`, ['--method', 'POST', '--body', 'x', '--events', '1']);
  await follower.until('down', 2);
  await scripted(t, async (connection) => {
    await connection.readBody();
    connection.send(stream(event('1', 'x')));
  }, { port });
  await follower.over();
  assert.deepEqual(follower.data, ['x']);
  const server = await scripted(t, async (connection) => {
    await connection.readBody();
    connection.end(stream(event('1', 'x')) + lastChunk);
  });
  const asked = client(t, server.url, ['--method', 'POST', '--body', 'x', '--decide', 'retry', '--events', '2']);
  await asked.over();
  assert.equal(server.connections.length, 2);
});

// ---- stopping, and callbacks ----

for (const place of ['open', 'event', 'comment', 'retry', 'down']) {
  for (const how of [[], ['--step']]) {
    test(`stopped inside on_${place}, nothing comes after it (${how[0] ?? 'run'})`, async (t) => {
      const server = await scripted(t, (connection) =>
        connection.end(stream(':c\nretry: 1\ndata: x\n\n:c\nretry: 1\ndata: x\n\n') + lastChunk));
      const follower = client(t, server.url, ['--stop-in', place, '--inside', ...how]);
      assert.equal((await follower.over()).over, 'CRIER_STOPPED');
      assert.ok(place in follower.said.at(-2), JSON.stringify(follower.said));
      assert.equal(follower.all(place).length, 1);
    });
  }
}

test('another thread, or a signal, stops it while it waits', async (t) => {
  const server = await scripted(t, (connection) => connection.send(stream(event('1', 'x'))));
  for (const how of [[], ['--step']]) {
    const threaded = client(t, server.url, ['--on-input', ...how], { stdin: null });
    await threaded.until('event');
    threaded.program.child.stdin.end();
    assert.equal((await threaded.over()).over, 'CRIER_STOPPED');
    assert.deepEqual(threaded.downs, []);

    const signalled = client(t, server.url, how);
    await signalled.until('event');
    signalled.program.child.kill('SIGTERM');
    assert.equal((await signalled.over()).over, 'CRIER_STOPPED');
    assert.deepEqual(signalled.downs, []);
  }
});

test('stopped while it waits to come back, or for an answer', async (t) => {
  const port = await freePort();
  const waiting = client(t, `http://127.0.0.1:${port}`, ['--first', '1000000', '--max', '1000000', '--on-input'], { stdin: null });
  await waiting.until('down');
  waiting.program.child.stdin.end();
  assert.equal((await waiting.over()).over, 'CRIER_STOPPED');
  const mute = await scripted(t, () => asking.program.child.stdin.end());
  const asking = client(t, mute.url, ['--on-input'], { stdin: null });
  assert.equal((await asking.over()).over, 'CRIER_STOPPED');
});

// ---- the example ----

test('examples/follow.c prints events, and follows a server that dies and comes back', async (t) => {
  const first = await scripted(t, (connection) => connection.send(stream('retry: 1\n', event('1', 'x'), event('2', 'y', 'note'))));
  const program = start(t, [first.url], { program: built('examples/follow') });
  await program.until(({ stdout }) => stdout === 'message: x\nnote: y\n');
  await first.close();
  await program.until(({ stderr }) => /connection refused; again in \d+\.\d s\n/.test(stderr));
  const second = await scripted(t, (connection) => connection.send(stream(event('3', 'z'))), { port: first.port });
  await program.until(({ stdout }) => stdout.endsWith('message: z\n'));
  assert.deepEqual(header(second, 'last-event-id'), ['2']);
  program.child.kill('SIGINT');
  const { status, stderr } = await program.exited;
  assert.equal(status, 0);
  assert.equal(stderr.match(/^connected$/gm).length, 2);
  assert.equal((await start(t, [], { program: built('examples/follow') }).exited).status, 2);
});
