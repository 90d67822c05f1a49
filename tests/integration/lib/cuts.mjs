// SPDX-License-Identifier: MIT
// Subscribers cut at any byte. Each reads from a raw socket until so many bytes have come, forgets the rest, keeps
// what was complete by the rules of the standard, and comes back with its last id; in the end it has every event of
// its selectors once, in order. All is compared as it comes: one publisher numbers the events, so the order of their
// ids is that of their numbers, whatever is answered or not.
import assert from 'node:assert/strict';
import { Raw, parseHead, requestBytes } from './raw.mjs';
import { Parser } from './sse.mjs';
import { compareIds, House, matches } from './storm.mjs';
import { Bell, WATCHDOG_MS } from './wait.mjs';
import { request } from './crier.mjs';

export const SELECTIONS = [['a'], ['b/1'], ['a', 'b/2'], ['b/1', 'b/2', 'c/x/y'], ['b/*'], ['c/**', 'a'], ['**'], ['*/2', 'quiet']];
const TOPICS = ['a', 'a', 'a', 'b/1', 'b/1', 'b/2', 'c/x/y', 'c/z'];
const TYPES = [undefined, undefined, undefined, 'tick', 'message', 'Ünïcode'];

// ---- one connection, byte for byte --------------------------------------------------------------------

// Takes the bytes of one answer as they come, a part cut anywhere included. on(event): { id, topic?, type, data }.
export class Wire {
  head = null;
  place = 'head'; // where the next byte belongs: head, size, payload, crlf
  tail = '';      // the newest payload bytes, to know in which line it stands
  #bytes = Buffer.alloc(0);
  #left = 0;
  #line = Buffer.alloc(0);

  constructor(form, on) {
    this.form = form;
    this.parser = new Parser({ event: (event) => on(form === 'envelope' && !event.type.startsWith('crier:') ? unwrap(event) : event) });
    this.on = on;
  }

