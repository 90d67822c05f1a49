// SPDX-License-Identifier: MIT
// crier pub: what it sends, and what it makes of the answers.
import assert from 'node:assert/strict';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { test } from 'node:test';
import { bin } from '../lib/crier.mjs';
import { run, start } from '../lib/command.mjs';
import { freePort, published, scripted } from '../lib/scripted.mjs';

const pub = (server, ...args) => ['pub', '-u', server.url, ...args];

// Answers every publish, and keeps what came.
async function hub(t) {
  const bodies = [];
  const server = await scripted(t, async (connection) => {
    bodies.push(await connection.readBody());
    published(connection, { id: `${bodies.length}-0`, topic: 't' });
  });
  return Object.assign(server, { bodies });
}

const objects = (bodies) => bodies.join('').split('\n').slice(0, -1).map((line) => JSON.parse(line));

test('one event: the data is the body, the rest stands in the query and the headers', async (t) => {
  const server = await hub(t);
  const args = ['-e', 'a b', '-k', 'key-1', '--ttl', '10m', '--retry', '700', 'zürich/a b', 'grüß dich\n'];
  const result = await run(t, pub(server, ...args), { env: { CRIER_TOKEN: 'sixteen-bytes-or-more' } });
  assert.deepEqual(result, { status: 0, signal: null, stdout: '', stderr: '' });
  const { method, target, headers } = server.connections[0].request;
  assert.equal(`${method} ${target}`, 'POST /events/z%C3%BCrich/a%20b?event=a%20b&ttl=10m&retry=700');
  assert.deepEqual(server.bodies, ['grüß dich\n']);
  assert.equal(headers.get('idempotency-key'), 'key-1');
  assert.equal(headers.get('content-type'), 'text/plain; charset=utf-8');
  assert.equal(headers.get('authorization'), 'Bearer sixteen-bytes-or-more');
  assert.equal(headers.get('host'), `127.0.0.1:${server.port}`);
});

test('empty data is an event', async (t) => {
  const server = await hub(t);
  assert.equal((await run(t, pub(server, 't', ''))).status, 0);
  assert.equal(server.connections[0].request.headers.get('content-length'), '0');
});

test('--verbose prints the answer', async (t) => {
  const server = await hub(t);
  assert.equal((await run(t, pub(server, '-v', 't', 'x'))).stdout, '{"id":"1-0","topic":"t"}\n');
});

