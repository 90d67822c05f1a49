// SPDX-License-Identifier: MIT
// The replayer on logs made by hand, and, with the layer and LMDB itself, that the two together find a store
// that breaks its promises, and accuse none that keeps them.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { KIND, Replay, materialise, readLog, seeded } from './replay.mjs';

const faults = process.env.FAULTS_MODULE;
const tiny = process.env.FAULTS_TINY;

// ---- by hand ---------------------------------------------------------------------------------------

function record(kind, { flags = 0, file = 1, offset = 0, bytes = '' } = {}) {
  const body = Buffer.from(bytes);
  const header = Buffer.alloc(32);
  header.writeUInt32LE(0x31544c46, 0);
  header[4] = kind;
  header[5] = flags;
  header.writeUInt32LE(file, 8);
  header.writeBigUInt64LE(BigInt(offset), 16);
  header.writeBigUInt64LE(BigInt(body.length), 24);
  return Buffer.concat([header, body]);
}
const open = (name, file = 1) => record(KIND.open, { flags: 1, file, bytes: name });
const write = (offset, bytes, more = {}) => record(KIND.write, { offset, bytes, ...more });
const sync = (file = 1) => record(KIND.sync, { file });
const block = (letter, size = 512) => letter.repeat(size);
// Runs of equal letters: "a512b512"; zeros are '.'.
const runs = (bytes) => bytes?.toString('latin1').replaceAll('\0', '.').replace(/(.)\1*/gs, (run) => `${run[0]}${run.length}`);
const after = (log, options, position = Infinity) => {
  const replay = new Replay(Buffer.concat(log));
  return runs(replay.cut(Math.min(position, replay.length), options).get('a'));
};

test('what was synced is there, what was not may not be', () => {
  const log = [open('a'), write(0, block('x')), sync(), write(0, block('y')), write(512, block('z'))];
  assert.equal(after(log, { keep: 'none' }), 'x512');
  assert.equal(after(log, { keep: 'all' }), 'y512z512');
});

test('a sync is of one file; the name is safe with it', () => {
  const log = Buffer.concat([open('a'), open('b', 2), write(0, 'one'), write(0, 'two', { file: 2 }), sync(2)]);
  const folder = new Replay(log).cut(log.length, { keep: 'none' });
  assert.equal(folder.get('b').toString(), 'two');
  assert.equal(folder.get('a').toString(), '');
  assert.equal(new Replay(log).cut(log.length - 1, { keep: 'none' }).size, 0);
});

test('an O_DSYNC write makes its own sectors safe and nothing else', () => {
  const log = [open('a'), write(0, block('x')), write(1024, block('y'), { flags: 4 }), write(2048, block('z'))];
  assert.equal(after(log, { keep: 'none', sector: 512 }), '.1024y512');
  // In flight it is a write like others.
  const length = Buffer.concat(log.slice(0, 3)).length;
  assert.equal(after(log, { keep: 'none', sector: 512 }, length - 1), undefined);
});

test('a sector takes with it what earlier writes put into it', () => {
  const log = [open('a'), write(0, block('x', 1024)), write(100, 'y', { flags: 4 })];
  assert.equal(after(log, { keep: 'none', sector: 512 }), 'x100y1x411');
});

test('a truncation is safe with the next sync', () => {
  const log = [open('a'), write(0, block('x', 1024)), sync(), record(KIND.truncate, { offset: 10 })];
  assert.equal(after(log, { keep: 'none' }), 'x1024');
  assert.equal(after(log, { keep: 'all' }), 'x10');
  assert.equal(after([...log, sync()], { keep: 'none' }), 'x10');
  assert.equal(after([...log, record(KIND.truncate, { offset: 20 }), sync()], { keep: 'none' }), 'x10.10');
});

test('in order: what came first, the last write torn; out of order: anything', () => {
  const log = [open('a'), sync(), write(0, block('x', 1024)), write(1024, block('y', 1024))];
  const seen = { prefix: new Set(), sectors: new Set() };
  for (const keep of ['prefix', 'sectors']) {
    const random = seeded(1);
    for (let i = 0; i < 1000; i++) seen[keep].add(after(log, { keep, sector: 512, random }));
  }
  assert.deepEqual([...seen.prefix].sort(), ['', 'x1024', 'x1024y1024', 'x1024y512', 'x512'].sort());
  assert.equal(seen.sectors.size, 16);
  assert.ok(seen.sectors.has('.1024y512') && seen.sectors.has('x512.512y512'));
});

test('a rename is safe with a sync after it', () => {
  const log = [open('a', 1), write(0, 'old'), sync(), open('b', 2), write(0, 'new', { file: 2 }), sync(2),
    record(KIND.rename, { file: 0, bytes: 'b\0a' })];
  const ends = (more, keep) => Object.fromEntries([...new Replay(Buffer.concat([...log, ...more])).cut(1e9, { keep })].map(([name, bytes]) => [name, bytes.toString()]));
  assert.deepEqual(ends([], 'none'), { a: 'old', b: 'new' });
  assert.deepEqual(ends([], 'all'), { a: 'new' });
  assert.deepEqual(ends([sync(0)], 'none'), { a: 'new' });
  assert.deepEqual(ends([sync(0), record(KIND.unlink, { file: 0, bytes: 'a' })], 'all'), {});
});

