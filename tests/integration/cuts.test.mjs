// SPDX-License-Identifier: MIT
// Exact resume: a subscriber cut at any byte of the stream, at any moment of publishing, has every event once, in
// order; where history is too small for that, it is told so, and never in vain for one topic. The long form is
// tests/long/cuts.mjs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { publish, request, scopeOf, startCrier } from './lib/crier.mjs';
import { cutting } from './lib/cuts.mjs';
import { folder } from './lib/folder.mjs';
import { missing, quiet } from './lib/gaps.mjs';
import { randomFrom } from './lib/random.mjs';
import { follow } from './lib/sse.mjs';
import { until } from './lib/wait.mjs';

const random = randomFrom();
const TINY = ['--memory-bytes', '1M', '--replay-bytes', '1M'];
const scopes = (t) => scopeOf((end) => t.after(end));

async function cut(t, options) {
  const found = await cutting(scopes(t), random, options);
  t.diagnostic(JSON.stringify(found));
  assert.ok(found.cuts >= options.cuts);
  for (const place of ['head', 'id', 'data']) assert.ok(found[place] > 0, `no cut in a ${place}`);
}

test('cut at any byte, history in memory', { timeout: 120_000 }, (t) => cut(t, { cuts: 1000 }));
test('cut at any byte, history on disk', { timeout: 120_000 }, (t) => cut(t, { cuts: 600, args: ['--data', folder(t)] }));
test('cut at any byte, most of it read from disk', { timeout: 120_000 }, (t) => cut(t, { cuts: 600, ahead: 4_000_000, behind: 10_000, args: ['--data', folder(t), ...TINY] }));
test('cut at any byte, and the server ended and killed now and then', { timeout: 120_000 }, (t) => cut(t, { cuts: 600, restarts: 6, args: ['--data', folder(t), ...TINY] }));

// History smaller than what is missed: see lib/gaps.mjs.
async function miss(t, options) {
  const found = await missing(scopes(t), random, options);
  t.diagnostic(JSON.stringify(found));
  assert.ok(found.cuts >= options.cuts);
}

test('away too long, history in memory: a gap comes if and only if something is gone', { timeout: 120_000 }, (t) => miss(t, { cuts: 300 }));
test('away too long, history on disk: the same', { timeout: 120_000 }, (t) => miss(t, { cuts: 150, args: ['--data', folder(t), ...TINY] }));
test('away too long, much of it read from disk: the same', { timeout: 120_000 }, (t) => miss(t, { cuts: 100, pad: 8000, args: ['--data', folder(t), ...TINY] }));
test('away too long, and the server ended and killed now and then: the same', { timeout: 120_000 }, (t) => miss(t, { cuts: 150, restarts: 4, args: ['--data', folder(t), ...TINY] }));
test('a quiet topic beside busy ones: never a gap, and its newest event stays', { timeout: 120_000 }, async (t) => {
  t.diagnostic(JSON.stringify(await quiet(scopes(t), random, { rounds: 6 })));
  t.diagnostic(JSON.stringify(await quiet(scopes(t), random, { rounds: 2, ends: ['end', 'kill'], args: ['--data', folder(t), ...TINY] })));
});

// What both journals say to the same question, with ids written as their number.
async function answers(t, args, stranger) {
  const crier = await startCrier(t, { args });
  const ids = [];
  for (const [topic, data] of [['a', 'a1'], ['b', 'b1'], ['a', 'a2']]) ids.push((await publish(crier, topic, data)).id);
  const [ms, seq] = ids[2].split('-').map(BigInt);
  const said = [];
  const plain = (text) => ids.reduce((all, id, i) => all.replaceAll(id, `#${i}`), text);
  const lasts = { known: ids[0], newest: ids[2], future: `${ms + 10_000_000n}-${seq}`, 'future in its second part': `${ms}-${seq + 777_777n}`, stranger,
    'first part overflows': '18446744073709551616-0', 'second part overflows': `${ms}-18446744073709551616`, largest: '18446744073709551615-18446744073709551615',
    nonsense: 'nonsense', half: `${ms}-`, zero: '0-0', long: 'x'.repeat(3000) };
  for (const [name, last] of Object.entries(lasts)) {
    const stream = await follow(crier, 'a', { headers: { 'Last-Event-ID': last } });
    await stream.opened();
    const marker = await publish(crier, 'a', 'marker');
    await stream.when((s) => s.lastId === marker.id, 'the marker');
    stream.close();
    const gap = stream.gaps.map((event) => JSON.parse(event.data)).map(({ reason, oldest }) => `${reason} ${plain(oldest)}`);
    said.push([name, stream.headers['crier-resumed'], gap, stream.events.map(({ data }) => data).filter((data) => data !== 'marker')]);
  }
  for (const since of ['nonsense', 'last:0', '5', '1-', '18446744073709551616d', '30', 'earliest:', '-1-0']) {
    const { status, text } = await request(crier, `/events/a?since=${since}`);
    said.push([`since=${since}`, status, status === 200 ? 'a stream' : JSON.parse(text).code]);
  }
  for (const length of [128, 129]) {
    const key = 'k'.repeat(length);
    for (const [name, headers, query, body] of [['header', { 'Idempotency-Key': key }, '', 'x'], ['parameter', {}, `?key=${key}`, 'x'],
      ['line', { 'Content-Type': 'application/x-ndjson' }, '', JSON.stringify({ data: 'x', key })],
      ['id of a block', { 'Content-Type': 'text/event-stream' }, '', `id: ${key}\ndata: x\n\n`]]) {
      const { status, text } = await request(crier, `/events/keys-${name.replaceAll(' ', '')}${query}`, { method: 'POST', body, headers });
      said.push([`a key of ${length}: ${name}`, status, JSON.parse(text).code]);
    }
  }
  return said;
}

