// SPDX-License-Identifier: MIT
// crier journal: into the folder of a hub, while it runs and when it does not; what is written there comes out
// again, and what is wrong is told in a line.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { chmodSync, copyFileSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { bin, plainEnvironment, publish, request, startCrier } from '../lib/crier.mjs';
import { run } from '../lib/command.mjs';
import { folder, makeForeign, spoil } from '../lib/folder.mjs';

const journal = (t, verb, data, args = [], options) => run(t, ['journal', verb, '--data', data, ...args], options);

async function good(t, ...args) {
  const done = await journal(t, ...args);
  assert.equal(done.status, 0, done.stderr);
  return done.stdout;
}

const lines = (text) => text.split('\n').filter(Boolean);
const objects = (text) => lines(text).map((line) => JSON.parse(line));

// A folder with what a hub has published there, and the ids.
async function filled(t) {
  const data = folder(t);
  const crier = await startCrier(t, { args: ['--data', data] });
  const ids = [];
  ids.push((await publish(crier, 'news', 'hello')).id);
  ids.push((await publish(crier, 'orders/1', 'a "b"\n\nc', '?event=paid&retry=3000&ttl=1h&key=k1')).id);
  ids.push((await publish(crier, 'orders/2', 'caf\u00e9 \u2028 \u{1f600}', '?event=sent')).id);
  ids.push((await publish(crier, 'news', '')).id);
  return { data, crier, ids };
}

const event = (id, more) => `${JSON.stringify({ id, topic: 'a', time: '2026-01-31T12:00:00.000Z', data: 'x', ...more })}\n`;

// ---- the command line ----

const wrong = [
  [[], {}, /name one of info, verify/],
  [['info', 'x'], {}, /name one of info, verify/],
  [['infos', '--data', 'x'], {}, /did you mean info\?/],
  [['nothing', '--data', 'x'], {}, /name one of info, verify/],
  [['info'], {}, /crier journal info --data DIR/],
  [['info', '--data', ''], {}, /crier journal info --data DIR/],
  [['verify', '--data', 'x', '--json'], {}, /--json is not for verify/],
  [['import', '--data', 'x', '--since', '1h'], {}, /--since is not for import/],
  [['compact', '--data', 'x', '--topic', 'a'], {}, /--topic is not for compact/],
  [['info', '--data', 'x', '--limit', '1'], {}, /--limit is not for info/],
  [['dump', '--data', 'x', '--topic', 'a//b'], {}, /--topic a\/\/b: /],
  [['dump', '--data', 'x', '--since', 'nonsense'], {}, /--since nonsense: /],
  [['dump', '--data', 'x', '--since', 'last:0'], {}, /--since last:0: /],
  [['dump', '--data', 'x', '--limit', '0'], {}, /--limit 0: it must be 1 to/],
  [['dump', '--data', 'x', '--sinse', '1h'], {}, /did you mean --since\?/],
  [['import'], { CRIER_DATA_BYTES: '64G', CRIER_DATA: '' }, /crier journal import --data DIR/],
];

for (const [args, env, words] of wrong) {
  test(`wrong: crier journal ${args.join(' ')}`, async (t) => {
    const done = await run(t, ['journal', ...args], { env });
    assert.equal(done.status, 2, done.stderr);
    assert.equal(done.stdout, '');
    assert.match(done.stderr, /^crier journal: [^\n]*\n$/);
    assert.match(done.stderr, words);
  });
}

// ---- what is there ----

test('info: for people and for programs, while a hub has it and after', async (t) => {
  const { data, crier, ids } = await filled(t);
  const about = JSON.parse(await good(t, 'info', data, ['--json']));
  assert.equal(about.folder, data);
  assert.equal(about.format, 1);
  assert.equal(about.writer, crier.pid);
  assert.equal(about.events, 4);
  assert.equal(about.topics, 3);
  assert.equal(about.first, ids[0]);
  assert.equal(about.last, ids[3]);
  assert.equal(about.first_time, new Date(Number(ids[0].split('-')[0])).toISOString());
  assert.equal(about.epoch, Math.floor(Number(ids[0].split('-')[1]) / 10000));
  assert.equal(about.file_bytes, statSync(join(data, 'data.mdb')).size);
  assert.ok(about.free_bytes < about.file_bytes);
  assert.equal(about.shares.length, 1);
  assert.equal(about.shares[0].events, 4);
  const text = await good(t, 'info', data);
  assert.match(text, new RegExp(`^open +by process ${crier.pid}$`, 'm'));
  assert.match(text, /^events +4 in 3 topics, /m);
  assert.match(text, new RegExp(`^newest +${ids[3]} +2`, 'm'));
  await crier.stop();
  assert.match(await good(t, 'info', data), /^open +no$/m);
  assert.equal(JSON.parse(await good(t, 'info', data, ['--json'])).writer, null);
});

