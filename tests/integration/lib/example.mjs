// SPDX-License-Identifier: MIT
// Starts one of the programs in examples/ for a test, on a free port, and ends it in order.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { existsSync } from 'node:fs';
import { plainEnvironment, root } from './crier.mjs';
import { follow } from './sse.mjs';
import { Bell } from './wait.mjs';

function firstOf(...folders) {
  return folders.find((folder) => folder && existsSync(folder)) ?? folders[0];
}

// Where the programs are, with their pages beside them (script/test: the ASan build).
export const examples = process.env.CRIER_EXAMPLES ?? firstOf(
  `${root}build-asan/examples`, `${root}build-dev/examples`, `${root}build/examples`, `${root}build-release/examples`);
// Those without a sanitizer, for valgrind and browsers.
export const plainExamples = process.env.CRIER_EXAMPLES_RELEASE ?? firstOf(
  `${root}build-release/examples`, `${root}build-dev/examples`, `${root}build/examples`);

const SANITIZER = /AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:/;

// Why a program that needs something special is not there, or false.
export const missing = (name, folder = examples) =>
  existsSync(`${folder}/${name}`) ? false : `${folder}/${name} was not built`;

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

class Example {
  output = ''; // both, as they came
  exit = null;
  port = null;
  #bell = new Bell();

  constructor(name, child) {
    this.name = name;
    this.child = child;
    running.add(child);
    for (const from of [child.stdout, child.stderr]) {
      from.setEncoding('utf8');
      from.on('data', (text) => {
        this.output += text;
        const heard = /^listening on http:\/\/127\.0\.0\.1:(\d+)\/$/m.exec(this.output);
        if (heard) this.port = Number(heard[1]);
        this.#bell.ring();
      });
    }
    child.stdin.on('error', () => {});
    child.on('error', (error) => this.#over({ code: -1, signal: null, error }));
    child.on('close', (code, signal) => this.#over({ code, signal }));
  }

  #over(exit) {
    this.exit ??= exit;
    running.delete(this.child);
    this.#bell.ring();
  }

  get url() { return `http://127.0.0.1:${this.port}`; }
  get lines() { return this.output.split('\n').slice(0, -1); }
  count(pattern) { return this.lines.filter((line) => pattern.test(line)).length; }

  // Resolves when test(this) holds; fails when the program ends before.
  when(test, what) {
    return this.#bell.when(() => {
      const answer = test(this);
      if (answer) return answer;
      if (this.exit) throw new Error(`${this.name} ended (${JSON.stringify(this.exit)}) before ${what}:\n${this.output}`);
      return null;
    }, () => `${what}; ${this.name} said:\n${this.output}`);
  }

  waitExit(ms) {
    return this.#bell.when(() => this.exit, () => `the end of ${this.name}; it said:\n${this.output}`, ms);
  }

  // A signal, and a clean end.
  async stop(signal = 'SIGTERM', ms) {
    if (!this.exit) this.child.kill(signal);
    try {
      await this.waitExit(ms);
    } catch (error) {
      this.child.kill('SIGKILL');
      throw error;
    }
    assert.doesNotMatch(this.output, SANITIZER);
    assert.deepEqual(this.exit, { code: 0, signal: null }, this.output);
  }
}

// Starts it and waits until it listens. under: a command that runs it (valgrind). argument: the first one, for a program
// that takes no port and does not listen. t: a test that ends it.
export async function startExample(t, name, args = [], { folder = examples, cwd = folder, port = 0, under = [],
  argument, expectExit = false } = {}) {
  const command = [...under, `${folder}/${name}`, argument ?? String(port), ...args.map(String)];
  const child = spawn(command[0], command.slice(1), { cwd, env: plainEnvironment() });
  const example = new Example(name, child);
  if (expectExit) {
    await example.waitExit();
    assert.doesNotMatch(example.output, SANITIZER);
    return example;
  }
  t?.after?.(async () => {
    if (!example.exit) await example.stop();
  });
  if (argument === undefined) await example.when(() => example.port, 'it listened');
  return example;
}

// Follows as browsers do: they close their side when the stream has ended. (A client that does not is waited for.)
export function watch(t, example, path = '/events', options = {}) {
  return follow(example, path, { t, allowHalfOpen: false, ...options });
}
