// SPDX-License-Identifier: MIT
// kill -9 of the server at random moments, many times, under publishers and subscribers.
import { killing } from '../integration/lib/breaking.mjs';
import { options, round } from './lib.mjs';

const { rounds, seed, sync, writers, readers, life } = options(
  'node tests/long/kill.mjs [--rounds 100] [--seed S] [--sync always] [--writers 8] [--readers 50] [--life 400]',
  { rounds: 100, sync: 'always', writers: 8, readers: 50, life: 400 });
await round(`${rounds} kills, --sync ${sync}`, seed, (scope, random) => killing(scope, random,
  { rounds, sync, writers, readers, perLife: life, report: (line) => console.log(line) }));
