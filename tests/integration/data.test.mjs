// SPDX-License-Identifier: MIT
// crier serve --data: history outlives the process; a folder that cannot be used is refused by name, and untouched.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bin, held, logfmt, plainEnvironment, publish, request, startCrier } from './lib/crier.mjs';
import { run } from './lib/command.mjs';
import { folder, makeForeign, spoil } from './lib/folder.mjs';

const rules = (count) => Array.from({ length: count }, (_, i) => ['--retain', `t${i}=1h`]).flat();

// [arguments, environment, what the one line says]
const wrong = [
  [['--data', ''], {}, /--data .*name a folder/],
  [['--sync', 'always'], {}, /--sync needs --data/],
  [['--retain', 'a=1'], {}, /--retain needs --data/],
  [['--data-bytes', '1G'], {}, /--data-bytes needs --data/],
  [['--memory-bytes', '1M'], {}, /--memory-bytes needs --data/],
  [['--replay-bytes', '1M'], {}, /--replay-bytes needs --data/],
  [['--pending-bytes', '1M'], {}, /--pending-bytes needs --data/],
  [[], { CRIER_SYNC: 'none' }, /--sync needs --data/],
  [['--data', 'x', '--sync', 'sometimes'], {}, /--sync sometimes: .*always/],
  [['--data', 'x', '--sync', ''], {}, /--sync \(empty\): .*always/],
  [['--data', 'x', '--sync', 'interval='], {}, /--sync interval=: /],
  [['--data', 'x', '--sync', 'interval=5'], {}, /--sync interval=5: .*unit/],
  [['--data', 'x', '--sync', 'interval=0ms'], {}, /--sync interval=0ms: /],
  [['--data', 'x', '--sync', 'interval=2h'], {}, /--sync interval=2h: /],
  [['--data', 'x', '--sync', 'always=1s'], {}, /--sync always=1s: /],
  [['--data', 'x', '--sync', 'Always'], {}, /--sync Always: /],
  [['--data', 'x'], { CRIER_SYNC: 'never' }, /CRIER_SYNC never: /],
  [['--data', 'x', '--retain', ''], {}, /--retain \(empty\): /],
  [['--data', 'x', '--retain', 'orders'], {}, /--retain orders: /],
  [['--data', 'x', '--retain', 'orders='], {}, /--retain orders=: /],
  [['--data', 'x', '--retain', '=10'], {}, /--retain =10: /],
  [['--data', 'x', '--retain', 'a//b=10'], {}, /--retain a\/\/b=10: /],
  [['--data', 'x', '--retain', 'a*=10'], {}, /--retain a\*=10: /],
  [['--data', 'x', '--retain', 'a=0'], {}, /--retain a=0: /],
  [['--data', 'x', '--retain', 'a=10,10'], {}, /--retain a=10,10: /],
  [['--data', 'x', '--retain', 'a=1GiB,1MiB'], {}, /--retain a=1GiB,1MiB: /],
  [['--data', 'x', '--retain', 'a=7d,1h'], {}, /--retain a=7d,1h: /],
  [['--data', 'x', '--retain', 'a=10,'], {}, /--retain a=10,: /],
  [['--data', 'x', '--retain', 'a=-1'], {}, /--retain a=-1: /],
  [['--data', 'x', '--retain', 'a=7w'], {}, /--retain a=7w: /],
  [['--data', 'x', '--retain', 'a=99999999999999999999'], {}, /--retain a=9+: /],
  [['--data', 'x', '--retain', `${'a'.repeat(257)}=1`], {}, /--retain a+=1: /],
  [['--data', 'x', ...rules(65)], {}, /--retain t64=1h: .*64/],
  [['--data', 'x'], { CRIER_RETAIN: 'a=10,1h b' }, /CRIER_RETAIN b: /],
  [['--data', 'x', '--data-bytes', '5'], {}, /--data-bytes 5: it must be/],
  [['--data', 'x', '--memory-bytes', 'all'], {}, /--memory-bytes all: write a number of bytes/],
];

for (const [args, env, words] of wrong) {
  test(`wrong: ${Object.entries(env).map(([name, value]) => `${name}=${value} `)}crier serve ${args.join(' ').slice(0, 80)}`, async (t) => {
    const done = await run(t, ['serve', '-l', '127.0.0.1:0', ...args], { env });
    assert.equal(done.status, 2, done.stderr);
    assert.match(done.stderr, /^crier serve: [^\n]*\n$/);
    assert.match(done.stderr, words);
    assert.ok(!existsSync('x'), 'nothing is made');
  });
}

