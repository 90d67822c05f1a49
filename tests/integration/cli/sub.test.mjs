// SPDX-License-Identifier: MIT
// crier sub against a server that misbehaves in every way a network and a server can.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { test } from 'node:test';
import { bin, plainEnvironment } from '../lib/crier.mjs';
import { run, start } from '../lib/command.mjs';
import { chunk, event, freePort, head, lastChunk, scripted } from '../lib/scripted.mjs';

const quick = ['--backoff', '1ms..5ms'];
const connected = event('100-0', '{"status":"ok","resumed":"none"}', 'crier:connected');
const sub = (server, ...args) => ['sub', '-u', server.url, ...quick, ...args];

// What a server holds: it honours Last-Event-ID, and starts with an opening event as a hub does.
const history = [
  ['101-0', 'first'],
  ['102-0', 'second\nwith two lines'],
  ['103-0', 'dritte ✓'],
];

function replayAfter(lastId) {
  const after = history.findIndex(([id]) => id === lastId) + 1;
  return connected.replace('100-0', lastId ?? '100-0') + history.slice(after).map(([id, data]) => event(id, data)).join('');
}

const printed = `${history.map(([, data]) => data).join('\n')}\n`;

test('prints the data of each event and ends after --count', async (t) => {
  const server = await scripted(t, (connection) => {
    connection.send(head() + chunk(replayAfter()));
  });
  const result = await run(t, sub(server, '-n', '3', 'news'));
  assert.deepEqual(result, { status: 0, signal: null, stdout: printed, stderr: '' });
  const { method, target, headers } = server.connections[0].request;
  assert.equal(`${method} ${target}`, 'GET /events/news');
  assert.equal(headers.get('accept'), 'text/event-stream');
  assert.equal(headers.get('cache-control'), 'no-cache');
  assert.equal(headers.get('last-event-id'), undefined);
  assert.equal(headers.get('authorization'), undefined);
});

test('asks for selectors, types, since and tokens as the interface says', async (t) => {
  const server = await scripted(t, (connection) => {
    connection.send(head() + chunk(event('1-0', 'x')));
  });
  const env = { CRIER_TOKEN: 'a-token-from-the-environment' };
  await run(t, sub(server, '-n', '1', '--since', 'last:5', '-e', 'a b', '-e', 'c', 'zürich/*/a b', 'x&y'), { env });
  await run(t, sub(server, '-n', '1', '--json', 'zürich/**'));
  assert.equal(
    server.connections[0].request.target,
    '/events?topic=z%C3%BCrich/%2A/a%20b&topic=x%26y&since=last%3A5&event=a%20b&event=c',
  );
  assert.equal(server.connections[0].request.headers.get('authorization'), 'Bearer a-token-from-the-environment');
  assert.equal(server.connections[1].request.target, '/events/z%C3%BCrich/%2A%2A?envelope=1');
});

// Every first connection is cut at another byte: nothing may be lost, nothing doubled, nothing half printed.
for (const chunked of [true, false]) {
  test(`a cut at every byte loses and doubles nothing (${chunked ? 'chunked' : 'close-delimited'})`, async (t) => {
    const wrap = (text) => (chunked ? chunk(text) : text);
    const answer = (lastId) =>
      head({ chunked }) + wrap('retry: 1\n') + [...replayAfter(lastId).match(/[^]*?\n\n/g)].map(wrap).join('');
    const whole = Buffer.from(answer());
    let cutAt = 0;
    const server = await scripted(t, (connection) => {
      if (connection.index % 2 === 0) {
        connection.send(whole.subarray(0, cutAt));
        if (cutAt % 3 === 0) connection.cut();
        else connection.end();
      } else {
        connection.send(answer(connection.request.headers.get('last-event-id')));
      }
    });
    const headEnd = whole.indexOf('\r\n\r\n') + 4;
    // The head is cut at a few places only, the body at every byte.
    const places = [0, 1, 9, 20, headEnd - 1];
    for (let at = headEnd; at < whole.length - 1; at++) places.push(at);
    for (cutAt of places) {
      const result = await run(t, sub(server, '--count', '3', 'news'));
      assert.equal(result.stdout, printed, `cut at ${cutAt} of ${whole.length}`);
      assert.equal(result.status, 0);
    }
  });
}

