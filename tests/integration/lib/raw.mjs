// SPDX-License-Identifier: MIT
// A client that sends exactly the bytes it is told to, and reads answers strictly by RFC 9112: what a library
// would forgive is an error here.
import net from 'node:net';
import { Bell, WATCHDOG_MS } from './wait.mjs';

export class Raw {
  ended = false;  // the peer has said FIN
  closed = false; // the socket is gone
  error = null;
  bytesRead = 0;
  #parts = [];
  #length = 0;
  #bell = new Bell();

  constructor(socket) {
    this.socket = socket;
    socket.on('data', (bytes) => {
      this.#parts.push(bytes);
      this.#length += bytes.length;
      this.bytesRead += bytes.length;
      this.#bell.ring();
    });
    socket.on('end', () => { this.ended = true; this.#bell.ring(); });
    socket.on('error', (error) => { this.error = error; this.#bell.ring(); });
    socket.on('close', () => { this.closed = true; this.#bell.ring(); });
  }

  static connect(target, { host = '127.0.0.1', localAddress, allowHalfOpen = true } = {}) {
    const port = typeof target === 'number' ? target : target.port;
    return new Promise((resolve, reject) => {
      const socket = net.connect({ port, host, localAddress, allowHalfOpen, noDelay: true });
      socket.once('error', reject);
      socket.once('connect', () => {
        socket.off('error', reject);
        resolve(new Raw(socket));
      });
    });
  }

  send(bytes) { this.socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'utf8') : bytes); return this; }
  finish() { this.socket.end(); return this; } // half-close
  destroy() { this.socket.destroy(); }
  reset() { this.socket.resetAndDestroy(); }

  get over() { return this.ended || this.closed; }
  get buffered() { return this.#length; }

  #join() {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts, this.#length)];
    return this.#parts[0] ?? Buffer.alloc(0);
  }

  // All bytes that are there and not taken yet.
  peek() { return this.#join(); }

  take(count) {
    const all = this.#join();
    const taken = all.subarray(0, count);
    this.#parts = count < all.length ? [all.subarray(count)] : [];
    this.#length = Math.max(0, all.length - count);
    return taken;
  }

  #late(what) {
    return () => `${what}; have ${JSON.stringify(this.#join().subarray(0, 2000).toString('latin1'))}` +
      `${this.ended ? ', then the end' : ''}${this.error ? `, ${this.error.code}` : ''}`;
  }

  async read(count, what = `${count} bytes`) {
    await this.#bell.when(() => this.#length >= count || this.over, this.#late(what));
    if (this.#length < count) throw new Error(`the connection ended before ${what}: ${this.#late('')()}`);
    return this.take(count);
  }

  // Up to and including the mark; null at a clean end before anything came, if allowed.
  async readThrough(mark, what = JSON.stringify(mark), { orEnd = false } = {}) {
    const bytes = Buffer.from(mark, 'latin1');
    const at = await this.#bell.when(() => {
      const found = this.#join().indexOf(bytes);
      if (found >= 0) return found + bytes.length;
      return this.over ? -1 : 0;
    }, this.#late(what));
    if (at > 0) return this.take(at);
    if (orEnd && this.#length === 0) return null;
    throw new Error(`the connection ended before ${what}: ${this.#late('')()}`);
  }

  // Everything until the peer is done.
  async readToEnd(ms = WATCHDOG_MS) {
    await this.#bell.when(() => this.over, this.#late('the end of the connection'), ms);
    return this.take(this.#length);
  }

  // Resolves when test(this) holds, asked at every arrival.
  when(test, what, ms) { return this.#bell.when(() => test(this), this.#late(what), ms); }

  async readHead() {
    const head = await this.readThrough('\r\n\r\n', 'a response head', { orEnd: true });
    return head && parseHead(head.toString('latin1'));
  }

  // One whole response; null when the connection ended before one began. method decides whether it has a body.
  async response(method = 'GET') {
    const head = await this.readHead();
    if (head === null) return null;
    const body = await this.#body(head, method);
    const text = body.toString('utf8');
    return { ...head, body, text, json: () => JSON.parse(text) };
  }

  async #body(head, method) {
    if (method === 'HEAD' || head.status === 204 || head.status === 304 || head.status < 200) return Buffer.alloc(0);
    if (/chunked/i.test(head.headers['transfer-encoding'] ?? '')) {
      if ('content-length' in head.headers) throw new Error('both Content-Length and Transfer-Encoding');
      const parts = [];
      for (;;) {
        const part = await this.chunk();
        if (part === null) return Buffer.concat(parts);
        parts.push(part);
      }
    }
    if ('content-length' in head.headers) {
      const length = head.headers['content-length'];
      if (!/^\d+$/.test(length)) throw new Error(`bad Content-Length ${length}`);
      return this.read(Number(length), 'the announced body');
    }
    return this.readToEnd();
  }

  // One chunk of a chunked body; null for the last.
  async chunk() {
    const line = (await this.readThrough('\r\n', 'a chunk size')).toString('latin1').slice(0, -2);
    if (!/^[0-9a-fA-F]{1,16}$/.test(line)) throw new Error(`bad chunk size ${JSON.stringify(line)}`);
    const size = parseInt(line, 16);
    if (size === 0) {
      const end = (await this.read(2, 'the end of the last chunk')).toString('latin1');
      if (end !== '\r\n') throw new Error(`bad end of the last chunk: ${JSON.stringify(end)}`);
      return null;
    }
    const bytes = await this.read(size + 2, 'a chunk');
    if (bytes.subarray(size).toString('latin1') !== '\r\n') throw new Error('a chunk without CRLF at its end');
    return bytes.subarray(0, size);
  }
}

export function parseHead(text) {
  const lines = text.slice(0, -4).split('\r\n');
  const start = /^HTTP\/1\.[01] (\d{3}) ([ -~]*)$/.exec(lines[0]);
  if (!start) throw new Error(`bad status line ${JSON.stringify(lines[0])}`);
  const headers = {};
  const names = [];
  for (const line of lines.slice(1)) {
    const field = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+): ?([^\r\n\0]*)$/.exec(line);
    if (!field) throw new Error(`bad header line ${JSON.stringify(line)}`);
    const name = field[1].toLowerCase();
    headers[name] = name in headers ? `${headers[name]}, ${field[2]}` : field[2];
    names.push(field[1]);
  }
  return { status: Number(start[1]), reason: start[2], headers, names, lines, head: text };
}

// A request as bytes. headers: an object, or lines. Host is given unless it is told to be null.
export function requestBytes(method, path, headers = {}, body, { version = '1.1', host = 'localhost' } = {}) {
  const lines = [`${method} ${path} HTTP/${version}`];
  if (host !== null) lines.push(`Host: ${host}`);
  if (Array.isArray(headers)) lines.push(...headers);
  else for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`);
  const bytes = body === undefined ? null : Buffer.from(body);
  const text = lines.join('\r\n');
  if (bytes && !/^(content-length|transfer-encoding):/im.test(text)) lines.push(`Content-Length: ${bytes.length}`);
  const head = Buffer.from(lines.join('\r\n') + '\r\n\r\n', 'latin1');
  return bytes ? Buffer.concat([head, bytes]) : head;
}

// One request on a connection of its own. Returns the response with `end`: did the server close after it?
export async function exchange(target, bytes, { method = 'GET', half = false, ...options } = {}) {
  const raw = await Raw.connect(target, options);
  try {
    raw.send(bytes);
    if (half) raw.finish();
    const answer = await raw.response(method);
    return answer && { ...answer, raw };
  } finally {
    raw.destroy();
  }
}

export const chunked = (...parts) => parts.map((part) => {
  const bytes = Buffer.from(part);
  return `${bytes.length.toString(16)}\r\n${bytes.toString('latin1')}\r\n`;
}).join('') + '0\r\n\r\n';
