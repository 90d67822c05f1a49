// SPDX-License-Identifier: MIT
// Power cuts at random positions of recorded runs, a new recording each round.
import { noLayer, powerCuts } from '../integration/lib/breaking.mjs';
import { options, round, total } from './lib.mjs';

const { rounds, seed, cuts, events, sync, limit } = options(
  'node tests/long/power.mjs [--rounds 10] [--seed S] [--cuts 500] [--events 1500] [--sync each|always|interval=20ms|none] [--limit N]',
  { rounds: 10, cuts: 500, events: 1500, sync: 'each', limit: 0 });
if (noLayer) throw new Error(noLayer);
const found = [];
for (let i = 0; i < rounds; i++) {
  // Most of them of what is promised most; every second with a full history, so that pages are used again.
  const mode = sync === 'each' ? ['always', 'always', 'interval=20ms', 'none'][i % 4] : sync;
  const bound = limit || (i % 2 ? 100 : 10_000_000);
  found.push(await round(`round ${i + 1}, --sync ${mode}, history of ${bound}`, seed + i, (scope, random) => powerCuts(scope, random,
    { cuts, events, sync: mode, limit: bound, report: (line) => console.log(`  ${line}`) })));
}
console.log(`${rounds} rounds: ${JSON.stringify(total(found))}`);
