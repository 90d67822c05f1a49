// SPDX-License-Identifier: MIT
// The durable journal, broken in every way there is: whatever was acknowledged is there, once, in order. The long
// forms are scripts in tests/long/.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { failingDisk, fullDisk, killing, noLayer, powerCuts, pretendDisk, smallDisk } from './lib/breaking.mjs';
import { scopeOf } from './lib/crier.mjs';
import { randomFrom } from './lib/random.mjs';

const random = randomFrom();
// What was started ends in reverse order: a disk is unmounted when nobody uses it.
const scopes = (t) => scopeOf((end) => t.after(end));
const told = (t, found) => t.diagnostic(JSON.stringify(found));

describe('kill -9 under 8 publishers and 50 subscribers', () => {
  test('--sync always', { timeout: 120_000 }, async (t) => told(t, await killing(scopes(t), random, { rounds: 5 })));
  // A crash of the process alone loses nothing, however seldom the file is synced.
  for (const sync of ['interval=20ms', 'none']) {
    test(`--sync ${sync}`, { timeout: 120_000 }, async (t) => told(t, await killing(scopes(t), random, { rounds: 2, readers: 10, sync })));
  }
});

describe('a power cut', { skip: noLayer }, () => {
  test('--sync always: every acknowledged event is there', { timeout: 120_000 }, async (t) => {
    const found = await powerCuts(scopes(t), random, { cuts: 80 });
    told(t, found);
    assert.ok(found.opened > 40, 'most of the cuts fell where there was a journal');
  });
  test('--sync always, with a history that is full: pages are used again', { timeout: 120_000 }, async (t) => {
    told(t, await powerCuts(scopes(t), random, { cuts: 60, limit: 60 }));
  });
  test('--sync interval: what the last interval covered is there, whatever order the disk kept', { timeout: 120_000 }, async (t) => {
    const found = await powerCuts(scopes(t), random, { cuts: 80, sync: 'interval=20ms' });
    told(t, found);
    assert.ok(found.opened > 40, 'most of the cuts fell where there was a journal');
  });
  // Without a reordering disk, the journal opens, and holds what the last sync covered; with one it opens or is refused
  // in words. It never ends a program.
  test('--sync none: it opens if the disk kept the order, or is refused in words', { timeout: 120_000 }, async (t) => {
    told(t, await powerCuts(scopes(t), random, { cuts: 60, sync: 'none' }));
  });
});

describe('a full disk', () => {
  test('of so many bytes', { skip: noLayer, timeout: 120_000 }, async (t) => {
    const scope = scopes(t);
    told(t, await fullDisk(scope, random, pretendDisk(scope)));
  });
  test('a small tmpfs', { timeout: 120_000 }, async (t) => {
    const scope = scopes(t);
    let disk;
    try {
      disk = smallDisk(scope);
    } catch (error) {
      return t.skip(`no tmpfs may be mounted here: ${error.message.trim()}`);
    }
    return told(t, await fullDisk(scope, random, disk));
  });
});

describe('a disk that fails', { skip: noLayer }, () => {
  for (const fail of ['writes', 'syncs']) {
    test(`its ${fail}`, { timeout: 120_000 }, async (t) => told(t, await failingDisk(scopes(t), random, { fail })));
  }
});
