// SPDX-License-Identifier: MIT
// Drives the library's client from outside: tests/programs/client.c, one JSON object a line for each callback.
import assert from 'node:assert/strict';
import { resolve, dirname } from 'node:path';
import { start } from './command.mjs';
import { bin } from './crier.mjs';

// What is built beside the crier that is tested.
export function built(path) {
  return resolve(dirname(bin), '../..', path);
}

// It comes back at once, so that a test need not wait.
const quick = ['--first', '1', '--max', '5'];

class Client {
  constructor(program) {
    this.program = program;
  }

  get said() {
    return this.program.lines().map((line) => JSON.parse(line));
  }

  // What was said under a key, in order.
  all(key) {
    return this.said.filter((object) => key in object).map((object) => object[key]);
  }

  get downs() {
    return this.said.filter((object) => 'down' in object);
  }

  get data() {
    return this.said.filter((object) => 'event' in object).map((object) => object.data);
  }

  // Waits until so many were said.
  until(key, count = 1) {
    return this.program.until(() => this.all(key).length >= count, `${count} of ${key}`);
  }

  // Waits for the end, which is in order but for what the client itself says: { over, reason, last }.
  async over() {
    const { status, signal, stderr } = await this.program.exited;
    assert.deepEqual({ status, signal, stderr, wrong: this.all('wrong') }, { status: 0, signal: null, stderr: '', wrong: [] });
    return this.said.find((object) => 'over' in object);
  }
}

export function client(t, url, args = [], options = {}) {
  return new Client(start(t, ['--url', url, ...quick, ...args], { program: built('tests/programs/client'), ...options }));
}
