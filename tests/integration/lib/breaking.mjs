// SPDX-License-Identifier: MIT
// Ways to break a durable journal: kill -9, a power cut, a full disk, a failing one. The tests run them in
// short, tests/long/ at length. Each returns what it did, as numbers, and throws when a promise was broken.
import assert from 'node:assert/strict';
import { execFileSync, spawnSync } from 'node:child_process';
import { existsSync, mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { KIND, Replay, materialise } from '../../faults/replay.mjs';
import { bin, plainEnvironment, releaseBin, request } from './crier.mjs';
import { House, Ledger, Reader, SELECTIONS, Writer, compareIds, faultsOf, readData, settle, verdict } from './storm.mjs';
import { until, within } from './wait.mjs';

// The layer is built beside the release: where there are sanitizers, it is not built.
export const faultsModule = process.env.CRIER_FAULTS ?? resolve(dirname(releaseBin), '../../tests/faults/faults.so');
export const noLayer = existsSync(faultsModule) ? false : `there is no ${faultsModule}`;

export function folderFor(scope, name = 'crier-') {
  const top = realpathSync(mkdtempSync(join(process.env.TMPDIR || tmpdir(), name)));
  scope.after(() => rmSync(top, { recursive: true, force: true }));
  return top;
}

const ENDLESS = 10_000_000; // events: a history that is never full

// History is as long as these tests need it, so that nothing acknowledged may be missing.
const serve = (dir, sync, events = ENDLESS) => ['--data', dir, '--sync', sync, '--history-events', String(events), '--history-bytes', '8G'];

// Under the layer: its environment, and rule(text) to break and mend the running server.
function layer(top, dir, { isRecorded = false } = {}) {
  const control = join(top, 'control');
  return {
    env: { LD_PRELOAD: faultsModule, FAULTS_DIR: dir, FAULTS_CONTROL: control, ...(isRecorded ? { FAULTS_LOG: join(top, 'log') } : {}) },
    rule(text) {
      writeFileSync(`${control}.new`, text);
      renameSync(`${control}.new`, control);
    },
  };
}

// Half of the publishers have keys; with hasBatches two of them, one of each half, publish many events at once.
function crowd(house, ledger, random, { writers = 8, readers = 50, hasBatches = false, ...options } = {}) {
  const paces = ['prompt', 'prompt', 'slow', 'asleep'];
  return {
    writers: Array.from({ length: writers }, (_, i) => new Writer(house, ledger, i, random, { isKeyed: i % 2 === 1, batch: hasBatches && i < 2 ? 20 : 1, ...options })),
    readers: Array.from({ length: readers }, (_, i) => new Reader(house, SELECTIONS[i % SELECTIONS.length], { pace: paces[Math.floor(i / 2) % paces.length], random })),
  };
}

// Runs them beside `story`; a failure of any of them is the whole's. Ends them.
async function beside({ house, readers, writers }, story) {
  const reading = readers.map((reader) => reader.run());
  const writing = Promise.all(writers.map((writer) => writer.run()));
  let hasFailed = true;
  const broken = new Promise((_, reject) => { Promise.all([...reading, writing]).catch(reject); });
  try {
    const told = story(writing);
    told.catch(() => {}); // when `broken` came first
    const result = await Promise.race([told, broken]);
    hasFailed = false;
    return result;
  } finally {
    for (const writer of writers) writer.isOver = true;
    for (const reader of readers) reader.end();
    if (hasFailed) house.close();
    await Promise.allSettled([...reading, writing]);
  }
}

const health = async (house) => (await request(house.crier, '/-/health')).json();
async function degraded(house) {
  const said = await until(async () => { const now = await health(house); return now.status === 'degraded' && now; }, 'health said degraded');
  assert.ok(typeof said.reason === 'string' && said.reason.length > 0, `degraded without a reason: ${JSON.stringify(said)}`);
  return said.reason;
}

// ---- kill -9 ---------------------------------------------------------------------------------------

// rounds: lives that end by kill -9, each after a random number of acknowledged events.
export async function killing(scope, random, { rounds = 5, perLife = 250, sync = 'always', program = bin, env = {}, report = () => {}, ...crowdOptions } = {}) {
  const dir = join(folderFor(scope), 'data');
  const house = new House(scope, { program, env, args: serve(dir, sync) });
  const ledger = new Ledger();
  const { writers, readers } = crowd(house, ledger, random, { hasBatches: true, ...crowdOptions });
  await house.open();
  await beside({ house, readers, writers }, async (writing) => {
    for (let round = 0; round < rounds; round++) {
      await ledger.ackedAre(ledger.acked + 1 + random.below(perLife));
      await house.kill();
      while (random.chance(0.25)) await house.miscarry(random.below(60));
      await house.open();
      report(`life ${round + 2}: ${ledger.acked} acknowledged`);
    }
    await ledger.ackedAre(ledger.acked + 20);
    for (const writer of writers) writer.isOver = true;
    await writing;
    await settle(house, ledger, readers, random);
  });
  verdict(readers, ledger);
  const delivered = readers.reduce((sum, { items }) => sum + items.length, 0);
  const unknown = [...ledger.entries.values()].filter(({ state }) => state === 'unknown').length;
  await house.crier.stop();
  return { kills: rounds, acknowledged: ledger.acked, unknown, delivered, connections: readers.reduce((sum, { connects }) => sum + connects, 0) };
}

// ---- a power cut -----------------------------------------------------------------------------------

// The answer to a batch names no ids: they are looked up in the journal as it was left.
function learnIds(ledger, dir, program) {
  const { status, stdout, stderr } = journal('export', dir, program);
  assert.equal(status, 0, stderr);
  const items = exported(stdout);
  assert.deepEqual(faultsOf(items, ledger), []);
  for (const { name, id } of items) ledger.entries.get(name).id = id;
}

// Publishes under the layer: the log of what was written, and the ledger, whose clock is the log's size.
async function record(scope, random, { top, sync, events, program, env, writers = 6, limit, hasBatches }) {
  const dir = join(top, 'data');
  const log = join(top, 'log');
  const recording = layer(top, dir, { isRecorded: true }).env;
  const house = new House(scope, { program, env: { ...env, ...recording }, args: serve(dir, sync, limit) });
  const ledger = new Ledger(() => statSync(log).size);
  const { writers: crew } = crowd(house, ledger, random, { writers, readers: 0, hasBatches });
  await house.open();
  await beside({ house, readers: [], writers: crew }, async (writing) => {
    await ledger.ackedAre(events);
    for (const writer of crew) writer.isOver = true;
    await writing;
  });
  await house.kill();
  if (hasBatches) learnIds(ledger, dir, program);
  return { log: readFileSync(log), ledger };
}

// `crier journal COMMAND --data DIR`. Ends by itself, with words if it has something to say.
function journal(command, dir, program) {
  const { status, signal, stdout, stderr } = spawnSync(program, ['journal', command, '--data', dir],
    { encoding: 'utf8', env: plainEnvironment(), timeout: 60_000, maxBuffer: 2 ** 30 });
  return { status, signal, stdout, stderr };
}

function exported(text) {
  return text.split('\n').slice(0, -1).map((line) => {
    const { id, data } = JSON.parse(line);
    const event = readData(data);
    return { id, name: `${event.writer}:${event.number}` };
  });
}

// What a folder after a cut must hold: the acknowledged, but those that newer ones have pushed out of history.
function missing(items, promised, ids, limit) {
  const there = new Map(items.map(({ id, name }) => [name, id]));
  const newest = items.at(-1)?.id ?? '0-0';
  const rank = new Map(ids.map((id, i) => [id, i]));
  const end = rank.get(newest) ?? -1;
  return promised.filter(({ writer, number, id }) => there.get(`${writer}:${number}`) !== id && !(end - rank.get(id) >= limit));
}

// Where the last sync of the journal's file before a position began; -1: there was none.
function lastSync(replay, position) {
  const file = replay.records.find(({ kind, bytes }) => kind === KIND.open && bytes.toString() === 'data.mdb')?.file;
  return replay.records.filter((record) => record.kind === KIND.sync && record.file === file && record.end <= position).at(-1)?.at ?? -1;
}

// What the last anchor before a position covers (src/durable/anchor.h): the sync of the journal's file that came before
// the last sync of DIR/synced.
function lastAnchor(replay, position) {
  const fileOf = (name) => replay.records.find(({ kind, bytes }) => kind === KIND.open && bytes.toString() === name)?.file;
  const syncs = (name, end) => {
    const file = fileOf(name);
    return replay.records.filter((record) => record.kind === KIND.sync && record.file === file && record.end <= end);
  };
  const anchored = syncs('synced', position).at(-1);
  return anchored === undefined ? -1 : syncs('data.mdb', anchored.at).at(-1)?.at ?? -1;
}

// As if the system had been booted since: the boot's id, in both slots of DIR/synced.
function boot(dir) {
  const path = join(dir, 'synced');
  if (!existsSync(path)) return;
  const file = readFileSync(path);
  const slot = 16 + 36 + 16 + 2 * 65536 + 8;
  for (const at of [0, slot]) if (file.length > at + 52) file.write('another boot', at + 16);
  writeFileSync(path, file);
}

// What may not be, of one cut.
function judge({ verify, listing, cut, ledger, ids, limit, sync, replay }) {
  for (const [name, result] of [['verify', verify], ['export', listing]]) {
    if (result.signal || result.status === null) return `${name} died of ${result.signal}: ${result.stderr}`;
    if (result.status !== 0 && (result.stdout + result.stderr).trim() === '') return `${name} ended with ${result.status} and said nothing`;
  }
  // LMDB without syncs is safe where the disk keeps the order of writes, and only there.
  // With an interval, what the last anchor covers is there on any disk.
  let safeUntil = sync === 'always' ? cut.position : -1;
  if (sync === 'none' && cut.keep !== 'sectors') safeUntil = cut.keep === 'all' ? cut.position : lastSync(replay, cut.position);
  if (sync.startsWith('interval')) safeUntil = lastAnchor(replay, cut.position);
  const promised = ledger.ackedEntries.filter(({ at }) => at <= safeUntil);
  // A store of which nothing was promised may be half made.
  if (verify.status !== 0 || listing.status !== 0) {
    return promised.length > 0 ? `refused, with ${promised.length} events promised: ${verify.stdout}${verify.stderr}${listing.stderr}` : null;
  }
  // Without a sync and without an order nothing is promised of what the file holds: LMDB has no checksums.
  if (sync === 'none' && cut.keep === 'sectors') return null;
  let items;
  try {
    items = exported(listing.stdout);
  } catch (error) {
    return `what it exports is not what was published: ${error.message}`;
  }
  const lost = missing(items, promised, ids, limit);
  if (lost.length) return `${lost.length} of ${promised.length} promised events are lost, first ${lost[0].id}`;
  const stranger = items.find(({ name, id }) => ledger.entries.get(name)?.id !== id);
  return stranger ? `it holds ${JSON.stringify(stranger)}, which was never published` : null;
}

// cuts: so many of one recording. limit: of history, so that pages are used again.
export async function powerCuts(scope, random, { cuts = 60, events = 400, sync = 'always', limit = ENDLESS, program = releaseBin, env = {}, report = () => {} } = {}) {
  const top = folderFor(scope);
  const { log, ledger } = await record(scope, random, { top, sync, events, program, env, limit, hasBatches: limit > ENDLESS / 2 });
  // All were answered in the end, so this is all there ever was.
  assert.equal(ledger.ackedEntries.length, ledger.entries.size);
  const ids = ledger.ackedEntries.map(({ id }) => id).sort(compareIds);
  const replay = new Replay(log);
  const found = { cuts: 0, opened: 0, refused: 0, log: log.length, acknowledged: ledger.acked };
  for (const cut of replay.plan(cuts, { ...random, pick: (list) => list[random.below(list.length)] })) {
    const dir = join(top, 'cut');
    rmSync(dir, { recursive: true, force: true });
    materialise(replay.cut(cut.position, cut), dir);
    // An interval's journal is put back to its last synced state by whoever opens it for writing.
    if (sync.startsWith('interval')) {
      boot(dir);
      journal('compact', dir, program);
    }
    const verify = journal('verify', dir, program);
    const listing = journal('export', dir, program);
    const fault = judge({ verify, listing, cut, ledger, ids, limit, sync, replay });
    if (fault) {
      const kept = keep(top, dir, { position: cut.position, keep: cut.keep, sector: cut.sector, sync });
      throw new Error(`after a cut at ${cut.position} of ${log.length} (${cut.keep}, sectors of ${cut.sector}, --sync ${sync}): ${fault}${kept}`);
    }
    found.cuts += 1;
    found[verify.status === 0 ? 'opened' : 'refused'] += 1;
    if (found.cuts % 100 === 0) report(JSON.stringify(found));
  }
  return found;
}

// CRIER_TEST_KEEP=DIR keeps a folder that broke.
function keep(top, dir, about) {
  const shelf = process.env.CRIER_TEST_KEEP;
  if (!shelf) return '';
  const place = mkdtempSync(join(shelf, 'cut-'));
  for (const name of ['log', 'cut']) renameSync(join(top, name), join(place, name));
  writeFileSync(join(place, 'about.json'), JSON.stringify(about));
  return `; kept as ${place}`;
}

// ---- a full disk -----------------------------------------------------------------------------------

// A disk that can be filled and emptied: the layer's, or a real one.
export function pretendDisk(scope, { program = releaseBin, env: more = {} } = {}) {
  const top = folderFor(scope);
  const dir = join(top, 'data');
  const { env, rule } = layer(top, dir);
  return { dir, program, plain: program === releaseBin ? bin : program, env: { ...more, ...env },
    fill: () => rule(`limit=${statSync(join(dir, 'data.mdb')).size + 300_000}`),
    empty: () => rule('') };
}

// A small tmpfs; throws with the reason where none may be mounted.
export function smallDisk(scope) {
  const top = folderFor(scope);
  const place = join(top, 'disk');
  mkdirSync(place);
  execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=16m', 'tmpfs', place], { stdio: 'pipe' });
  scope.after(() => execFileSync('umount', [place]));
  const filler = join(place, 'filler');
  const free = () => Number(execFileSync('df', ['--output=avail', '-B1', place], { encoding: 'utf8' }).split('\n')[1]);
  return { dir: join(place, 'data'), program: bin, plain: bin, env: {},
    fill: () => writeFileSync(filler, Buffer.alloc(free() - 300_000)),
    empty: () => rmSync(filler) };
}

export async function fullDisk(scope, random, disk, { rounds = 1, report = () => {} } = {}) {
  const { dir, program, plain, env } = disk;
  const house = new House(scope, { program, env, args: serve(dir, 'always') });
  const ledger = new Ledger();
  const { readers } = crowd(house, ledger, random, { readers: SELECTIONS.length, writers: 0 });
  for (const reader of readers) reader.pace = 'prompt';
  // Goes on after refusals; the large ones fill the disk, the small ones fit longest.
  const onRefusal = ({ status, body, headers }) => {
    assert.deepEqual({ status, code: body.code }, { status: 503, code: 'journal-full' }, JSON.stringify(body));
    assert.ok(headers['retry-after'], 'a 503 says when to come back');
    return true;
  };
  const writers = Array.from({ length: 4 }, (_, i) => new Writer(house, ledger, i, random, { sizes: i === 0 ? [60_000] : [100, 4000], onRefusal }));
  const accepted = async (writer) => {
    const { acked } = ledger;
    await writer.one();
    return ledger.acked > acked;
  };
  await house.open();
  const publish = (count) => Promise.all(writers.map(async (writer) => { for (let i = 0; i < count; i++) await writer.one(); }));
  await beside({ house, readers, writers: [] }, async () => {
    for (let round = 0; round < rounds; round++) {
      const before = ledger.refusals.length;
      await publish(5);
      assert.equal(ledger.refusals.length, before, 'there is room');
      disk.fill();
      for (let i = 0; i < 1000 && ledger.refusals.length < before + 8; i++) await publish(2);
      assert.ok(ledger.refusals.length >= before + 8, 'the disk was never full');
      await until(async () => !await accepted(writers[0]), 'a large event was refused');
      const reason = await degraded(house);
      disk.empty();
      // By itself, without a restart.
      await until(() => accepted(writers[0]), 'publishing went on');
      await until(async () => (await health(house)).status === 'ok', 'health was ok again');
      report(`round ${round + 1}: ${JSON.stringify({ acknowledged: ledger.acked, ...ledger.codes, reason })}`);
    }
    await settle(house, ledger, readers, random);
  });
  assert.deepEqual(readers.map(({ connects }) => connects), readers.map(() => 1), 'subscribers stay');
  verdict(readers, ledger);
  await house.kill();
  await sameAfterRestart(house, ledger, random, plain);
  return { acknowledged: ledger.acked, ...ledger.codes };
}

// After a restart, without any layer, the same is there; then the server ends in order.
async function sameAfterRestart(house, ledger, random, program) {
  await house.open({ ...house.options, env: {}, program });
  const again = SELECTIONS.map((selectors) => new Reader(house, selectors));
  await beside({ house, readers: again, writers: [] }, () => settle(house, ledger, again, random));
  verdict(again, ledger);
  assert.equal((await health(house)).status, 'ok');
  await house.crier.stop();
}

// ---- a failing disk --------------------------------------------------------------------------------

// fail: 'writes' or 'syncs' of the file.
export async function failingDisk(scope, random, { fail = 'syncs', after = 100, program = releaseBin, env: more = {} } = {}) {
  const top = folderFor(scope);
  const dir = join(top, 'data');
  const { env, rule } = layer(top, dir);
  const plain = program === releaseBin ? bin : program; // after the restart: without the layer
  const house = new House(scope, { program, env: { ...more, ...env }, args: serve(dir, 'always') });
  const ledger = new Ledger();
  const failures = new Map(); // writer → how often it has been told that the journal failed
  const onRefusal = ({ status, body, headers }, { writer }) => {
    assert.equal(status, 503, JSON.stringify(body));
    assert.ok(headers['retry-after'], 'a 503 says when to come back');
    assert.ok(['outcome-unknown', 'journal-failed'].includes(body.code), JSON.stringify(body));
    // Once it has failed, nothing is begun that could end in doubt: of each publisher only what was in flight.
    if (body.code === 'outcome-unknown') assert.ok(!failures.has(writer), 'in doubt a second time');
    failures.set(writer, (failures.get(writer) ?? 0) + (body.code === 'journal-failed'));
    return failures.get(writer) < 3;
  };
  const { writers, readers } = crowd(house, ledger, random, { readers: SELECTIONS.length, onRefusal });
  for (const reader of readers) reader.pace = 'prompt';
  await house.open();
  await beside({ house, readers, writers }, async (writing) => {
    await ledger.ackedAre(after + random.below(after));
    rule(`fail=${fail} with=EIO file=data.mdb`);
    await within(writing, 'each publisher to be told that the journal failed');
    const reason = await degraded(house);
    const acked = ledger.acked;
    // The disk is well again: that helps nothing before a restart.
    rule('');
    const late = new Writer(house, ledger, 'late', random, { onRefusal });
    while (await late.one());
    assert.equal(ledger.acked, acked, `acknowledged after ${reason}`);
    assert.equal((await health(house)).status, 'degraded');
    const newest = ledger.ackedEntries.map(({ id }) => id).sort(compareIds).at(-1);
    await readers[0].reached(newest);
    assert.deepEqual(readers.map(({ connects }) => connects), readers.map(() => 1), 'subscribers stay');
    await house.end();
    // The same readers go on where they were, in the next life.
    await house.open({ ...house.options, env: {}, program: plain });
    await settle(house, ledger, readers, random);
  });
  assert.ok(ledger.codes['outcome-unknown'] > 0, `none was in flight: ${JSON.stringify(ledger.codes)}`);
  verdict(readers, ledger);
  await house.kill();
  await house.open({ ...house.options, env: {}, program: plain });
  await house.crier.stop();
  const { status, stdout, stderr } = journal('export', dir, plain);
  assert.equal(status, 0, stderr);
  assert.deepEqual(faultsOf(exported(stdout), ledger), []);
  return { acknowledged: ledger.acked, ...ledger.codes };
}

// For the scripts: what `crier serve` of this build says of --data; null: it can.
export function whyNot(program = bin) {
  const { stdout, stderr } = spawnSync(program, ['serve', '--help'], { encoding: 'utf8', env: plainEnvironment() });
  return /--data/.test(stdout + stderr) ? null : `${program} has no --data`;
}
