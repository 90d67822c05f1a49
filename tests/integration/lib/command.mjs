// SPDX-License-Identifier: MIT
// Runs a command of the binary (crier.mjs says which) and gathers what it says.
import { spawn } from 'node:child_process';
import { bin, plainEnvironment } from './crier.mjs';

class Program {
  constructor(child) {
    this.child = child;
    this.stdout = '';
    this.stderr = '';
    this.waiters = [];
    for (const name of ['stdout', 'stderr']) {
      child[name].setEncoding('utf8');
      child[name].on('data', (text) => {
        this[name] += text;
        this.wake();
      });
    }
    child.stdin.on('error', () => {});
    this.exited = new Promise((resolve) => {
      child.once('close', (code, signal) => {
        this.over = true;
        this.wake();
        resolve({ status: code, signal, stdout: this.stdout, stderr: this.stderr });
      });
    });
  }

  wake() {
    for (const waiter of this.waiters.splice(0)) waiter();
  }

  lines() {
    return this.stdout.split('\n').slice(0, -1);
  }

  // Waits until test(this) is true; fails when the program ends before.
  async until(test, what = test.toString()) {
    while (!test(this)) {
      if (this.over) throw new Error(`the program ended before: ${what}\nstdout: ${this.stdout}\nstderr: ${this.stderr}`);
      await new Promise((resolve) => this.waiters.push(resolve));
    }
  }
}

// No test needs longer; a program that hangs is ended, so that its test says what it waited for.
const LIMIT_MS = 30_000;

// Starts crier, or another program; it is killed when the test is over. The environment holds no CRIER_ variables
// but those given.
export function start(t, args, { env = {}, stdin = '', program: path = bin } = {}) {
  const child = spawn(path, args, { env: { ...plainEnvironment(), ...env } });
  const program = new Program(child);
  const limit = setTimeout(() => child.kill('SIGKILL'), LIMIT_MS);
  t.after(async () => {
    clearTimeout(limit);
    if (!program.over) child.kill('SIGKILL');
    await program.exited;
  });
  if (stdin !== null) child.stdin.end(stdin);
  return program;
}

// Runs crier to its end: { status, stdout, stderr }.
export function run(t, args, options) {
  return start(t, args, options).exited;
}
