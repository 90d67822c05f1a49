// SPDX-License-Identifier: MIT
// Subscribers cut at any byte, over and over: in memory, on disk, read from disk, and over restarts. --gaps 1: of a
// history that is too small for them, and of a quiet topic beside busy ones.
import { cutting } from '../integration/lib/cuts.mjs';
import { folder } from '../integration/lib/folder.mjs';
import { missing, quiet } from '../integration/lib/gaps.mjs';
import { options, round, total } from './lib.mjs';

const { rounds, cuts, seed, gaps } = options('node tests/long/cuts.mjs [--rounds 10] [--cuts 2000] [--gaps 0] [--seed S]', { rounds: 10, cuts: 2000, gaps: 0 });
const tiny = ['--memory-bytes', '1M', '--replay-bytes', '1M'];
const restarts = Math.ceil(cuts / 100);
const ways = gaps ? [
  ['gaps in memory', (scope, random) => missing(scope, random, { cuts })],
  ['gaps on disk', (scope, random, data) => missing(scope, random, { cuts, args: ['--data', data, ...tiny] })],
  ['gaps, read from disk', (scope, random, data) => missing(scope, random, { cuts, pad: 8000, args: ['--data', data, ...tiny] })],
  ['gaps and restarts', (scope, random, data) => missing(scope, random, { cuts, restarts, args: ['--data', data, ...tiny] })],
  ['gaps, read from disk, and restarts', (scope, random, data) => missing(scope, random, { cuts, pad: 8000, restarts, args: ['--data', data, ...tiny] })],
  ['quiet in memory', (scope, random) => quiet(scope, random, { rounds: 50 })],
  ['quiet on disk', (scope, random, data) => quiet(scope, random, { rounds: 8, ends: ['end', 'kill', 'kill', 'end'], args: ['--data', data, ...tiny] })],
] : [
  ['in memory', (scope, random) => cutting(scope, random, { cuts })],
  ['on disk', (scope, random, data) => cutting(scope, random, { cuts, args: ['--data', data] })],
  ['read from disk', (scope, random, data) => cutting(scope, random, { cuts, args: ['--data', data, ...tiny], ahead: 4_000_000, behind: 10_000 })],
  ['restarts', (scope, random, data) => cutting(scope, random, { cuts, args: ['--data', data, ...tiny], restarts })],
];
const all = [];
for (let i = 0; i < rounds; i++) {
  const [name, run] = ways[i % ways.length];
  all.push(await round(`round ${i + 1}, ${name}`, seed + i, (scope, random) => run(scope, random, folder(scope))));
}
console.log(JSON.stringify(total(all)));
