// SPDX-License-Identifier: MIT
// crier pub and crier sub with a real hub between them.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { run, start } from '../lib/command.mjs';
import { startCrier } from '../lib/crier.mjs';

const url = (crier) => `http://${crier.addresses[0]}`;

// Follows with -v, and waits until the connection is there.
async function follow(t, crier, ...args) {
  const program = start(t, ['sub', '-u', url(crier), '-v', '--backoff', '1ms..20ms', ...args]);
  await program.until(({ stderr }) => stderr.includes('connected to'));
  return program;
}

test('what pub publishes sub prints, byte for byte', async (t) => {
  const crier = await startCrier(t);
  const program = await follow(t, crier, '-n', '5', 'zürich/**');
  assert.equal((await run(t, ['pub', '-u', url(crier), 'zürich/a b', ' grüß dich '])).status, 0);
  const lines = await run(t, ['pub', '-v', '-u', url(crier), '-e', 'tick', 'zürich/lines'], { stdin: 'one\n\n"three"' });
  const { published, duplicates } = JSON.parse(lines.stdout);
  assert.deepEqual([published, duplicates], [3, 0]);
  assert.equal((await run(t, ['pub', '-u', url(crier), '--raw', 'zürich/raw'], { stdin: 'a\nb' })).status, 0);
  assert.equal((await program.exited).stdout, ' grüß dich \none\n\n"three"\na\nb\n');
});

test('--json prints the envelope, -e chooses types, --since replays', async (t) => {
  const crier = await startCrier(t);
  await run(t, ['pub', '-u', url(crier), '-e', 'a', 'x/1', 'first']);
  await run(t, ['pub', '-u', url(crier), '-e', 'b', 'x/2', 'second']);
  await run(t, ['pub', '-u', url(crier), 'x/1', 'third']);
  const args = ['sub', '-u', url(crier), '--since', 'earliest', '--json', '-n', '2', '-e', 'b', '-e', 'message'];
  const result = await run(t, [...args, 'x/1', 'x/2']);
  const objects = result.stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line));
  assert.deepEqual(objects.map(({ topic, event, data }) => [topic, event, data]), [['x/2', 'b', 'second'], ['x/1', 'message', 'third']]);
  for (const { id, time } of objects) assert.ok(/^\d+-\d+$/.test(id) && !Number.isNaN(Date.parse(time)));
});

test('the same key publishes once', async (t) => {
  const crier = await startCrier(t);
  const args = ['pub', '-v', '-u', url(crier), '-k', 'key', 'once', 'x'];
  const first = JSON.parse((await run(t, args)).stdout);
  const second = JSON.parse((await run(t, args)).stdout);
  assert.deepEqual(second, { ...first, duplicate: true });
});

test('a refusal of the hub is told in its own words', async (t) => {
  const crier = await startCrier(t, { env: { CRIER_PUBLISH_TOKEN: 'a-token-of-sixteen-bytes' } });
  const refused = await run(t, ['pub', '-u', url(crier), 't', 'x']);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /^crier pub: 401 Unauthorized: .+\n$/);
  const env = { CRIER_TOKEN: 'a-token-of-sixteen-bytes' };
  assert.equal((await run(t, ['pub', '-u', url(crier), 't', 'x'], { env })).status, 0);
  const since = await run(t, ['sub', '-u', url(crier), '--since', '5', 't']);
  assert.equal(since.status, 1);
  assert.match(since.stderr, /^crier sub: http:\S+: 400 Bad Request: .+\n$/);
});

test('a restarted hub is found again, and what it forgot is told as a gap', async (t) => {
  const first = await startCrier(t);
  const program = await follow(t, first, '-n', '2', '--json', 'life');
  await run(t, ['pub', '-u', url(first), 'life', 'old']);
  await program.until(({ stdout }) => stdout.includes('"old"'));
  const [address] = first.addresses;
  const ended = new Promise((resolve) => first.child.once('close', resolve));
  first.child.kill('SIGTERM');
  await ended;
  const second = await startCrier(t, { listens: [address] });
  await program.until(({ stdout }) => stdout.includes('crier:gap'));
  await run(t, ['pub', '-u', url(second), 'life', 'new']);
  const result = await program.exited;
  assert.equal(result.status, 0);
  const [old, gap, next] = result.stdout.split('\n').slice(0, -1).map((line) => JSON.parse(line));
  assert.deepEqual([old.data, next.data], ['old', 'new']);
  assert.deepEqual(gap, { event: 'crier:gap', requested: old.id, oldest: null, reason: 'unknown' });
  assert.match(result.stderr, /gap: events after \S+ may be missing \(unknown\)/);
});