test('resumes after the opening event when it is cut before any other', async (t) => {
  const server = await scripted(t, (connection) => {
    if (connection.index === 0) connection.end(head() + chunk(connected));
    else connection.send(head() + chunk(event('101-0', 'x')));
  });
  const result = await run(t, sub(server, '-n', '1', '--since', 'now', 'news'));
  assert.equal(result.stdout, 'x\n');
  assert.equal(result.stderr, '', 'a lost connection is told with -v only');
  assert.equal(server.connections[1].request.headers.get('last-event-id'), '100-0');
});

test('keeps an id that is UTF-8, and forgets it when the server says so', async (t) => {
  const server = await scripted(t, (connection) => {
    if (connection.index === 0) connection.end(head() + chunk('id: ünï\ndata: a\n\n') + lastChunk);
    else if (connection.index === 1) connection.end(head() + chunk('id:\ndata: b\n\n') + lastChunk);
    else connection.send(head() + chunk('data: c\n\n'));
  });
  await run(t, sub(server, '-n', '3', 'news'));
  const ids = server.connections.map(({ request }) => request.headers.get('last-event-id'));
  assert.deepEqual(ids, [undefined, 'ünï', undefined]);
});

test('a clean end is no end: it comes back, and -v tells', async (t) => {
  const server = await scripted(t, (connection) => {
    if (connection.index < 2) connection.end(head() + lastChunk);
    else connection.send(head() + chunk(event('1-0', 'x')));
  });
  const result = await run(t, sub(server, '-v', '-n', '1', 'news'));
  assert.equal(result.stdout, 'x\n');
  assert.equal(result.stderr.match(/connected to/g).length, 3);
  assert.equal(result.stderr.match(/the server ended the stream; trying again/g).length, 2);
});

test('garbage instead of HTTP is an outage, told once', async (t) => {
  const server = await scripted(t, (connection) => {
    if (connection.index < 3) connection.end('SSH-2.0-OpenSSH_9.2\r\n');
    else connection.send(head() + chunk(event('1-0', 'x')));
  });
  const result = await run(t, sub(server, '-n', '1', 'news'));
  assert.equal(result.stdout, 'x\n');
  assert.match(result.stderr, /^crier sub: cannot reach http:\S+\/events\/news: .*not well-formed HTTP; trying again\n$/);
});

for (const status of ['204 No Content', '205 Reset Content', '299 Odd', '400 Bad Request', '401 Unauthorized', '404 Not Found', '410 Gone', '304 Not Modified', '302 Found']) {
  test(`${status} ends it for good`, async (t) => {
    const server = await scripted(t, (connection) => connection.end(`HTTP/1.1 ${status}\r\nConnection: close\r\n\r\n`));
    const result = await run(t, sub(server, 'news'));
    assert.equal(result.status, 1);
    assert.match(result.stderr, new RegExp(`^crier sub: http:\\S+: ${status.slice(0, 3)}.*\n$`));
    assert.equal(server.connections.length, 1);
  });
}

