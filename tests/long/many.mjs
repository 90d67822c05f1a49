// SPDX-License-Identifier: MIT
// Ten million events in 100,000 topics on disk: what tests/integration/many.test.mjs does with fewer. It asserts what is held
// and what comes, not how fast (bench/durable.mjs measures that).
import { releaseBin } from '../integration/lib/crier.mjs';
import { manyEvents } from '../integration/lib/many.mjs';
import { options, round } from './lib.mjs';

const USAGE = 'usage: node tests/long/many.mjs [--topics 100000] [--events 10000000] [--limit 1000000] [--seed S]';
const wanted = options(USAGE, { topics: 100_000, events: 10_000_000, limit: 1_000_000 });
const { seed, topics, events, limit } = wanted;
if (topics % 100 !== 0 || topics < 200 || events % topics !== 0 || limit * 2 > events) {
  console.error(`topics: a multiple of 100, 200 or more; events: a multiple of topics; limit: at most half of events\n${USAGE}`);
  process.exit(2);
}

const start = performance.now();
await round('many', seed, (scope, random) => manyEvents(scope, { random, topics, perTopic: events / topics, limit, program: releaseBin,
  tail: 200_000, report: (what) => console.log(`${((performance.now() - start) / 1000).toFixed(1)} s: ${what}`) }));
