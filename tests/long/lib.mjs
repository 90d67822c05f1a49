// SPDX-License-Identifier: MIT
// What the long forms share: their options, a seed for each round, the summary.
import { scopeOf } from '../integration/lib/crier.mjs';
import { randomFrom } from '../integration/lib/random.mjs';
import { whyNot } from '../integration/lib/breaking.mjs';
import { parseArgs } from 'node:util';

// --rounds N, --seed S and others of this script (name: default). Ends the process where they are wrong.
export function options(usage, defaults) {
  const wanted = { seed: Date.now() & 0x7fffffff, ...defaults };
  try {
    const { values } = parseArgs({ options: { help: { type: 'boolean' }, ...Object.fromEntries(Object.keys(wanted).map((name) => [name, { type: 'string' }])) } });
    if (values.help) {
      console.log(usage);
      process.exit(0);
    }
    for (const [name, value] of Object.entries(values)) {
      wanted[name] = typeof wanted[name] === 'number' ? Number(value) : value;
      if (Number.isNaN(wanted[name])) throw new Error(`--${name} is a number`);
    }
  } catch (error) {
    console.error(`${error.message}\n${usage}`);
    process.exit(2);
  }
  const reason = whyNot();
  if (reason) {
    console.error(reason);
    process.exit(1);
  }
  return wanted;
}

// One round by itself: what it starts ends with it. Throws what it throws, and says how to repeat it.
export async function round(name, seed, run) {
  const ends = [];
  const scope = scopeOf((end) => ends.push(end));
  const random = randomFrom(seed);
  try {
    const found = await run(scope, random);
    console.log(`${name}: ${JSON.stringify(found)}`);
    return found;
  } catch (error) {
    console.error(`${name} (--seed ${seed}) failed`);
    throw error;
  } finally {
    for (const end of ends) await end();
  }
}

// Adds up the numbers of many rounds.
export function total(list) {
  const sums = {};
  for (const found of list) for (const [name, value] of Object.entries(found)) if (typeof value === 'number') sums[name] = (sums[name] ?? 0) + value;
  return sums;
}