test('a refusal is told with the words of its problem document, which cannot forge lines', async (t) => {
  const problem = { type: '/-/problems/bad', title: 'Bad\u001b[2J selector', status: 400, detail: 'Say\nwhat you mean.' };
  const server = await scripted(t, (connection) => {
    connection.answer('400 Bad Request', { 'Content-Type': 'application/problem+json' }, JSON.stringify(problem));
  });
  const result = await run(t, sub(server, 'news'));
  assert.equal(result.status, 1);
  assert.match(result.stderr, /: 400 Bad Request: Bad \[2J selector: Say what you mean\.\n$/);
  assert.equal(result.stderr.split('\n').length, 2);
});

test('another content type ends it', async (t) => {
  const server = await scripted(t, (connection) => {
    connection.end(`${head({ type: 'text/html; charset=utf-8', chunked: false })}<p>data: no\n\n`);
  });
  const result = await run(t, sub(server, 'news'));
  assert.equal(result.status, 1);
  assert.equal(result.stdout, '');
  assert.match(result.stderr, /text\/html; charset=utf-8 instead of text\/event-stream/);
});

test('a content type with parameters and other letters is an event stream', async (t) => {
  const server = await scripted(t, (connection) => {
    connection.send(head({ type: 'Text/Event-Stream ; charset=UTF-8;' }) + chunk(event('1-0', 'x')));
  });
  assert.equal((await run(t, sub(server, '-n', '1', 'news'))).stdout, 'x\n');
});

test('408, 425, 429 and 5xx are retried, told once', async (t) => {
  const statuses = ['408 Request Timeout', '425 Too Early', '429 Too Many Requests', '500 Oops', '503 Service Unavailable'];
  const server = await scripted(t, (connection) => {
    if (connection.index < statuses.length) connection.answer(statuses[connection.index]);
    else connection.send(head() + chunk(event('1-0', 'x')));
  });
  const result = await run(t, sub(server, '-n', '1', 'news'));
  assert.equal(result.status, 0);
  assert.equal(result.stdout, 'x\n');
  assert.match(result.stderr, /^crier sub: refused for now by \S+: 408 Request Timeout; trying again\n$/);
  assert.equal(server.connections.length, statuses.length + 1);
});

test('Retry-After is kept to', async (t) => {
  let refusedAt;
  const server = await scripted(t, (connection) => {
    if (connection.index === 0) {
      refusedAt = performance.now();
      connection.answer('429 Too Many Requests', { 'Retry-After': '1' });
    } else {
      connection.send(head() + chunk(event('1-0', 'x')));
    }
  });
  await run(t, sub(server, '-n', '1', 'news'));
  assert.ok(performance.now() - refusedAt >= 1000, 'not sooner than asked for');
});

test('interim answers are passed over', async (t) => {
  const server = await scripted(t, (connection) => {
    connection.send(`HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 100 Continue\r\n\r\n${head()}${chunk(event('1-0', 'x'))}`);
  });
  assert.equal((await run(t, sub(server, '-n', '1', 'news'))).stdout, 'x\n');
});

for (const status of [301, 302, 303, 307, 308]) {
  test(`${status} is followed, and the last event id goes along`, async (t) => {
    const server = await scripted(t, (connection) => {
      if (connection.request.target === '/events/news') connection.answer(`${status} Moved`, { Location: '../elsewhere/./b?c=d#e' });
      else if (connection.index === 1) connection.end(head() + chunk(event('7-0', 'x')) + lastChunk);
      else connection.send(head() + chunk(event('8-0', 'y')));
    });
    const result = await run(t, sub(server, '-n', '2', 'news'));
    assert.equal(result.stdout, 'x\ny\n');
    assert.deepEqual(
      server.connections.map(({ request }) => [request.target, request.headers.get('last-event-id')]),
      [['/events/news', undefined], ['/elsewhere/b?c=d', undefined], ['/events/news', '7-0'], ['/elsewhere/b?c=d', '7-0']],
    );
  });
}

test('a token never goes to another origin, and not back after that', async (t) => {
  const other = await scripted(t, (connection) => connection.answer('302 Found', { Location: `${server.url}/home` }));
  const server = await scripted(t, (connection) => {
    if (connection.request.target === '/events/news') connection.answer('307 Here', { Location: '/same' });
    else if (connection.request.target === '/same') connection.answer('307 Away', { Location: `${other.url}/away` });
    else connection.send(head() + chunk(event('1-0', 'x')));
  });
  const result = await run(t, sub(server, '-n', '1', 'news'), { env: { CRIER_TOKEN: 'secret-secret-secret' } });
  assert.equal(result.stdout, 'x\n');
  const sent = (connections) => connections.map(({ request }) => [request.target, request.headers.has('authorization')]);
  assert.deepEqual(sent(server.connections), [['/events/news', true], ['/same', true], ['/home', false]]);
  assert.deepEqual(sent(other.connections), [['/away', false]]);
});

test('redirects in a circle end after twenty', async (t) => {
  const server = await scripted(t, (connection) => connection.answer('302 Found', { Location: '/events/news' }));
  const result = await run(t, sub(server, 'news'));
  assert.equal(result.status, 1);
  assert.match(result.stderr, /more than 20 redirects/);
  assert.equal(server.connections.length, 21);
});

test('a server that is not there is told once, and found when it comes', async (t) => {
  const port = await freePort();
  const program = start(t, sub({ url: `http://127.0.0.1:${port}` }, '-n', '1', 'news'));
  await program.until(({ stderr }) => stderr.includes('\n'));
  await scripted(t, (connection) => connection.send(head() + chunk(event('1-0', 'x'))), { port });
  const result = await program.exited;
  assert.equal(result.stdout, 'x\n');
  assert.equal(result.stderr, `crier sub: cannot reach http://127.0.0.1:${port}/events/news: connection refused; trying again\n`);
});

test('a server that goes away and comes back is resumed', async (t) => {
  const first = await scripted(t, (connection) => connection.send(head() + chunk(event('1-0', 'x'))));
  const program = start(t, sub(first, '-n', '2', 'news'));
  await program.until(({ stdout }) => stdout === 'x\n');
  await first.close();
  await program.until(({ stderr }) => stderr.includes('cannot reach'));
  const second = await scripted(t, (connection) => connection.send(head() + chunk(event('2-0', 'y'))), { port: first.port });
  assert.equal((await program.exited).stdout, 'x\ny\n');
  assert.equal(second.connections[0].request.headers.get('last-event-id'), '1-0');
});

test('a name that does not exist is an outage', async (t) => {
  const result = await run(t, ['sub', '-u', 'http://no-such-host.invalid', ...quick, '--timeout', '300ms', 'news']);
  assert.equal(result.status, 0);
  assert.match(result.stderr, /^crier sub: cannot reach \S+: cannot look up the host no-such-host\.invalid: .*; trying again\n$/);
});

test('silence longer than the idle timeout is a dead connection; comments are life', async (t) => {
  const server = await scripted(t, async (connection) => {
    connection.send(head() + chunk(connected));
    if (connection.index === 0) return;
    // Heartbeats for longer than the idle timeout keep this one.
    for (let i = 0; i < 8; i++) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      connection.send(chunk(':\n'));
    }
    connection.send(chunk(event('101-0', 'x')));
  });
  const result = await run(t, sub(server, '-v', '--idle-timeout', '250ms', '-n', '1', 'news'));
  assert.equal(result.stdout, 'x\n');
  assert.match(result.stderr, /nothing came for too long/);
  assert.equal(server.connections.at(-1).request.headers.get('last-event-id'), '100-0');
});