test('cuts may come in any order; an unfinished record is the end of the log', () => {
  const log = Buffer.concat([open('a'), write(0, 'one'), sync(), write(0, 'two'), sync()]);
  const replay = new Replay(log);
  const first = Buffer.concat([open('a'), write(0, 'one'), sync()]).length;
  assert.equal(replay.cut(log.length).get('a').toString(), 'two');
  assert.equal(replay.cut(first).get('a').toString(), 'one');
  assert.equal(replay.cut(log.length).get('a').toString(), 'two');
  assert.equal(readLog(log.subarray(0, log.length - 1)).length, 4);
  assert.throws(() => readLog(Buffer.concat([log, Buffer.alloc(40)])), /no record/);
});

// ---- with LMDB -------------------------------------------------------------------------------------

function folderFor(t) {
  const top = realpathSync(mkdtempSync(join(process.env.TMPDIR || tmpdir(), 'faults-')));
  t.after(() => rmSync(top, { recursive: true, force: true }));
  return top;
}

function run(args, env = {}) {
  const { status, signal, stdout, stderr } = spawnSync(tiny, args, { encoding: 'utf8', env: { ...process.env, ...env } });
  return { status, signal, stderr, lines: stdout.split('\n').slice(0, -1).map((line) => line.split(' ')) };
}

// Writes under the layer: the log, and what was acknowledged: [{ number, at }].
function recorded(t, sync, count = 150) {
  const top = folderFor(t);
  const dir = join(top, 'd');
  const env = { LD_PRELOAD: faults, FAULTS_DIR: dir, FAULTS_LOG: join(top, 'log') };
  materialise(new Map(), dir);
  const { status, stderr, lines } = run(['write', dir, String(count), sync], env);
  assert.deepEqual({ status, stderr }, { status: 0, stderr: '' });
  return { top, log: readFileSync(join(top, 'log')), acks: lines.map(([number, at]) => ({ number: Number(number), at: Number(at) })) };
}

// Cuts it `count` times: how many of the cuts lost something acknowledged, did not open, or killed their reader.
function cuts({ top, log, acks }, count, seed = 7) {
  const replay = new Replay(log);
  const found = { whole: 0, lost: 0, refused: 0, died: 0, disordered: 0 };
  for (const { position, ...way } of replay.plan(count, seeded(seed))) {
    const dir = join(top, 'cut');
    materialise(replay.cut(position, way), dir);
    const { status, signal, lines } = run(['check', dir]);
    rmSync(dir, { recursive: true });
    const promised = acks.filter(({ at }) => at <= position).at(-1)?.number ?? 0;
    const there = Number(lines.at(-1)?.[0] ?? 0);
    if (signal) found.died += 1;
    // Before anything was promised there may be no store yet, or half of one.
    else if (status !== 0 && promised > 0) found.refused += 1;
    else if (there < promised) found.lost += 1;
    else found.whole += 1;
    if (way.keep !== 'sectors' && (signal || (status !== 0 && promised > 0))) found.disordered += 1;
  }
  return found;
}

test('what was recorded is what is in the folder', (t) => {
  const { top, log, acks } = recorded(t, 'always');
  assert.equal(acks.length, 150);
  const folder = new Replay(log).cut(log.length, { keep: 'all' });
  assert.ok(folder.get('data.mdb').equals(readFileSync(join(top, 'd', 'data.mdb'))));
});

test('LMDB that syncs keeps every promise', (t) => {
  assert.deepEqual(cuts(recorded(t, 'always'), 300), { whole: 300, lost: 0, refused: 0, died: 0, disordered: 0 });
});

test('LMDB that does not sync its meta pages is found out: it loses, but it opens', (t) => {
  const found = cuts(recorded(t, 'nometasync'), 300);
  assert.ok(found.lost > 0, JSON.stringify(found));
  assert.deepEqual({ refused: found.refused, died: found.died }, { refused: 0, died: 0 }, JSON.stringify(found));
});

test('LMDB that never syncs is found out: it loses, and breaks where the order was lost', (t) => {
  const found = cuts(recorded(t, 'nosync'), 300);
  assert.ok(found.lost > 0 && found.refused + found.died > 0, JSON.stringify(found));
  assert.equal(found.disordered, 0, JSON.stringify(found));
});

test('LMDB under failing calls keeps what it acknowledged', (t) => {
  for (const rule of ['fail=writes with=ENOSPC from=40 times=9', 'fail=writes with=short from=33 times=5', 'fail=syncs from=20 times=3', 'limit=300000']) {
    const top = folderFor(t);
    const dir = join(top, 'd');
    materialise(new Map(), dir);
    writeFileSync(join(top, 'control'), `${rule} ${rule.startsWith('fail') ? 'file=data.mdb' : ''}`);
    const { status, lines } = run(['write', dir, '60', 'always'], { LD_PRELOAD: faults, FAULTS_DIR: dir, FAULTS_CONTROL: join(top, 'control') });
    assert.equal(status, 0, rule);
    assert.ok(lines.some(([, failed]) => failed === 'failed'), `${rule} broke nothing`);
    const checked = run(['check', dir]);
    assert.equal(checked.status, 0, `${rule}: ${checked.stderr}`);
    const there = new Set(checked.lines.map(([number]) => number));
    for (const [number, failed] of lines) {
      if (failed !== 'failed' && Number(number) > 20) assert.ok(there.has(number), `${rule}: ${number} is lost`);
    }
  }
});
