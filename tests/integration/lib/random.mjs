// SPDX-License-Identifier: MIT
// Random choices that can be repeated: CRIER_TEST_SEED, else a new seed, printed.
export function randomFrom(seed = Number(process.env.CRIER_TEST_SEED ?? (Date.now() & 0x7fffffff))) {
  console.log(`seed ${seed} (CRIER_TEST_SEED=${seed} repeats it)`);
  let state = seed >>> 0;
  const next = () => { // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
  return { below: (n) => Math.floor(next() * n), chance: (p) => next() < p };
}