const started = (crier) => logfmt(crier.lines.find((line) => logfmt(line).event === 'journal'));

test('a missing folder is made; history, ids and the log go on over a restart', async (t) => {
  const data = join(folder(t), 'new');
  let crier = await startCrier(t, { args: ['--data', data] });
  assert.deepEqual((({ data: d, sync, events }) => [d, sync, events])(started(crier)), [data, 'always', '0']);
  const first = await publish(crier, 'news', 'one');
  await publish(crier, 'other', 'two');
  await crier.stop();
  crier = await startCrier(t, { args: ['--data', data, '--sync', 'interval=20ms'], env: { CRIER_RETAIN: 'logs/**=1000,7d news=10' } });
  assert.deepEqual((({ sync, events, topics }) => [sync, events, topics])(started(crier)), ['interval=20ms', '2', '2']);
  assert.deepEqual((await held(crier)).map((event) => event.data), ['one', 'two']);
  const answer = await request(crier, `/events?topic=news&topic=other&since=${first.id}`, { headers: { accept: 'application/json' } });
  assert.deepEqual(answer.json().map((event) => event.data), ['two']);
  for (let i = 0; i < 30; i++) await publish(crier, 'news', `${i}`);
  assert.equal((await held(crier, 'news')).length, 10);
  await crier.stop();
  crier = await startCrier(t, { env: { CRIER_DATA: data, CRIER_SYNC: 'none' } });
  assert.equal(started(crier).sync, 'none');
  await crier.stop();
});

test('without --data there is no line about a journal', async (t) => {
  const crier = await startCrier(t);
  assert.equal(crier.lines.filter((line) => logfmt(line).event === 'journal').length, 0);
});

async function refused(t, data, words, options = {}) {
  const crier = await startCrier(t, { args: ['--data', data, ...(options.args ?? [])], expectExit: true, ...options });
  assert.equal(crier.exit.code, 1, crier.log);
  assert.equal(crier.lines.length, 1, crier.log);
  assert.match(crier.log, /^crier serve: /);
  assert.match(crier.log, words);
  assert.ok(crier.log.includes(data), crier.log);
}

test('a second process is refused with the number of the first, which goes on', async (t) => {
  const data = folder(t);
  const crier = await startCrier(t, { args: ['--data', data] });
  await publish(crier, 'news', 'one');
  await refused(t, data, new RegExp(`\\b${crier.pid}\\b`));
  await publish(crier, 'news', 'two');
  assert.equal((await held(crier)).length, 2);
  await crier.kill();
  // What it has left behind is in nobody's way.
  assert.equal((await held(await startCrier(t, { args: ['--data', data] }))).length, 2);
});

test('a file, and a folder in one', async (t) => {
  const file = join(folder(t), 'file');
  writeFileSync(file, 'hello');
  await refused(t, file, /./);
  await refused(t, join(file, 'x'), /./);
  assert.equal(readFileSync(file, 'utf8'), 'hello');
});

test('a folder in a missing one', async (t) => {
  await refused(t, join(folder(t), 'no/such'), /./);
});

test('a folder that may not be written to', async (t) => {
  const data = folder(t);
  chmodSync(data, 0o555);
  if (process.getuid() !== 0) return refused(t, data, /ermission|not be written/);
  // For root there is no such folder: be somebody else.
  const somebody = ['--reuid=65534', '--regid=65534', '--clear-groups'];
  const able = spawnSync('setpriv', [...somebody, bin, '--version'], { env: plainEnvironment() });
  if (able.status !== 0) return t.skip('no way to be another user');
  return refused(t, data, /ermission|not be written/, { shell: `exec setpriv ${somebody.join(' ')} "$@"` });
});

test('an LMDB file of something else', async (t) => {
  const data = folder(t);
  if (!makeForeign(data)) return t.skip('no mdb_load');
  const before = readFileSync(join(data, 'data.mdb'));
  await refused(t, data, /./);
  assert.ok(before.equals(readFileSync(join(data, 'data.mdb'))));
});