test('the base URL may have a path, the token may come from a file', async (t) => {
  const folder = await mkdtemp(path.join(os.tmpdir(), 'crier-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = path.join(folder, 'token');
  await writeFile(file, 'token-of-the-file \nsecond line\n');
  const server = await hub(t);
  const result = await run(t, ['pub', `--url=${server.url}/base/`, '--token-file', file, 't', 'x'], { env: { CRIER_TOKEN: 'other' } });
  assert.equal(result.status, 0);
  assert.equal(server.connections[0].request.target, '/base/events/t');
  assert.equal(server.connections[0].request.headers.get('authorization'), 'Bearer token-of-the-file');
});

test('standard input: one event a line, with type, ttl and retry', async (t) => {
  const server = await hub(t);
  const stdin = 'one\n"two" \\ \t\r\n\ndrei ✓\nlast without an end';
  const result = await run(t, pub(server, '-e', 'x"y', '--ttl', '60s', '--retry', '500', 't'), { stdin });
  assert.deepEqual([result.status, result.stdout, result.stderr], [0, '', '']);
  const { target, headers } = server.connections[0].request;
  assert.equal(target, '/events/t');
  assert.equal(headers.get('content-type'), 'application/x-ndjson');
  const lines = ['one', '"two" \\ \t', '', 'drei ✓', 'last without an end'];
  assert.deepEqual(objects(server.bodies), lines.map((data) => ({ event: 'x"y', ttl: '60s', retry: 500, data })));
});

test('nothing on standard input publishes nothing', async (t) => {
  const server = await hub(t);
  assert.equal((await run(t, pub(server, 't'))).status, 0);
  assert.equal(server.connections.length, 0);
});

test('a line is sent as soon as it is there, and a pause ends the batch', async (t) => {
  const server = await hub(t);
  const program = start(t, pub(server, '-v', 't'), { stdin: null });
  program.child.stdin.write('one\n');
  while (server.connections.length === 0) await new Promise((resolve) => setImmediate(resolve));
  const first = server.connections[0];
  // It has come though neither the input nor the request has ended.
  await first.until(() => first.request && first.body() === '{"data":"one"}\n');
  await program.until(({ stdout }) => stdout.includes('"1-0"'));
  program.child.stdin.end('two\n');
  assert.equal((await program.exited).status, 0);
  assert.deepEqual(objects(server.bodies), [{ data: 'one' }, { data: 'two' }]);
  assert.equal(server.connections.length, 2);
});

test('a large input arrives whole and in order', async (t) => {
  const server = await hub(t);
  const lines = Array.from({ length: 20000 }, (_, i) => `line ${i} ${'x'.repeat(i % 200)}`);
  const result = await run(t, pub(server, 't'), { stdin: `${lines.join('\n')}\n` });
  assert.equal(result.status, 0);
  assert.deepEqual(objects(server.bodies).map(({ data }) => data), lines);
});

test('--raw: all of standard input is one event', async (t) => {
  const server = await hub(t);
  const stdin = 'one\r\ntwo\n\n';
  assert.equal((await run(t, pub(server, '--raw', '-k', 'k', '-e', 'x', 't'), { stdin })).status, 0);
  assert.deepEqual(server.bodies, [stdin]);
  assert.equal(server.connections[0].request.target, '/events/t?event=x');
});

const problem = (more = {}) =>
  JSON.stringify({ type: '/-/problems/bad-body', title: 'Bad body', status: 400, detail: 'This line is not good.', ...more });

test('a refusal tells status, title and detail', async (t) => {
  const server = await scripted(t, async (connection) => {
    await connection.readBody();
    connection.answer('403 Forbidden', { 'Content-Type': 'application/problem+json' }, problem());
  });
  const result = await run(t, pub(server, 't', 'x'));
  assert.equal(result.status, 1);
  assert.equal(result.stderr, 'crier pub: 403 Forbidden: Bad body: This line is not good.\n');
});

test('a refused line is told by its number in the input', async (t) => {
  const server = await scripted(t, async (connection) => {
    await connection.readBody();
    if (connection.index === 0) published(connection);
    else connection.answer('400 Bad Request', { 'Content-Type': 'application/problem+json' }, problem({ line: 2, published: 1 }));
  });
  const program = start(t, pub(server, '-v', 't'), { stdin: null });
  program.child.stdin.write('1\n2\n3\n');
  await program.until(({ stdout }) => stdout.includes('\n'));
  program.child.stdin.end('4\n5\n6\n');
  const result = await program.exited;
  assert.equal(result.status, 1);
  assert.match(result.stderr, /^crier pub: line 5: 400 Bad Request: Bad body: .* The lines before it are published, this one and those after it are not\.\n$/);
});

test('lines that were never asked for are not published, whatever the answer says', async (t) => {
  const server = await scripted(t, async (connection) => {
    await connection.until(() => connection.body().includes('one'));
    published(connection);
  });
  const program = start(t, pub(server, 't'), { stdin: null });
  program.child.stdin.write('one\n');
  const result = await program.exited;
  assert.equal(result.status, 1);
  assert.match(result.stderr, /answered 201 before the end of what was published; how much of it is published is not known\n$/);
});

test('an answer that never ends is none to wait for', async (t) => {
  const json = 'HTTP/1.1 201 Created\r\nContent-Type: application/json\r\n\r\n';
  const server = await scripted(t, async (connection) => {
    await connection.readBody();
    connection.send(connection.index === 0 ? 'HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n'
      : json + ' '.repeat(64 * 1024));
  });
  const stream = await run(t, pub(server, 't', 'x'));
  assert.equal(stream.status, 1);
  assert.match(stream.stderr, /text\/event-stream instead of application\/json/);
  assert.equal((await run(t, pub(server, 't', 'x'))).status, 0);
});

test('closed standard descriptors do not become the connection', async (t) => {
  const server = await hub(t);
  for (const closed of ['>&-', '2>&-', '<&- >&- 2>&-']) {
    const { status } = await run(t, ['-c', `exec "$0" pub -u "$1" -v t x ${closed}`, bin, server.url], { program: '/bin/sh' });
    assert.equal(status, 0, closed);
    const { received, bodyStart } = server.connections.at(-1);
    assert.equal(received.subarray(bodyStart).toString(), 'x', closed);
  }
});

test('a server that answers early is heard while the input goes on', async (t) => {
  const server = await scripted(t, async (connection) => {
    connection.send(`HTTP/1.1 401 Unauthorized\r\nContent-Type: application/problem+json\r\nConnection: close\r\n\r\n${problem()}`);
    connection.end();
  });
  const program = start(t, pub(server, 't'), { stdin: null });
  program.child.stdin.write('one\n');
  const result = await program.exited;
  assert.equal(result.status, 1);
  assert.match(result.stderr, /^crier pub: 401 Unauthorized: Bad body/);
});

test('an early answer is heard though the server reads nothing of a large body', async (t) => {
  const server = await scripted(t, async (connection) => {
    connection.socket.pause();
    connection.end(`HTTP/1.1 413 Content Too Large\r\nContent-Type: application/problem+json\r\nConnection: close\r\n\r\n${problem()}`);
  });
  const result = await run(t, pub(server, '--raw', 't'), { stdin: 'x'.repeat(8 * 1024 * 1024) });
  assert.equal(result.status, 1);
  assert.match(result.stderr, /^crier pub: 413 /);
});

test('a lost connection says that the outcome is not known', async (t) => {
  const server = await scripted(t, async (connection) => {
    await connection.readBody();
    connection.cut();
  });
  for (const [args, words] of [[['t', 'x'], 'whether it was published'], [['t'], 'which of the last lines were published']]) {
    const result = await run(t, pub(server, ...args), { stdin: 'x\n' });
    assert.equal(result.status, 1);
    assert.match(result.stderr, new RegExp(`^crier pub: lost http:\\S+: .*; it is not known ${words}\n$`));
  }
});

test('nobody there', async (t) => {
  const url = `http://127.0.0.1:${await freePort()}`;
  for (const args of [['t', 'x'], ['t']]) {
    const result = await run(t, ['pub', ...args], { env: { CRIER_URL: url }, stdin: 'x\n' });
    assert.equal(result.status, 1);
    assert.equal(result.stderr, `crier pub: cannot reach ${url}/events/t: connection refused\n`);
  }
});

test('something that is no hub', async (t) => {
  const server = await scripted(t, async (connection) => {
    await connection.readBody();
    connection.answer('200 OK', { 'Content-Type': 'text/html' }, '<p>hello');
  });
  const result = await run(t, pub(server, 't', 'x'));
  assert.equal(result.status, 1);
  assert.match(result.stderr, /text\/html instead of application\/json: is this a Crier hub\?/);
});

test('input that is not UTF-8 is refused with its line, what is before it goes', async (t) => {
  const server = await hub(t);
  const stdin = Buffer.concat([Buffer.from('good\n'), Buffer.from([0xff, 0x0a]), Buffer.from('never\n')]);
  const result = await run(t, pub(server, 't'), { stdin });
  assert.equal(result.status, 1);
  assert.match(result.stderr, /line 2 of standard input: it is not UTF-8 text/);
  assert.deepEqual(objects(server.bodies), [{ data: 'good' }]);
  assert.equal((await run(t, pub(server, '--raw', 't'), { stdin })).status, 1);
});