const gap = event('90-0', '{"requested":"50-0","oldest":"91-0","reason":"evicted"}', 'crier:gap');

test('a gap is told on standard error', async (t) => {
  const server = await scripted(t, (connection) => connection.send(head() + chunk(gap + event('91-0', 'x'))));
  const result = await run(t, sub(server, '-n', '1', '--since', '50-0', 'news'));
  assert.equal(result.stdout, 'x\n');
  assert.equal(result.stderr, 'crier sub: gap: events after 50-0 may be missing (evicted), it goes on at 91-0\n');
});

test('a gap is an object with --json, envelopes pass as they are', async (t) => {
  const envelope = '{"id":"91-0","topic":"news","event":"message","data":"a\\nb","time":"2026-01-01T00:00:00.000Z"}';
  const server = await scripted(t, (connection) => connection.send(head() + chunk(connected + gap + event('91-0', envelope))));
  const result = await run(t, sub(server, '-n', '1', '--json', 'news'));
  assert.equal(result.stdout, `{"event":"crier:gap","requested":"50-0","oldest":"91-0","reason":"evicted"}\n${envelope}\n`);
  assert.match(result.stderr, /gap/);
});

test('with --json an event of a server without envelopes is made into an object', async (t) => {
  const server = await scripted(t, (connection) => connection.send(head() + chunk(event('5-0', 'a "b"\nc', 'note'))));
  const result = await run(t, sub(server, '-n', '1', '--json', 'news'));
  assert.deepEqual(JSON.parse(result.stdout), { id: '5-0', event: 'note', data: 'a "b"\nc' });
});