test('a data.mdb that is none of LMDB', async (t) => {
  for (const bytes of [Buffer.from('hello'), Buffer.alloc(65536, 0x5a)]) {
    const data = folder(t);
    writeFileSync(join(data, 'data.mdb'), bytes);
    await refused(t, data, /./);
    assert.ok(bytes.equals(readFileSync(join(data, 'data.mdb'))));
  }
});

test('a data.mdb that is a folder', async (t) => {
  const data = folder(t);
  mkdirSync(join(data, 'data.mdb'));
  await refused(t, data, /./);
});

test('an unknown version of the format', async (t) => {
  const data = folder(t);
  const crier = await startCrier(t, { args: ['--data', data] });
  await publish(crier, 'news', 'one');
  await crier.stop();
  spoil(join(data, 'data.mdb'), (bytes) => {
    let at = -1;
    while ((at = bytes.indexOf('crier journal\0', at + 1)) >= 0) bytes.fill(0x63, at + 14, at + 18);
  });
  const before = readFileSync(join(data, 'data.mdb'));
  await refused(t, data, /version/);
  assert.ok(before.equals(readFileSync(join(data, 'data.mdb'))));
});

// ---- what /-/stats tells of it ----

const doc = readFileSync(new URL('../../docs/http-api.md', import.meta.url), 'utf8');

// The rows of the table with this head, as lists of cells.
function table(head) {
  const lines = doc.slice(doc.indexOf(head)).split('\n').slice(2);
  return lines.slice(0, lines.findIndex((line) => !line.startsWith('|'))).map((line) => line.split('|').slice(1, -1));
}
const words = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map(([, word]) => word);

test('/-/stats: the counters that docs/http-api.md names are there, and of the disk no others', async (t) => {
  const crier = await startCrier(t, { args: ['--data', folder(t)] });
  const stats = await crier.stats();
  const members = table('| member | meaning |').flatMap(([cell]) => words(cell));
  assert.deepEqual(Object.keys(stats.history.disk).sort(), members.sort());
  const counters = table('| flag | default | when it is reached | counter |').flatMap((cells) => words(cells[3]));
  assert.ok(counters.length > 20);
  for (const name of counters.filter((name) => !name.startsWith('refused.'))) {
    assert.equal(typeof name.split('.').reduce((value, key) => value?.[key], stats), 'number', name);
  }
});

test('/-/stats counts commits, reads and the file', async (t) => {
  const data = folder(t);
  const crier = await startCrier(t, { args: ['--data', data, '--memory-bytes', '1M'] });
  const text = 'x'.repeat(100_000);
  for (let i = 0; i < 30; i++) await publish(crier, 'news', text);
  const { disk } = (await crier.stats()).history;
  assert.equal(disk.state, 'ok');
  assert.equal(disk.committed, 30);
  assert.ok(disk.commits >= 30, 'each was waited for');
  assert.equal(disk.largest_commit, 1);
  assert.ok(disk.slowest_commit_us >= disk.last_commit_us && disk.commit_us >= disk.slowest_commit_us && disk.last_commit_us > 0, JSON.stringify(disk));
  assert.ok(disk.file_bytes > 3_000_000 && disk.file_bytes <= statSync(join(data, 'data.mdb')).size, JSON.stringify(disk));
  assert.ok(disk.window_events < 30 && disk.window_bytes <= 1024 * 1024, JSON.stringify(disk));
  assert.equal(disk.pending_bytes, 0);
  assert.equal(disk.reads, 0);
  assert.equal((await request(crier, '/events/news?since=earliest', { headers: { accept: 'application/json' } })).json().length > 0, true);
  assert.ok((await crier.stats()).history.disk.reads > 0);
});

test('/-/stats counts what a full file refused', async (t) => {
  const crier = await startCrier(t, { args: ['--data', folder(t), '--data-bytes', '1M'] });
  let answer;
  for (let i = 0; i < 100 && answer?.status !== 503; i++) {
    answer = await request(crier, '/events/news', { method: 'POST', body: 'x'.repeat(50_000) });
  }
  assert.equal(answer.json().code, 'journal-full');
  const stats = await crier.stats();
  assert.ok(stats.history.disk.refused_full > 0);
  assert.ok(stats.refused['journal-full'] > 0);
  assert.equal(stats.history.disk.refused_failed + stats.history.disk.outcome_unknown, 0);
});
