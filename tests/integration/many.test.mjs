// SPDX-License-Identifier: MIT
// A hundred thousand events in two thousand topics on disk: restarts, resumes in the middle, retention. The long form, with
// ten million, is tests/long/many.mjs.
import { test } from 'node:test';
import { scopeOf } from './lib/crier.mjs';
import { manyEvents } from './lib/many.mjs';
import { randomFrom } from './lib/random.mjs';

const random = randomFrom();

test('many events in many topics, through restarts and under a limit', { timeout: 150_000 }, async (t) => {
  const found = await manyEvents(scopeOf((end) => t.after(end)), { random, report: (what) => t.diagnostic(what) });
  t.diagnostic(JSON.stringify(found));
});
