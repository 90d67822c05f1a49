// SPDX-License-Identifier: MIT
// A listening socket that outlives the criers it is given to (LISTEN_FDS), as with a service manager.
import { spawn } from 'node:child_process';
import { bin, logfmt } from './crier.mjs';
import { Bell } from './wait.mjs';

export class SocketHolder {
  #bell = new Bell();
  #said = [];
  #log = [];
  #starts = 0;
  #listens = 0;

  static async open(t, program = bin) {
    const holder = new SocketHolder();
    holder.program = program;
    const environment = Object.fromEntries(Object.entries(process.env).filter(([name]) => !/^CRIER_|^LISTEN_/.test(name)));
    holder.child = spawn('python3', [new URL('holder.py', import.meta.url).pathname], { stdio: ['pipe', 'pipe', 'pipe'], env: environment });
    t.after(() => holder.close());
    holder.#lines(holder.child.stdout, (line) => holder.#said.push(JSON.parse(line)));
    holder.#lines(holder.child.stderr, (line) => {
      holder.#log.push(line);
      if (logfmt(line).event === 'listening') holder.#listens += 1;
    });
    holder.port = (await holder.#hear((one) => one.port, 'a port')).port;
    return holder;
  }

  #lines(stream, take) {
    let rest = '';
    stream.setEncoding('utf8');
    stream.on('data', (text) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop();
      lines.forEach(take);
      this.#bell.ring();
    });
  }

  #hear(test, what) {
    return this.#bell.when(() => this.#said.find(test), () => `${what}; the log so far:\n${this.log}`);
  }

  get log() { return this.#log.join('\n'); }

  // Starts a crier on the socket; its pid.
  async start(...args) {
    const number = this.#starts++;
    this.child.stdin.write(`${JSON.stringify([this.program, 'serve', '--workers', '2', ...args])}\n`);
    const starts = () => this.#said.filter((one) => one.pid && !('code' in one));
    await this.#bell.when(() => starts().length > number, 'a start');
    return starts()[number].pid;
  }

  // The newest crier has said that it listens.
  listening() {
    return this.#bell.when(() => this.#listens >= this.#starts, () => `listening; the log so far:\n${this.log}`);
  }

  // SIGTERM; throws unless it ends with 0.
  async end(pid) {
    process.kill(pid, 'SIGTERM');
    const { code } = await this.#hear((one) => one.pid === pid && 'code' in one, 'its end');
    if (code !== 0) throw new Error(`crier ended with ${code}:\n${this.log}`);
    if (/AddressSanitizer|LeakSanitizer|ThreadSanitizer|runtime error:/.test(this.log)) throw new Error(`a sanitizer spoke up:\n${this.log}`);
  }

  close() {
    const ended = new Set(this.#said.filter((one) => 'code' in one).map((one) => one.pid));
    for (const { pid } of this.#said) {
      if (pid && !ended.has(pid)) {
        try { process.kill(pid, 'SIGKILL'); } catch { /* it has just ended */ }
      }
    }
    this.child.stdin.end();
    this.child.kill();
  }
}
