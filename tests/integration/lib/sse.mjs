// SPDX-License-Identifier: MIT
// An event stream client over a raw socket, written from the WHATWG rules on its own, so that the server is
// not checked against its own parser. It keeps the very bytes, the blocks, comments and `retry:` lines.
import { Raw, requestBytes } from './raw.mjs';
import { Bell } from './wait.mjs';

export class Parser {
  lastId = '';
  retry = null;
  #text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  #line = '';
  #data = null;
  #type = '';
  #id = '';

  // on: { event, comment, retry, blank } as they come.
  constructor(on) { this.on = on; }

  feed(bytes) {
    const lines = (this.#line + this.#text.decode(bytes, { stream: true })).split('\n');
    this.#line = lines.pop();
    for (const line of lines) this.#take(line);
  }

  get unfinished() { return this.#line !== '' || this.#data !== null || this.#type !== ''; }

  #take(line) {
    if (line.includes('\r')) throw new Error(`Crier writes only LF: ${JSON.stringify(line)}`);
    if (line === '') return this.#dispatch();
    if (line.startsWith(':')) return this.on.comment?.(line.slice(1));
    const colon = line.indexOf(':');
    const name = colon < 0 ? line : line.slice(0, colon);
    let value = colon < 0 ? '' : line.slice(colon + 1);
    if (value.startsWith(' ')) value = value.slice(1);
    if (name === 'data') this.#data = this.#data === null ? value : `${this.#data}\n${value}`;
    else if (name === 'event') this.#type = value;
    else if (name === 'id') this.#id = value;
    else if (name === 'retry') {
      if (!/^\d+$/.test(value)) throw new Error(`bad retry ${JSON.stringify(value)}`);
      this.retry = Number(value);
      this.on.retry?.(this.retry);
    } else throw new Error(`a field Crier does not write: ${JSON.stringify(line)}`);
  }

  #dispatch() {
    if (this.#data === null) throw new Error('a block without data: some clients take it for an empty message');
    this.lastId = this.#id;
    const event = { type: this.#type || 'message', id: this.#id, data: this.#data };
    this.#data = null;
    this.#type = '';
    this.on.event(event);
  }
}

export class Stream {
  all = [];      // every event, Crier's own too
  events = [];   // without Crier's own
  gaps = [];
  connected = null;
  comments = 0;
  retries = [];
  bytes = [];    // the body as it came, unchunked, if asked for
  done = false;  // the body has ended as it should (last chunk, or close with HTTP/1.0)
  broken = null; // or not
  #bell = new Bell();
  #next = 0;

  constructor(raw, head, keep) {
    this.raw = raw;
    this.head = head;
    this.status = head.status;
    this.headers = head.headers;
    this.keep = keep;
    this.parser = new Parser({
      event: (event) => {
        this.all.push(event);
        if (event.type === 'crier:connected') this.connected = event;
        else if (event.type === 'crier:gap') this.gaps.push(event);
        else this.events.push(event);
      },
      comment: () => { this.comments += 1; },
      retry: (ms) => this.retries.push(ms),
    });
    this.finished = this.#pump().catch((error) => { this.broken = error; }).finally(() => this.#bell.ring());
  }

  async #pump() {
    const isChunked = /chunked/i.test(this.headers['transfer-encoding'] ?? '');
    for (;;) {
      let part;
      if (isChunked) {
        part = await this.#patient(() => this.raw.chunk());
        if (part === null) break;
      } else {
        await this.#patient(() => this.raw.when((raw) => raw.buffered > 0 || raw.over, 'bytes'));
        if (this.raw.buffered === 0) break;
        part = this.raw.take(this.raw.buffered);
      }
      if (this.keep) this.bytes.push(Buffer.from(part));
      this.parser.feed(part);
      this.#bell.ring();
    }
    this.done = true;
  }

  // A quiet stream is no fault: wait until something comes or the socket is gone.
  async #patient(action) {
    await this.raw.when((raw) => raw.buffered > 0 || raw.over, 'anything', 2 ** 31 - 1);
    return action();
  }

  get lastId() { return this.parser.lastId; }
  get body() { return Buffer.concat(this.bytes).toString('utf8'); }

  #state() {
    return `${this.events.length} events, last ${JSON.stringify(this.all.at(-1) ?? null)?.slice(0, 300)}` +
      `${this.done ? ', ended' : ''}${this.broken ? `, broken: ${this.broken.message}` : ''}`;
  }

  // Resolves when test(this) holds.
  when(test, what = 'the stream', ms) {
    return this.#bell.when(() => {
      const answer = test(this);
      if (answer) return answer;
      if (this.done || this.broken) throw new Error(`the stream ended before ${what}: ${this.#state()}`);
      return null;
    }, () => `${what}: ${this.#state()}`, ms);
  }

  // The next event that is not Crier's own.
  async next() {
    const at = this.#next++;
    await this.when(() => this.events.length > at, 'the next event');
    return this.events[at];
  }

  async until(count) {
    await this.when(() => this.events.length >= count, `${count} events`);
    return this.events;
  }

  opened() { return this.when(() => this.all.length > 0 || this.retries.length > 0, 'the opening'); }

  // The body's end; throws when it ended badly.
  async end(ms) {
    await this.#bell.when(() => this.done || this.broken, () => `the end: ${this.#state()}`, ms);
    if (this.broken) throw this.broken;
    return this;
  }

  close() { this.raw.destroy(); }
}

// Follows. Returns when the head is there. t: a test that closes it in the end.
export async function follow(target, path, { headers = {}, version = '1.1', keep = false, t, host, ...options } = {}) {
  const raw = await Raw.connect(target, options);
  t?.after?.(() => raw.destroy());
  raw.send(requestBytes('GET', path.startsWith('/') ? path : `/events/${path}`,
    { Accept: 'text/event-stream', ...headers }, undefined, { version, ...(host === undefined ? {} : { host }) }));
  const head = await raw.readHead();
  if (head === null) throw new Error(`the connection ended without an answer to ${path}`);
  if (head.status !== 200) {
    const length = Number(head.headers['content-length'] ?? 0);
    const body = (await raw.read(length)).toString('utf8');
    raw.destroy();
    throw Object.assign(new Error(`following ${path} gave ${head.status}: ${body}`), { status: head.status, body });
  }
  return new Stream(raw, head, keep);
}
