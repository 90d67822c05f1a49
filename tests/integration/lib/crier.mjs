// SPDX-License-Identifier: MIT
// Starts a crier of its own for a test, on a free port, and ends it in order.
import { spawn } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';
import http from 'node:http';
import { Bell, until, WATCHDOG_MS } from './wait.mjs';

export const root = new URL('../../../', import.meta.url).pathname;

function firstOf(...paths) {
  return paths.find((path) => path && existsSync(path)) ?? paths[0];
}

// CRIER_BIN is what most tests run (script/test: the ASan build). Memory is measured on the release build.
export const bin = process.env.CRIER_BIN ?? firstOf(
  `${root}build-asan/src/cli/crier`, `${root}build/src/cli/crier`, `${root}build-release/src/cli/crier`);
export const releaseBin = process.env.CRIER_BIN_RELEASE ?? firstOf(
  `${root}build-release/src/cli/crier`, `${root}build/src/cli/crier`, bin);
export const tsanBin = process.env.CRIER_BIN_TSAN ?? `${root}build-tsan/src/cli/crier`;

const SANITIZER = /AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:/;

// One `key=value` line of the log as an object; values in quotes lose them.
export function logfmt(line) {
  const fields = {};
  for (const match of line.matchAll(/([A-Za-z_.-]+)=("(?:[^"\\]|\\.)*"|\S*)/g)) {
    fields[match[1]] = match[2].startsWith('"') ? match[2].slice(1, -1) : match[2];
  }
  return fields;
}

// The environment without what would change a crier.
export function plainEnvironment() {
  const changes = /^CRIER_|^LISTEN_|_proxy$/i;
  return Object.fromEntries(Object.entries(process.env).filter(([name]) => !changes.test(name)));
}

const running = new Set();
process.on('exit', () => running.forEach((child) => child.kill('SIGKILL')));

export class Crier {
  lines = [];
  exit = null; // { code, signal } when it has ended
  addresses = [];
  #bell = new Bell();
  #rest = '';

  constructor(child, command) {
    this.child = child;
    this.command = command;
    this.pid = child.pid;
    running.add(child);
    child.stderr.setEncoding('utf8');
    child.stderr.on('data', (text) => {
      const lines = (this.#rest + text).split('\n');
      this.#rest = lines.pop();
      for (const line of lines) this.#take(line);
      this.#bell.ring();
    });
    child.stdout?.resume();
    child.on('error', (error) => this.#over({ code: -1, signal: null, error }));
    child.on('close', (code, signal) => {
      if (this.#rest) this.#take(this.#rest);
      this.#over({ code, signal });
    });
  }

  #take(line) {
    this.lines.push(line);
    const fields = logfmt(line);
    if (fields.event === 'listening' && fields.address) this.addresses.push(fields.address);
  }

  #over(exit) {
    this.exit ??= exit;
    running.delete(this.child);
    this.#bell.ring();
  }

  get log() { return this.lines.join('\n'); }
  get port() { return Number(this.addresses[0].replace(/^.*:/, '')); }
  get url() { return `http://${this.addresses[0]}`; }

  // The first log line that passes, now or later.
  waitLog(test, what = 'a log line', from = 0) {
    return this.#bell.when(() => {
      const line = this.lines.slice(from).find((text) => test(logfmt(text), text));
      if (line) return line;
      if (this.exit) throw new Error(`crier ended (${JSON.stringify(this.exit)}) before ${what}:\n${this.log}`);
      return null;
    }, () => `${what}; the log so far:\n${this.log}`);
  }

  waitExit(ms) {
    return this.#bell.when(() => this.exit, () => `the end of crier; the log so far:\n${this.log}`, ms);
  }

  signal(name) { this.child.kill(name); }

  check() {
    if (SANITIZER.test(this.log)) throw new Error(`a sanitizer spoke up:\n${this.log}`);
  }

  // SIGTERM, and a clean end.
  async stop() {
    if (!this.exit) this.child.kill('SIGTERM');
    try {
      await this.waitExit();
    } catch (error) {
      this.child.kill('SIGKILL');
      throw error;
    }
    this.check();
    if (this.exit.code !== 0) throw new Error(`crier ended with ${JSON.stringify(this.exit)}:\n${this.log}`);
  }

  async kill() {
    if (!this.exit) this.child.kill('SIGKILL');
    await this.waitExit();
    this.check();
  }

  // CPU time used, in hundredths of a second.
  get cpuTicks() {
    const stat = readFileSync(`/proc/${this.pid}/stat`, 'utf8');
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    return Number(fields[11]) + Number(fields[12]);
  }

  get rssBytes() {
    const status = readFileSync(`/proc/${this.pid}/status`, 'utf8');
    return Number(/VmRSS:\s+(\d+) kB/.exec(status)[1]) * 1024;
  }

  // Resident memory without history's own: a worker that has nothing to read lets history stand a little (at most
  // 1 MiB) longer than its limit, now more, now less.
  async memoryBytes() {
    const { history } = await this.stats();
    return this.rssBytes - history.held_bytes - history.kept_bytes;
  }

  async stats() { return (await request(this, '/-/stats')).json(); }
}