test('info counts the shares of the rules the hub has', async (t) => {
  const data = folder(t);
  const crier = await startCrier(t, { args: ['--data', data, '--retain', 'orders/**=10,1GiB', '--retain=logs=7d'] });
  for (const topic of ['news', 'orders/1', 'orders/2', 'logs']) await publish(crier, topic, 'x');
  for (const running of [true, false]) {
    if (!running) await crier.stop();
    const { shares } = JSON.parse(await good(t, 'info', data, ['--json']));
    assert.deepEqual(shares.map((share) => [share.selector, share.events]), [[undefined, 1], ['orders/**', 2], ['logs', 1]]);
    assert.deepEqual([shares[1].max_events, shares[1].max_bytes, shares[1].max_age_ms], [10, 2 ** 30, undefined]);
    assert.equal(shares[2].max_age_ms, 7 * 24 * 3600 * 1000);
    assert.match(await good(t, 'info', data), /^shares +what no rule takes: 1 events, .*\n +orders\/\*\*: 2 events, /m);
  }
});

test('dump: a line an event, by topic, from where it is told, as many as it is told', async (t) => {
  const { data, ids } = await filled(t);
  const all = lines(await good(t, 'dump', data));
  assert.deepEqual(all.map((line) => line.split('  ')[0]), ids);
  assert.match(all[0], /^\S+ {2}20\S+Z {2}news {2}message {2}5 B {2}hello$/);
  assert.match(all[1], / {2}orders\/1 {2}paid {2}8 B {2}a "b" {2}c$/);
  const idsOf = async (...args) => lines(await good(t, 'dump', data, args)).map((line) => line.split('  ')[0]);
  assert.deepEqual(await idsOf('--topic', 'orders/*'), [ids[1], ids[2]]);
  assert.deepEqual(await idsOf('--topic', 'orders/1', '--topic', 'news'), [ids[0], ids[1], ids[3]]);
  assert.deepEqual(await idsOf('--topic', 'none'), []);
  assert.deepEqual(await idsOf('--since', ids[1]), [ids[2], ids[3]]);
  assert.deepEqual(await idsOf('--since', 'last:2'), [ids[2], ids[3]]);
  assert.deepEqual(await idsOf('--since', 'last:1', '--topic', 'orders/**'), [ids[2]]);
  assert.deepEqual(await idsOf('--since', 'latest'), [ids[1], ids[2], ids[3]]);
  assert.deepEqual(await idsOf('--since', 'latest', '--topic', 'news'), [ids[3]]);
  assert.deepEqual(await idsOf('--since', '1h'), ids);
  assert.deepEqual(await idsOf('--since', '2026-01-01T00:00:00Z'), ids);
  assert.deepEqual(await idsOf('--since', 'now'), []);
  assert.deepEqual(await idsOf('--limit', '3'), ids.slice(0, 3));
  const unknown = await journal(t, 'dump', data, ['--since', '17-10000']);
  assert.equal(unknown.status, 1);
  assert.match(unknown.stderr, /no event of this journal/);
});