test('--timeout ends it: 0, but 1 when --count was not reached', async (t) => {
  const server = await scripted(t, (connection) => connection.send(head() + chunk(event('1-0', 'x'))));
  const plain = await run(t, sub(server, '--timeout', '2s', 'news'));
  assert.deepEqual([plain.status, plain.stdout], [0, 'x\n']);
  const counted = await run(t, sub(server, '--timeout', '2s', '-n', '2', 'news'));
  assert.deepEqual([counted.status, counted.stdout], [1, 'x\n']);
});

for (const signal of ['SIGINT', 'SIGTERM']) {
  test(`${signal} ends it with 0`, async (t) => {
    const server = await scripted(t, (connection) => connection.send(head() + chunk(event('1-0', 'x'))));
    const program = start(t, sub(server, 'news'));
    await program.until(({ stdout }) => stdout === 'x\n');
    program.child.kill(signal);
    assert.deepEqual(await program.exited, { status: 0, signal: null, stdout: 'x\n', stderr: '' });
  });
}

test('it ends quietly when nobody reads its output any more, also while nothing comes', async (t) => {
  const server = await scripted(t, (connection) => connection.send(head() + chunk(event('1-0', 'x'))));
  const program = start(t, sub(server, 'news'));
  await program.until(({ stdout }) => stdout === 'x\n');
  program.child.stdout.destroy();
  const result = await program.exited;
  assert.deepEqual([result.status, result.stderr], [0, '']);
});

test('many large events come through whole', async (t) => {
  const big = 'x'.repeat(1024 * 1024);
  const server = await scripted(t, (connection) => {
    connection.send(head());
    for (let i = 1; i <= 8; i++) connection.send(chunk(event(`${i}-0`, `${i}${big}`)));
  });
  const result = await run(t, sub(server, '-n', '8', 'news'));
  assert.equal(result.stdout, [1, 2, 3, 4, 5, 6, 7, 8].map((i) => `${i}${big}\n`).join(''));
});

// Nobody reads what it prints; it has begun to, and can print no more.
async function stuck(t, ...args) {
  const server = await scripted(t, (connection) => {
    connection.send(head());
    for (let i = 0; i < 64; i++) connection.send(chunk(event(`${i + 1}-0`, 'x'.repeat(16 * 1024))));
  });
  const child = spawn(bin, sub(server, ...args, 'news'), { stdio: ['ignore', 'pipe', 'inherit'], env: plainEnvironment() });
  const exited = new Promise((resolve) => child.once('exit', (status, signal) => resolve({ status, signal })));
  const limit = setTimeout(() => child.kill('SIGKILL'), 20_000);
  t.after(() => {
    clearTimeout(limit);
    child.kill('SIGKILL');
  });
  await new Promise((resolve) => child.stdout.once('readable', resolve));
  return { child, exited };
}

for (const signal of ['SIGTERM', 'SIGINT']) {
  test(`${signal} ends it though nobody reads what it prints`, async (t) => {
    const { child, exited } = await stuck(t);
    child.kill(signal);
    assert.deepEqual(await exited, { status: 0, signal: null });
  });
}

test('--timeout ends it though nobody reads what it prints', async (t) => {
  const { exited } = await stuck(t, '--count', '1000', '--timeout', '300ms');
  assert.deepEqual(await exited, { status: 1, signal: null });
});
