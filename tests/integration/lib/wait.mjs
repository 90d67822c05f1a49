// SPDX-License-Identifier: MIT
// Nothing in these tests waits for ever, and nothing waits by the clock: each await is for an event, with a
// watchdog that fails loudly, saying what did not come.

export const WATCHDOG_MS = Number(process.env.CRIER_TEST_WATCHDOG_MS ?? 30_000);

export class Overdue extends Error {}

// The promise's outcome, or an Overdue that says what was awaited.
export function within(promise, what, ms = WATCHDOG_MS) {
  const stack = new Error().stack;
  let timer;
  const watchdog = new Promise((_, reject) => {
    timer = setTimeout(() => {
      const error = new Overdue(`waited ${ms} ms in vain for ${typeof what === 'function' ? what() : what}`);
      error.stack += '\n' + stack.split('\n').slice(2).join('\n');
      reject(error);
    }, ms);
  });
  return Promise.race([promise, watchdog]).finally(() => clearTimeout(timer));
}

export const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// Asks again and again until the answer is true: for states that nothing announces (a counter of the
// server, a process that ends).
export async function until(ask, what, ms = WATCHDOG_MS) {
  const end = Date.now() + ms;
  for (;;) {
    const answer = await ask();
    if (answer) return answer;
    if (Date.now() > end) {
      throw new Overdue(`waited ${ms} ms in vain until ${typeof what === 'function' ? what() : what}`);
    }
    await pause(20);
  }
}

// Wakes whoever waits when something has happened.
export class Bell {
  #waiting = new Set();

  ring() {
    for (const resolve of this.#waiting) resolve();
    this.#waiting.clear();
  }

  // Resolves as soon as test() is true, asked now and at every ring.
  async when(test, what, ms = WATCHDOG_MS) {
    const end = Date.now() + ms;
    for (;;) {
      const answer = test();
      if (answer) return answer;
      const left = end - Date.now();
      let resolve;
      const rung = new Promise((r) => { resolve = r; });
      this.#waiting.add(resolve);
      try {
        await within(rung, what, Math.max(left, 1));
      } finally {
        this.#waiting.delete(resolve);
      }
    }
  }
}