// For what is started in before(): its ends run in the file's (or the suite's) after().
export function scopeOf(after) {
  const ends = [];
  after(async () => { for (const end of ends.reverse()) await end(); });
  return { after: (end) => ends.push(end) };
}

// Starts it and waits until it listens everywhere it was told to. shell: a command line that ends in
// `exec "$@"`, for limits that a shell sets (ulimit). t: a test (or { after }) that ends it.
export async function startCrier(t, options = {}) {
  const { args = [], env = {}, workers = 2, program = bin, stdio, shell, listens = ['127.0.0.1:0'],
    expectExit = false, subcommand = 'serve' } = options;
  let command = [program, subcommand];
  for (const address of listens) command.push('--listen', address);
  if (workers) command.push('--workers', String(workers));
  command.push(...args);
  if (shell) command = ['/bin/sh', '-c', shell, 'sh', ...command];
  const child = spawn(command[0], command.slice(1), {
    env: { ...plainEnvironment(), ...env },
    stdio: stdio ?? ['ignore', 'pipe', 'pipe'],
  });
  const crier = new Crier(child, command);
  if (expectExit) {
    await crier.waitExit();
    crier.check();
    return crier;
  }
  t?.after?.(async () => {
    if (!crier.exit) await crier.stop();
    else crier.check();
  });
  const wanted = options.expectListens ?? listens.length;
  await crier.waitLog(() => crier.addresses.length >= wanted, 'it listened');
  return crier;
}

const agent = new http.Agent({ keepAlive: false });

// One plain request by node's own client. body: string or Buffer. Never throws for a status.
export function request(target, path, { method, headers = {}, body, host = '127.0.0.1' } = {}) {
  const port = typeof target === 'number' ? target : target.port;
  return new Promise((resolve, reject) => {
    const sent = http.request({ host, port, path, agent, headers,
      method: method ?? (body === undefined ? 'GET' : 'POST') }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('error', reject);
      answer.on('end', () => {
        clearTimeout(watchdog);
        const bytes = Buffer.concat(parts);
        resolve({ status: answer.statusCode, headers: answer.headers, bytes, text: bytes.toString('utf8'),
          json() { return JSON.parse(this.text); } });
      });
    });
    const watchdog = setTimeout(() => sent.destroy(new Error(`no complete answer to ${sent.method} ${path} in ${WATCHDOG_MS} ms`)), WATCHDOG_MS);
    sent.on('close', () => clearTimeout(watchdog));
    sent.on('error', reject);
    sent.end(body);
  });
}

export async function publish(target, topic, data = '', query = '', headers = {}) {
  const answer = await request(target, `/events/${topic}${query}`, { method: 'POST', body: data, headers });
  if (answer.status !== 201) throw new Error(`publishing gave ${answer.status}: ${answer.text}`);
  return answer.json();
}

// Everything held under a selector, as objects.
export async function held(target, selector = '**') {
  const answer = await request(target, `/events/${selector}?since=earliest&limit=10000`,
    { headers: { accept: 'application/json' } });
  if (answer.status !== 200) throw new Error(`history gave ${answer.status}: ${answer.text}`);
  return answer.json();
}

export async function ready(target) {
  await until(async () => {
    try { return (await request(target, '/-/health')).status === 200; } catch { return false; }
  }, 'health was ok');
}