  feed(bytes) {
    this.#bytes = this.#bytes.length ? Buffer.concat([this.#bytes, bytes]) : bytes;
    while (this.#step());
  }

  // The name of the place in which it stands: what a cut here falls into.
  get where() {
    if (this.place !== 'payload') return this.place;
    if (this.tail.length && /[\xc2-\xf4][\x80-\xbf]{0,2}$/.test(this.tail) && !isWhole(this.tail)) return 'character';
    const line = this.tail.slice(this.tail.lastIndexOf('\n') + 1);
    return line === '' ? (this.tail.endsWith('\n\n') ? 'between' : 'line') : /^(id|event|retry|data|\{)/.exec(line)?.[0] ?? 'text';
  }

  #step() {
    if (this.place === 'head') {
      const end = this.#bytes.indexOf('\r\n\r\n');
      if (end < 0) return false;
      this.head = parseHead(this.#take(end + 4).toString('latin1'));
      this.isChunked = /chunked/.test(this.head.headers['transfer-encoding'] ?? '');
      this.place = this.isChunked ? 'size' : 'payload';
      this.#left = Infinity;
    } else if (this.place === 'size') {
      const end = this.#bytes.indexOf('\r\n');
      if (end < 0) return false;
      const line = this.#take(end + 2).toString('latin1').slice(0, -2);
      assert.match(line, /^[0-9a-fA-F]{1,16}$/, 'a chunk size');
      this.#left = parseInt(line, 16);
      this.place = this.#left ? 'payload' : 'end';
    } else if (this.place === 'payload') {
      if (this.#bytes.length === 0) return false;
      const part = this.#take(Math.min(this.#left, this.#bytes.length));
      this.#left -= part.length;
      this.tail = (this.tail + part.toString('latin1')).slice(-200);
      this.#payload(part);
      if (this.#left === 0) this.place = 'crlf';
    } else if (this.place === 'crlf') {
      if (this.#bytes.length < 2) return false;
      assert.equal(this.#take(2).toString('latin1'), '\r\n', 'the end of a chunk');
      this.place = 'size';
    } else return false;
    return true;
  }

  #take(count) {
    const taken = this.#bytes.subarray(0, count);
    this.#bytes = this.#bytes.subarray(count);
    return taken;
  }

  #payload(part) {
    if (this.head.status !== 200) return;
    if (this.form !== 'ndjson') return this.parser.feed(part);
    this.#line = Buffer.concat([this.#line, part]);
    for (let end; (end = this.#line.indexOf(10)) >= 0; this.#line = this.#line.subarray(end + 1)) {
      if (end > 0) this.on(unwrap({ data: this.#line.subarray(0, end).toString('utf8') }));
    }
  }
}

function unwrap({ data }) {
  const { id, topic, event, data: text } = JSON.parse(data);
  return { id, topic, type: event, data: text };
}

// Does the text (bytes as characters) end with a whole UTF-8 character?
function isWhole(tail) {
  const [lead, ...rest] = /[\xc2-\xf4][\x80-\xbf]*$/.exec(tail)[0];
  return rest.length >= (lead >= '\xf0' ? 3 : lead >= '\xe0' ? 2 : 1);
}

// ---- the publisher ---------------------------------------------------------------------------------

export class Source {
  events = []; // all that was or is being published, in order: { topic, type, data, bytes }
  bytes = 0;
  isOver = false;
  #bell = new Bell();

  constructor(house, random) { Object.assign(this, { house, random }); }

  ring() { this.#bell.ring(); }
  when(test, what) { return this.#bell.when(test, what, 2 * WATCHDOG_MS); }

  make(topic) {
    const { random, events } = this;
    const pick = (list) => list[random.below(list.length)];
    const number = events.length;
    const kind = random.below(400);
    let data = `${number} in ${topic}: “${'ä€😀x'.repeat(random.below(40))}”`;
    if (kind === 0) data += 'ß'.repeat(100 * 1024);
    else if (kind < 8) data += 'long '.repeat(1000);
    else if (kind < 40) data = '';
    else if (kind < 120) data = `${data}\n\n${pick(['id: 7', 'data: x', ': comment', ' leading', ''])}\r\nlast${pick(['', '\n'])}`;
    return { number, topic, type: pick(TYPES), data: data.replace(/\r\n?/g, '\n'), sent: data };
  }

  // One request of so many; repeated with the same keys until it is answered.
  async publish(count, topics = TOPICS) {
    const { random, house } = this;
    const batch = Array.from({ length: count }, () => {
      const event = this.make(topics[random.below(topics.length)]);
      this.events.push(event);
      this.bytes += event.data.length;
      return event;
    });
    const body = batch.map(({ number, topic, type, sent }) => JSON.stringify({ topic, data: sent, event: type, key: `n${number}` })).join('\n');
    for (;;) {
      if (!house.isUp) await house.later(house.life);
      const { life } = house;
      try {
        const { status, body: answer } = await house.post('/events', body, { 'Content-Type': 'application/x-ndjson' });
        if (status === 201) {
          assert.equal(answer.published + answer.duplicates, count);
          break;
        }
        assert.ok(status === 503 && (!house.isUp || house.life !== life), `publishing gave ${status}: ${JSON.stringify(answer)}`);
      } catch (error) {
        if (error.code === 'ERR_ASSERTION' || (house.isUp && house.life === life)) throw error;
      }
    }
    this.ring();
  }
}

// ---- the subscriber --------------------------------------------------------------------------------

// After how many bytes a connection is cut.
export function goal(random) {
  const kind = random.below(20);
  return 1 + random.below(kind < 5 ? 700 : kind < 15 ? 5000 : kind < 19 ? 50_000 : 400_000);
}

// A request of any form that goes on after the last id, told in any way; without one from the earliest.
export function asking(random, selectors, lastId) {
  const form = ['sse', 'sse', 'sse', 'envelope', 'ndjson'][random.below(5)];
  const query = selectors.map((selector) => `topic=${encodeURIComponent(selector)}`);
  const headers = { Accept: form === 'ndjson' ? 'application/x-ndjson' : 'text/event-stream' };
  if (form === 'envelope') query.push('envelope=1');
  const way = random.below(5);
  if (!lastId) query.push('since=earliest');
  else if (way === 0) query.push(`lastEventId=${lastId}`, 'since=earliest');
  else if (way === 1) query.push(`since=${lastId}`);
  else headers['Last-Event-ID'] = lastId;
  return { form, bytes: requestBytes('GET', `/events?${query.join('&')}`, headers, undefined, { version: random.chance(0.2) ? '1.0' : '1.1' }) };
}

export class Cut {
  lastId = '';
  cuts = 0;
  got = 0;
  position = 0; // in the source's list: what comes next is there or later
  places = {};
  #fruitless = 0;

  constructor(source, selectors) { Object.assign(this, { source, selectors, house: source.house, random: source.random }); }

  #next() {
    const { events } = this.source;
    while (this.position < events.length && !this.selectors.some((selector) => matches(selector, events[this.position].topic))) this.position += 1;
    return events[this.position];
  }

  get isDone() { return this.source.isOver && !this.#next(); }
  get behind() { return this.source.events.length - this.position; }

  #take(event) {
    if (event.type === 'crier:gap') assert.fail(`a gap: ${event.data}`);
    if (event.type === 'crier:connected') {
      if (this.lastId) assert.equal(event.id, this.lastId, 'it starts where it was left');
      this.lastId = event.id;
      return;
    }
    if (this.lastId) assert.ok(compareIds(event.id, this.lastId) > 0, `${event.id} after ${this.lastId}`);
    const wanted = this.#next();
    assert.ok(wanted, `an event that nobody published: ${event.data.slice(0, 80)}`);
    assert.deepEqual({ type: event.type, data: event.data, topic: event.topic ?? wanted.topic },
      { type: wanted.type ?? 'message', data: wanted.data, topic: wanted.topic }, `event ${wanted.number} as ${event.id}`);
    this.lastId = event.id;
    this.got += 1;
    this.position += 1;
  }

  #goal() { return goal(this.random) * 4 ** Math.max(0, this.#fruitless - 2); }

  // Nothing more comes: who waits for bytes wakes up.
  leave() {
    this.isLeft = true;
    this.raw?.destroy();
  }

  // Until it has all, however often it is cut. onCut: told of each.
  async run(onCut) {
    while (!this.isDone && !this.house.isOver) {
      if (!this.house.isUp) await this.house.later(this.house.life);
      const { life } = this.house;
      const alive = () => this.house.isUp && this.house.life === life;
      const before = this.got;
      let raw;
      try {
        raw = await Raw.connect(this.house.crier);
      } catch (error) {
        if (alive()) throw error;
        await this.house.later(life);
        continue;
      }
      this.raw = raw;
      this.isLeft = false;
      try {
        await this.#read(raw, alive);
      } catch (error) {
        error.message += ` (the follower of ${this.selectors.join(' ')} at ${this.lastId || 'nothing'}, after ${this.cuts} cuts)`;
        throw error;
      } finally {
        raw[this.random.chance(0.5) ? 'reset' : 'destroy']();
      }
      this.#fruitless = this.got > before ? 0 : this.#fruitless + 1;
      this.cuts += 1;
      onCut();
    }
  }

  async #read(raw, alive) {
    const { form, bytes } = asking(this.random, this.selectors, this.lastId);
    const wire = new Wire(form, (event) => this.#take(event));
    let left = this.#goal();
    raw.send(bytes);
    while (left > 0 && !this.isDone) {
      await raw.when(() => raw.buffered > 0 || raw.over, 'bytes', 2 * WATCHDOG_MS);
      if (raw.buffered === 0) {
        if (alive() && !this.isDone && !this.isLeft && wire.place !== 'end') throw new Error(`the server has ended a stream in its ${wire.place}${raw.error ? ` with ${raw.error.code}` : ''}`);
        break;
      }
      const part = raw.take(Math.min(left, raw.buffered));
      left -= part.length;
      wire.feed(Buffer.from(part));
      if (wire.head && wire.head.status !== 200) {
        if (alive()) throw new Error(`following gave ${wire.head.status}`);
        break;
      }
      this.source.ring();
    }
    this.places[wire.where] = (this.places[wire.where] ?? 0) + 1;
  }
}

// ---- all of it -------------------------------------------------------------------------------------

// cuts: how many at least while it is published. behind: so many events may the slowest be behind the publisher.
// restarts: how many, SIGTERM and SIGKILL.
export async function cutting(t, random, { cuts = 500, args = [], behind = 300, ahead = 0, restarts = 0, selections = SELECTIONS, report = () => {} }) {
  const house = new House(t, { args: ['--public-topics', ...args] }); // an HTTP/1.0 request is not local
  await house.open();
  const source = new Source(house, random);
  const readers = selections.map((selectors) => new Cut(source, selectors));
  const count = () => readers.reduce((sum, reader) => sum + reader.cuts, 0);
  let failed = null;
  const publishing = async () => {
    while (count() < cuts && !failed) {
      await source.publish(1 + random.below(random.chance(0.1) ? 200 : 10));
      await source.when(() => failed || Math.max(...readers.map((reader) => (reader.isDone ? 0 : reader.behind))) < behind || count() >= cuts, 'the followers');
    }
    // The last of each, so that everybody has something to wait for.
    await source.publish(20);
    source.isOver = true;
    for (const reader of readers) if (reader.isDone) reader.leave();
  };
  const restarting = async () => {
    for (let i = 1; i <= restarts; i++) {
      const at = Math.floor((cuts * i) / (restarts + 1)) + random.below(10);
      await source.when(() => failed || count() >= at, `cut ${at}`);
      if (failed) return;
      await (random.chance(0.5) ? house.kill() : house.end());
      await house.open();
    }
  };
  while (source.bytes < ahead) await source.publish(200);
  const onCut = () => {
    source.ring();
    if (count() % 1000 === 0) report(`${count()} cuts`);
  };
  const all = [publishing(), restarting(), ...readers.map((reader) => reader.run(onCut))];
  try {
    await Promise.all(all);
  } catch (error) {
    failed = error;
    house.close();
    for (const reader of readers) reader.leave();
    source.ring();
    await Promise.allSettled(all);
    throw error;
  }
  for (const reader of readers) assert.equal(reader.got, source.events.filter(({ topic }) => reader.selectors.some((selector) => matches(selector, topic))).length);
  const stats = (await request(house.crier, '/-/stats')).json();
  assert.equal(stats.gaps, 0);
  await house.crier.stop();
  const places = {};
  for (const reader of readers) for (const [place, n] of Object.entries(reader.places)) places[place] = (places[place] ?? 0) + n;
  return { cuts: count(), events: source.events.length, bytes: source.bytes, lives: house.life, replayed: stats.replayed, ...places };
}