test('dump shows long and unprintable data as a line', async (t) => {
  const data = folder(t);
  const crier = await startCrier(t, { args: ['--data', data] });
  await publish(crier, 'a', `${'é'.repeat(1000)}`);
  await publish(crier, 'a', '\u001b[31mred\u0007');
  const [long, red] = lines(await good(t, 'dump', data));
  assert.match(long, / {2}1\.9 KiB {2}é{30}\.\.\.$/);
  assert.match(red, / {2}9 B {3}\[31mred $/);
});

// ---- export and import ----

test('export gives all there is of an event; import into a new folder and export again is the same', async (t) => {
  const { data, crier, ids } = await filled(t);
  const text = await good(t, 'export', data);
  const events = objects(text);
  assert.deepEqual(events.map(({ time, ...rest }) => rest), [
    { id: ids[0], topic: 'news', data: 'hello' },
    { id: ids[1], topic: 'orders/1', event: 'paid', retry: 3000, ttl: '3600s', key: 'k1', data: 'a "b"\n\nc' },
    { id: ids[2], topic: 'orders/2', event: 'sent', data: 'caf\u00e9 \u2028 \u{1f600}' },
    { id: ids[3], topic: 'news', data: '' },
  ]);
  for (const { id, time } of events) assert.equal(new Date(time).getTime(), Number(id.split('-')[0]));
  await crier.stop();
  assert.equal(await good(t, 'export', data), text);
  assert.deepEqual(objects(await good(t, 'export', data, ['--topic', 'orders/*', '--since', ids[1]])).map((e) => e.id), [ids[2]]);
  assert.deepEqual(objects(await good(t, 'export', data, ['--limit', '1'])).map((e) => e.id), [ids[0]]);

  const copy = join(folder(t), 'a/new/one');
  mkdirSync(join(copy, '..'), { recursive: true });
  const imported = await journal(t, 'import', copy, [], { stdin: text });
  assert.equal(imported.status, 0, imported.stderr);
  assert.match(imported.stderr, /imported 4 events/);
  assert.equal(await good(t, 'export', copy), text);
  assert.match(await good(t, 'verify', copy), /^sound: 4 events in 3 topics\n$/);

  // A client goes on with the ids it has, and so do idempotency keys.
  const next = await startCrier(t, { args: ['--data', copy] });
  const answer = await request(next, `/events?topic=news&topic=orders/*&since=${ids[0]}`, { headers: { accept: 'application/json' } });
  assert.deepEqual(answer.json().map((e) => e.id), ids.slice(1));
  assert.equal(answer.headers['crier-resumed'], 'exact');
  assert.deepEqual(await publish(next, 'orders/1', 'again', '?key=k1'), { id: ids[1], topic: 'orders/1', duplicate: true });
  const fresh = await publish(next, 'news', 'more');
  assert.equal(Math.floor(fresh.id.split('-')[1] / 10000), Math.floor(ids[0].split('-')[1] / 10000));
  await next.stop();
});

test('an export piece by piece is imported like one', async (t) => {
  const { data, crier, ids } = await filled(t);
  await crier.stop();
  const first = await good(t, 'export', data, ['--limit', '2']);
  const second = await good(t, 'export', data, ['--since', ids[1]]);
  const copy = folder(t);
  await good(t, 'import', copy, [], { stdin: first });
  await good(t, 'import', copy, [], { stdin: second });
  assert.equal(await good(t, 'export', copy), first + second);
  assert.match(await good(t, 'verify', copy), /^sound: /);
  const again = await journal(t, 'import', copy, [], { stdin: second });
  assert.equal(again.status, 1);
  assert.match(again.stderr, /^crier journal: line 1: its id is not greater than the newest/);
});

test('export while the hub publishes: all there was when it began, in order', async (t) => {
  const data = folder(t);
  const crier = await startCrier(t, { args: ['--data', data] });
  const batch = (from) => Array.from({ length: 2000 }, (_, i) => JSON.stringify({ topic: `t/${i % 7}`, data: `${from + i} ${'x'.repeat(200)}` })).join('\n');
  const post = (from) => request(crier, '/events', { body: batch(from), headers: { 'content-type': 'application/x-ndjson' } });
  assert.equal((await post(0)).status, 201);
  let busy = true;
  const publishing = (async () => { for (let from = 2000; busy; from += 2000) assert.equal((await post(from)).status, 201); })();
  const seen = objects(await good(t, 'export', data)).map((e) => Number(e.data.split(' ')[0]));
  busy = false;
  await publishing;
  assert.ok(seen.length >= 2000);
  assert.deepEqual(seen, seen.map((_, i) => i));
  assert.match(await good(t, 'verify', data), /^sound: /);
});

test('import: large and many, in transactions of their own; blank lines; no last line end', async (t) => {
  const data = folder(t);
  const made = [];
  for (let i = 0; i < 25000; i++) made.push(event(`${1769860800000 + i}-70000`, { topic: `t/${i % 100}`, data: `${i}` }));
  made.push(event('1769860900000-70000', { data: '\0"\n'.repeat(300000) }));
  await good(t, 'import', data, [], { stdin: `\n${made.join('\r\n\n').trimEnd()}` });
  assert.equal(await good(t, 'export', data), made.join(''));
});

test('an empty import makes nothing', async (t) => {
  const data = join(folder(t), 'none');
  const done = await journal(t, 'import', data, [], { stdin: '\n' });
  assert.equal(done.status, 0);
  assert.match(done.stderr, /no events/);
  assert.throws(() => statSync(data));
});

const badLines = [
  ['no JSON', 'hello\n', /line 3: it is not one JSON object/],
  ['not UTF-8', Buffer.concat([Buffer.from(event('1769860800002-70000')).subarray(0, -3), Buffer.from([0xff, 0x22, 0x7d, 0x0a])]), /line 3: it is not UTF-8/],
  ['an unknown member', event('1769860800002-70000', { tropic: 1 }), /line 3: it has a member that is not known/],
  ['an id twice', event('1769860800001-70000'), /line 3: its id is not greater/],
  ['an older id', event('1769860800000-70009'), /line 3: its id is not greater/],
  ['an id of another life', event('1769860800002-80000'), /line 3: its id is of another journal/],
  ['an id past all times', event('18446744073709551615-70000'), /line 3: its id lies/],
  ['an id that overflows', event('18446744073709551616-70000'), /line 3: id is/],
  ['a pattern', event('1769860800002-70000', { topic: 'a/*' }), /line 3: .*\*/],
];

for (const [what, line, words] of badLines) {
  test(`import: ${what} ends it, what came before is in`, async (t) => {
    const data = folder(t);
    const start = event('1769860800000-70000') + event('1769860800001-70000');
    const done = await journal(t, 'import', data, [],
      { stdin: Buffer.concat([Buffer.from(start), Buffer.from(line), Buffer.from(event('1769860800003-70000'))]) });
    assert.equal(done.status, 1);
    assert.match(done.stderr, /^crier journal: [^\n]*\n$/);
    assert.match(done.stderr, words);
    assert.match(done.stderr, /what is before it is imported: 2 events/);
    assert.equal(await good(t, 'export', data), start);
  });
}

test('import: a first id of no hub makes nothing; a folder of another life refuses', async (t) => {
  const data = join(folder(t), 'none');
  const done = await journal(t, 'import', data, [], { stdin: event('1769860800000-7') });
  assert.equal(done.status, 1);
  assert.match(done.stderr, /line 1: its id is none of a Crier hub/);
  assert.throws(() => statSync(data));
  await good(t, 'import', data, [], { stdin: event('1769860800000-70000') });
  const other = await journal(t, 'import', data, [], { stdin: event('1769860800001-80000') });
  assert.equal(other.status, 1);
  assert.match(other.stderr, /line 1: its id is of another journal/);
});

test('import keeps events in the shares of the rules the folder has, and notes what it pushes out', async (t) => {
  const data = folder(t);
  let crier = await startCrier(t, { args: ['--data', data, '--retain', 'logs=1'] });
  const { id } = await publish(crier, 'logs', 'x');
  await crier.stop();
  const [ms, seq] = id.split('-');
  await good(t, 'import', data, [], { stdin: event(`${Number(ms) + 1}-${seq}`, { topic: 'logs' }) });
  const counts = async () => JSON.parse(await good(t, 'info', data, ['--json'])).shares.map((share) => [share.selector, share.events]);
  assert.deepEqual(await counts(), [[undefined, 0], ['logs', 2]]);
  await good(t, 'compact', data);
  assert.deepEqual(await counts(), [[undefined, 0], ['logs', 2]]);
  assert.match(await good(t, 'verify', data), /^sound: 2 events/);
  crier = await startCrier(t, { args: ['--data', data, '--retain', '**=1'] });
  await publish(crier, 'news', 'y');
  await crier.stop();
  const done = await journal(t, 'import', data, [], { stdin: event(`${Date.now() + 100000}-${seq}`, { topic: 'logs' }) });
  assert.equal(done.status, 0);
  assert.match(await good(t, 'verify', data), /^sound: /);
  // The second of the topic was kept aside, and has made way for the imported one.
  crier = await startCrier(t, { args: ['--data', data] });
  const answer = await request(crier, `/events/logs?since=${id}`, { headers: { accept: 'application/json' } });
  assert.equal(answer.headers['crier-resumed'], 'gap');
  await crier.stop();
});

test('import stops at --data-bytes and says so; what was committed is there', async (t) => {
  const data = folder(t);
  const made = Array.from({ length: 30000 }, (_, i) => event(`${1769860800000 + i}-70000`, { data: 'x'.repeat(300) }));
  const done = await journal(t, 'import', data, ['--data-bytes', '8M'], { stdin: made.join('') });
  assert.equal(done.status, 1);
  assert.match(done.stderr, /--data-bytes/);
  const held = lines(await good(t, 'export', data));
  assert.equal(held.length, Number(/imported so far: (\d+) events/.exec(done.stderr)[1]));
  assert.deepEqual(held.map((line) => `${line}\n`), made.slice(0, held.length));
});

// ---- who has it ----

test('compact and import are refused while a hub has it, with its number', async (t) => {
  const { data, crier } = await filled(t);
  const compact = await journal(t, 'compact', data);
  assert.equal(compact.status, 1);
  assert.match(compact.stderr, new RegExp(`process ${crier.pid} .*free pages`));
  const imported = await journal(t, 'import', data, [], { stdin: event('9999999999999-70000') });
  assert.equal(imported.status, 1);
  assert.match(imported.stderr, new RegExp(`\\b${crier.pid}\\b`));
});

test('compact gives back what was free, and nothing else changes', async (t) => {
  const data = folder(t);
  const crier = await startCrier(t, { args: ['--data', data] });
  for (let i = 0; i < 20; i++) await publish(crier, i ? 'large' : 'small', `${i}`.padEnd(500000));
  assert.equal((await request(crier, '/events/large', { method: 'DELETE' })).status, 204);
  await publish(crier, 'small', 'x');
  await crier.stop();
  const before = await good(t, 'export', data);
  const size = statSync(join(data, 'data.mdb')).size;
  assert.match(await good(t, 'compact', data), /: from \d+\.\d MiB to \d+\.\d [KM]iB\n$/);
  assert.ok(statSync(join(data, 'data.mdb')).size < size / 4);
  assert.equal(await good(t, 'export', data), before);
  assert.match(await good(t, 'verify', data), /^sound: /);
  const next = await startCrier(t, { args: ['--data', data] });
  await publish(next, 'small', 'y');
  await next.stop();
});

// ---- what is no journal ----

for (const verb of ['info', 'verify', 'dump', 'export', 'compact']) {
  test(`${verb}: a folder without a journal, and none at all: told, nothing is made`, async (t) => {
    const data = folder(t);
    for (const path of [data, join(data, 'missing')]) {
      const done = await journal(t, verb, path);
      assert.equal(done.status, 1);
      assert.match(done.stderr, /^crier journal: [^\n]*\n$/);
      assert.ok(done.stderr.includes(path), done.stderr);
    }
    assert.throws(() => statSync(join(data, 'data.mdb')));
    assert.throws(() => statSync(join(data, 'missing')));
  });

  test(`${verb}: a file, an LMDB file of something else, an unknown version: refused by name, untouched`, async (t) => {
    const data = folder(t);
    const file = join(data, 'file');
    writeFileSync(file, 'hello');
    const refused = async (path, words) => {
      const done = await journal(t, verb, path);
      assert.equal(done.status, 1, done.stdout);
      assert.match(done.stderr, /^crier journal: [^\n]*\n$/);
      assert.match(done.stderr, words);
      assert.ok(done.stderr.includes(path), done.stderr);
    };
    await refused(file, verb === 'compact' ? /no journal in/ : /is a file/);
    assert.equal(readFileSync(file, 'utf8'), 'hello');

    const newer = join(data, 'newer');
    await good(t, 'import', newer, [], { stdin: event('1769860800000-70000') });
    spoil(join(newer, 'data.mdb'), (bytes) => {
      let at = -1;
      while ((at = bytes.indexOf('crier journal\0', at + 1)) >= 0) bytes.fill(0x63, at + 14, at + 18);
    });
    const before = readFileSync(join(newer, 'data.mdb'));
    await refused(newer, /version/);
    assert.ok(before.equals(readFileSync(join(newer, 'data.mdb'))));

    const foreign = join(data, 'foreign');
    mkdirSync(foreign);
    if (!makeForeign(foreign)) return;
    const other = readFileSync(join(foreign, 'data.mdb'));
    await refused(foreign, /./);
    assert.ok(other.equals(readFileSync(join(foreign, 'data.mdb'))));
  });
}

for (const verb of ['info', 'verify', 'export', 'compact']) {
  test(`${verb}: a folder that this user may not look into`, async (t) => {
    const { data, crier } = await filled(t);
    await crier.stop();
    const somebody = process.getuid() === 0 ? ['setpriv', '--reuid=65534', '--regid=65534', '--clear-groups'] : ['env'];
    const as = (...args) => spawnSync(somebody[0], [...somebody.slice(1), bin, ...args], { env: plainEnvironment(), encoding: 'utf8' });
    if (as('--version').status !== 0) return t.skip('no way to be another user');
    chmodSync(data, 0);
    const done = as('journal', verb, '--data', data);
    chmodSync(data, 0o700);
    assert.equal(done.status, 1);
    assert.match(done.stderr, /^crier journal: [^\n]*may not [^\n]*\n$/);
    assert.ok(done.stderr.includes(data), done.stderr);
  });
}

test('compact: a file in which nothing was ever put is no journal, and none is made of it', async (t) => {
  for (const bytes of [0, 8192]) {
    const data = folder(t);
    writeFileSync(join(data, 'data.mdb'), Buffer.alloc(bytes));
    const done = await journal(t, 'compact', data);
    assert.equal(done.status, 1);
    assert.match(done.stderr, /^crier journal: There is no journal in [^\n]*\n$/);
    const crier = await startCrier(t, { args: ['--data', data] });
    await publish(crier, 'news', 'x');
    await crier.stop();
  }
});

test('import: a file in which nothing was ever put is as good as none', async (t) => {
  const data = folder(t);
  writeFileSync(join(data, 'data.mdb'), '');
  await good(t, 'import', data, [], { stdin: event('1769860800000-70000') });
  assert.deepEqual(objects(await good(t, 'export', data)).map(({ id }) => id), ['1769860800000-70000']);
});

test('compact: the file keeps who may read it', async (t) => {
  const { data, crier } = await filled(t);
  await crier.stop();
  const before = statSync(join(data, 'data.mdb'));
  await good(t, 'compact', data);
  const after = statSync(join(data, 'data.mdb'));
  assert.deepEqual([after.mode, after.uid, after.gid], [before.mode, before.uid, before.gid]);
});

test('verify finds what is damaged, wherever it is, and never crashes', async (t) => {
  const whole = folder(t);
  const made = Array.from({ length: 2000 }, (_, i) => event(`${1769860800000 + i}-70000`, { topic: `t/${i % 50}`, data: 'y'.repeat(200) }));
  await good(t, 'import', whole, [], { stdin: made.join('') });
  const size = statSync(join(whole, 'data.mdb')).size;
  let found = 0, tried = 0;
  for (let page = 2; page * 4096 < size; page += Math.ceil(size / 4096 / 40)) {
    const data = folder(t);
    copyFileSync(join(whole, 'data.mdb'), join(data, 'data.mdb'));
    spoil(join(data, 'data.mdb'), (bytes) => bytes.fill(0xa5, page * 4096 + 16, page * 4096 + 4096));
    for (const verb of ['verify', 'info']) {
      const done = await journal(t, verb, data);
      assert.ok(done.status === 0 || done.status === 1, `page ${page}: ${JSON.stringify(done)}`);
      assert.doesNotMatch(done.stderr, /Sanitizer|runtime error/);
      if (verb === 'verify') {
        tried++;
        found += done.status;
        if (done.status) assert.ok(done.stderr.includes(data), done.stderr);
      }
    }
  }
  // Pages that are free hold nothing.
  assert.ok(found > tried / 2, `${found} of ${tried}`);
});