test('bad ids, positions and keys: the same answers from memory and from disk', { timeout: 60_000 }, async (t) => {
  const other = await startCrier(t);
  const stranger = (await publish(other, 'a', 'x')).id;
  const memory = await answers(t, [], stranger);
  assert.deepEqual(await answers(t, ['--data', folder(t), ...TINY], stranger), memory);
  const said = Object.fromEntries(memory.map(([name, ...rest]) => [name, rest]));
  assert.deepEqual(said.known, ['exact', [], ['a2']]);
  assert.deepEqual(said.zero, ['none', [], ['a1', 'a2']]);
  for (const name of ['future', 'future in its second part', 'stranger', 'first part overflows', 'second part overflows', 'largest', 'nonsense', 'half', 'long']) {
    assert.deepEqual(said[name], ['gap', ['unknown #0'], ['a1', 'a2']], name);
  }
  for (const [name, status, code] of memory) {
    if (name.startsWith('since=')) assert.deepEqual([status, code], [400, 'bad-parameter'], name);
    if (name.startsWith('a key of')) assert.equal(status, name.includes('128') ? 201 : 400, name);
  }
});

const JSON_TYPE = { accept: 'application/json' };

// All pages of a history.
async function pages(crier, path) {
  const all = [];
  for (let next = path; next;) {
    const answer = await request(crier, next, { headers: JSON_TYPE });
    all.push(...answer.json());
    next = /<([^>]*)>; rel="next"/.exec(answer.headers.link ?? '')?.[1];
  }
  return all;
}

// A stream of each form has what the JSON history of that form says, then what comes new. Returns all that was said.
async function sinces(crier, forms) {
  const said = [];
  for (const selector of ['busy', 'quiet', '**']) {
    for (const form of forms) {
      const path = `/events/${selector}?since=${encodeURIComponent(form)}`;
      const history = (await pages(crier, `${path}&limit=10000`)).map(({ id }) => id);
      const stream = await follow(crier, path);
      await stream.until(history.length);
      stream.close();
      assert.deepEqual(stream.gaps, [], path);
      assert.deepEqual(stream.events.map(({ id }) => id), history, path);
      said.push([path, history]);
    }
  }
  return said;
}

test('since= in all its forms agrees with JSON history, before and after a restart', { timeout: 60_000 }, async (t) => {
  const args = ['--data', folder(t), ...TINY];
  let crier = await startCrier(t, { args });
  const quiet = await publish(crier, 'quiet', 'only one');
  const busy = [];
  // Times are told on two clocks: one in the middle of a pause means the same to both.
  let pause;
  for (let i = 0; i < 400; i++) {
    if (i === 200) {
      const began = Date.now();
      await until(() => Date.now() >= began + 200);
      pause = new Date(began + 100).toISOString();
    }
    busy.push(await publish(crier, 'busy', `${i} ${'x'.repeat(10_000)}`));
  }
  const list = await pages(crier, '/events/busy?since=earliest');
  assert.equal(list.length, 400);
  const forms = ['now', 'earliest', 'last:1', 'last:7', 'last:350', 'latest', '1h', pause, quiet.id, busy[0].id, busy[200].id, busy[399].id];
  const before = await sinces(crier, forms);
  for (const end of ['stop', 'kill']) {
    await crier[end]();
    crier = await startCrier(t, { args });
    assert.deepEqual(await sinces(crier, forms), before, `after ${end}`);
  }
});
