// SPDX-License-Identifier: MIT
// Full disks and failing ones.
import { failingDisk, fullDisk, noLayer, pretendDisk, smallDisk } from '../integration/lib/breaking.mjs';
import { options, round, total } from './lib.mjs';

const { rounds, seed } = options('node tests/long/disk.mjs [--rounds 10] [--seed S]', { rounds: 10 });
if (noLayer) throw new Error(noLayer);
const found = [];
const add = async (name, at, run) => found.push(await round(name, at, run));
for (let i = 0; i < rounds; i++) {
  await add(`round ${i + 1}: a disk of so many bytes`, seed + i, (scope, random) => fullDisk(scope, random, pretendDisk(scope), { rounds: 5 }));
  for (const fail of ['writes', 'syncs']) {
    await add(`round ${i + 1}: ${fail} fail`, seed + i, (scope, random) => failingDisk(scope, random, { fail, after: 1 + 100 * i }));
  }
  if (process.getuid() === 0) {
    await add(`round ${i + 1}: a small tmpfs`, seed + i, (scope, random) => fullDisk(scope, random, smallDisk(scope), { rounds: 3 }));
  }
}
if (process.getuid() !== 0) console.log('the tmpfs was left out: only root may mount one');
console.log(`${rounds} rounds: ${JSON.stringify(total(found))}`);
