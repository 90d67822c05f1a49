// SPDX-License-Identifier: MIT
// Subscribers cut at any byte, over and over: in memory, on disk, read from disk, and over restarts.
import { cutting } from '../integration/lib/cuts.mjs';
import { folder } from '../integration/lib/folder.mjs';
import { options, round, total } from './lib.mjs';

const { rounds, cuts, seed } = options('node tests/long/cuts.mjs [--rounds 10] [--cuts 2000] [--seed S]', { rounds: 10, cuts: 2000 });
const tiny = ['--memory-bytes', '1M', '--replay-bytes', '1M'];
const ways = [
  ['in memory', () => ({})],
  ['on disk', (data) => ({ args: ['--data', data] })],
  ['read from disk', (data) => ({ args: ['--data', data, ...tiny], ahead: 4_000_000, behind: 10_000 })],
  ['restarts', (data) => ({ args: ['--data', data, ...tiny], restarts: Math.ceil(cuts / 100) })],
];
const all = [];
for (let i = 0; i < rounds; i++) {
  const [name, choose] = ways[i % ways.length];
  all.push(await round(`round ${i + 1}, ${name}`, seed + i, (scope, random) => cutting(scope, random, { cuts, ...choose(folder(scope)) })));
}
console.log(JSON.stringify(total(all)));
