// SPDX-License-Identifier: MIT
// The tests that break the durable journal, tested: a tiny hub that keeps its promises passes them, and one that
// breaks any of them is found out.
import assert from 'node:assert/strict';
import { describe, test } from 'node:test';
import { failingDisk, fullDisk, killing, noLayer, powerCuts, pretendDisk } from './lib/breaking.mjs';
import { root, scopeOf } from './lib/crier.mjs';
import { randomFrom } from './lib/random.mjs';

const random = randomFrom();
const program = `${root}tests/faults/hub.mjs`;
const scopes = (t) => scopeOf((end) => t.after(end));
const hub = (fault = '') => ({ program, env: { HUB_FAULT: fault } });

const kill = (scope, fault) => killing(scope, random, { rounds: 4, perLife: 100, readers: 12, ...hub(fault) });
const cut = (scope, fault) => powerCuts(scope, random, { cuts: 40, events: 150, ...hub(fault) });
const fill = (scope, fault) => fullDisk(scope, random, pretendDisk(scope, hub(fault)));
const fail = (scope, fault) => failingDisk(scope, random, { fail: 'syncs', ...hub(fault) });

describe('a hub that keeps its promises', () => {
  test('is killed', { timeout: 60_000 }, async (t) => { assert.equal((await kill(scopes(t))).kills, 4); });
  test('loses its power', { skip: noLayer, timeout: 60_000 }, async (t) => { assert.equal((await cut(scopes(t))).opened, 40); });
  test('has a full disk', { skip: noLayer, timeout: 60_000 }, async (t) => { assert.ok((await fill(scopes(t)))['journal-full'] >= 8); });
  for (const what of ['writes', 'syncs']) {
    test(`has a disk whose ${what} fail`, { skip: noLayer, timeout: 60_000 }, async (t) => {
      const found = await failingDisk(scopes(t), random, { fail: what, ...hub() });
      assert.ok(found['outcome-unknown'] > 0 && found['journal-failed'] > 0);
    });
  }
});

describe('a hub that breaks one is found out', () => {
  const cases = [
    ['nowrite', kill, /was acknowledged, and is not there/],
    ['skip', kill, /is not there|events, the reader of all has/],
    ['double', kill, /there twice.*though it has a key/],
    ['nosync', cut, /promised events are lost/],
    ['drops', fill, /subscribers stay/],
    ['lies', fail, /in doubt a second time/],
  ];
  for (const [fault, run, words] of cases) {
    // Whether a kill falls where the fault shows is chance: one of some runs has to come upon it.
    const often = async (scope) => { for (let i = 0; i < (run === kill ? 10 : 1); i++) await run(scope, fault); };
    test(fault, { skip: run !== kill && noLayer, timeout: 60_000 }, async (t) => { await assert.rejects(often(scopes(t)), words); });
  }
});
