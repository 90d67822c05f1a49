// SPDX-License-Identifier: MIT
// Exact resume: a subscriber cut at any byte of the stream, at any moment of publishing, has every event once, in
// order; where history is too small for that, it is told so, and never in vain for one topic. The long form is
// tests/long/cuts.mjs.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { scopeOf } from './lib/crier.mjs';
import { cutting } from './lib/cuts.mjs';
import { folder } from './lib/folder.mjs';
import { randomFrom } from './lib/random.mjs';

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
