// SPDX-License-Identifier: MIT
// A storm: publishers that note what they were promised, and subscribers that come back by themselves, while
// the server is killed under them. What was promised is then held against what everyone has.
//
//     Writer ──POST──▶ House (a server, killed and started anew on its folder) ──events──▶ Reader
//        └──▶ Ledger: tried, acknowledged, unknown, refused ◀── verdict() ──────────────────┘
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import http from 'node:http';
import { plainEnvironment, startCrier } from './crier.mjs';
import { Parser } from './sse.mjs';
import { Bell, WATCHDOG_MS, within } from './wait.mjs';

export const TOPICS = ['orders/1', 'orders/2', 'orders/2/lines', 'news', 'logs/a', 'logs/b'];
export const SELECTIONS = [['**'], ['orders/1'], ['orders/*'], ['orders/**'], ['news'], ['news', 'logs/*'], ['logs/a', 'logs/b', 'orders/2'], ['*/2', 'news']];

// The rule of docs/http-api.md, told once more.
export function matches(selector, topic) {
  const wanted = selector.split('/');
  const parts = topic.split('/');
  const isOpen = wanted.at(-1) === '**';
  if (isOpen) wanted.pop();
  if (isOpen ? parts.length <= wanted.length : parts.length !== wanted.length) return false;
  return wanted.every((want, i) => want === '*' || want === parts[i]);
}

export function compareIds(a, b) {
  const [ams, aseq] = a.split('-').map(BigInt);
  const [bms, bseq] = b.split('-').map(BigInt);
  const [x, y] = ams === bms ? [aseq, bseq] : [ams, bms];
  return x < y ? -1 : x > y ? 1 : 0;
}

// An event's data follows from who it is, so that whoever has it can tell whether it is whole.
export function dataOf({ writer, number, topic, size = 0 }) {
  const pad = `${writer}.${number}.`.repeat(Math.ceil(size / 4)).slice(0, size);
  return JSON.stringify({ writer, number, topic, size, pad });
}

// Who it is; throws if it is not whole.
export function readData(text) {
  const event = JSON.parse(text);
  if (dataOf(event) !== text) throw new Error(`other data than was published: ${text.slice(0, 200)}`);
  return event;
}

// ---- the server ------------------------------------------------------------------------------------

// options: as for startCrier. life: 0 before the first start; is never down but between kill() and open().
export class House {
  life = 0;
  isUp = false;
  isLast = false;
  isOver = false;
  #bell = new Bell();

  constructor(t, options) {
    this.t = t;
    this.options = options;
  }

  async open(options = this.options) {
    this.crier = await startCrier(this.t, options);
    this.agent = new http.Agent({ keepAlive: true });
    this.life += 1;
    this.isUp = true;
    this.#bell.ring();
  }

  // A start that is cut off by kill -9, mostly before it has opened its folder, or while it does.
  async miscarry(ms) {
    const { program, args, env } = this.options;
    const child = spawn(program, ['serve', '--listen', '127.0.0.1:0', ...args], { env: { ...plainEnvironment(), ...env }, stdio: 'ignore' });
    const over = once(child, 'close');
    setTimeout(() => child.kill('SIGKILL'), ms);
    await over;
  }

  // Everyone knows that it ends, then it does; what is under way is cut off by that alone.
  async #down(end) {
    this.isUp = false;
    this.#bell.ring();
    await end();
    this.agent.destroy();
  }

  // kill -9.
  kill() { return this.#down(() => this.crier.kill()); }

  // In order, whatever it says at its end.
  end() {
    return this.#down(async () => {
      this.crier.signal('SIGTERM');
      await this.crier.waitExit();
      this.crier.check();
    });
  }

  // Nobody waits for another life any more.
  close() {
    this.isOver = true;
    this.#bell.ring();
  }

  // There is no other life after this one: who sleeps wakes up.
  last() {
    this.isLast = true;
    this.#bell.ring();
  }

  // Waits for a life after this one, or the end.
  later(life) {
    return this.#bell.when(() => this.isOver || (this.isUp && this.life > life), `a life after ${life}`, 2 ** 31 - 1);
  }

  // Waits until this life is over.
  passed(life) {
    return this.#bell.when(() => this.isOver || this.isLast || !this.isUp || this.life > life, `the end of life ${life}`, 2 ** 31 - 1);
  }

  // One publish: { status, headers, body }; throws if no whole answer came.
  post(path, body, headers = {}) {
    const { agent, crier: { port } } = this;
    return within(new Promise((resolve, reject) => {
      const sent = http.request({ host: '127.0.0.1', port, path, method: 'POST', agent, headers }, (answer) => {
        let text = '';
        answer.setEncoding('utf8');
        answer.on('data', (part) => { text += part; });
        answer.on('error', reject);
        answer.on('end', () => {
          if (!answer.complete) return reject(new Error('half an answer'));
          return resolve({ status: answer.statusCode, headers: answer.headers, body: JSON.parse(text) });
        });
        answer.on('close', () => reject(new Error('half an answer')));
      });
      sent.on('error', reject);
      sent.end(body);
    }), 'the answer to a publish');
  }
}

// ---- what was promised -----------------------------------------------------------------------------

export class Ledger {
  entries = new Map(); // 'writer:number' → { writer, number, topic, size, key, state, id, at, code }; no id: it was one of a batch
  acked = 0;
  refusals = [];
  #bell = new Bell();

  // clock: what to note with an answer, at once when it is there (the size of a log).
  constructor(clock = () => 0) { this.clock = clock; }

  tried(entry) {
    this.entries.set(`${entry.writer}:${entry.number}`, entry);
    entry.state = 'unknown'; // until an answer says more
    return entry;
  }

  // answer: null when none came.
  answered(entry, answer) {
    if (answer?.status === 201) {
      Object.assign(entry, { state: 'acked', id: answer.body.id, at: this.clock() });
      this.acked += 1;
    } else if (answer) {
      entry.code = answer.body.code;
      // Of all refusals but this one it is known that nothing was published.
      if (entry.code !== 'outcome-unknown') entry.state = 'refused';
      this.refusals.push({ status: answer.status, code: entry.code, entry, headers: answer.headers });
    }
    this.#bell.ring();
  }

  when(test, what) { return this.#bell.when(test, () => `${what}; ${this.acked} acknowledged, refused: ${JSON.stringify(this.codes)}`); }
  ackedAre(count) { return this.when(() => this.acked >= count, `${count} acknowledged`); }
  get ackedEntries() { return [...this.entries.values()].filter(({ state }) => state === 'acked'); }

  get codes() {
    const codes = {};
    for (const { code } of this.refusals) codes[code] = (codes[code] ?? 0) + 1;
    return codes;
  }
}

// ---- publishers ------------------------------------------------------------------------------------

// sizes: of the padding, one is drawn. isKeyed: with an idempotency key, repeated until it is answered. batch: so many
// events in one request. onRefusal(answer, entry): whether to go on with the next.
export class Writer {
  isOver = false;
  number = 0;

  constructor(house, ledger, writer, random, { isKeyed = false, batch = 1, sizes = [0, 20, 100, 300, 5000], topics = TOPICS, onRefusal } = {}) {
    Object.assign(this, { house, ledger, writer, random, isKeyed, batch, sizes, topics, onRefusal });
  }

  async run() {
    while (!this.isOver) if (!await this.one()) break;
  }

  #entry() {
    const { writer, random, ledger } = this;
    const pick = (list) => list[random.below(list.length)];
    const entry = ledger.tried({ writer, number: ++this.number, topic: pick(this.topics), size: pick(this.sizes), key: null });
    if (this.isKeyed) entry.key = `w${writer}-${entry.number}`;
    return entry;
  }

  #send(entries) {
    if (this.batch === 1) {
      const [entry] = entries;
      return this.house.post(`/events/${entry.topic}`, dataOf(entry), entry.key ? { 'Idempotency-Key': entry.key } : {});
    }
    const line = (entry) => JSON.stringify({ topic: entry.topic, data: dataOf(entry), ...(entry.key ? { key: entry.key } : {}) });
    return this.house.post('/events', entries.map(line).join('\n'), { 'Content-Type': 'application/x-ndjson' });
  }

  // Publishes once more; false: it was refused, and that was the end.
  async one() {
    const { ledger, house } = this;
    const entries = Array.from({ length: this.batch }, () => this.#entry());
    for (;;) {
      if (!house.isUp) await house.later(house.life);
      if (house.isOver) return false;
      const { life } = house;
      let answer = null;
      try {
        answer = await this.#send(entries);
      } catch (error) {
        if (house.isUp && house.life === life) throw error;
      }
      for (const entry of entries) ledger.answered(entry, answer);
      if (answer === null && this.isKeyed) continue;
      if (answer === null || answer.status === 201) return true;
      if (!this.onRefusal) throw new Error(`publishing was refused with ${answer.status} ${JSON.stringify(answer.body)}`);
      return this.onRefusal(answer, entries[0]);
    }
  }
}

// ---- subscribers -----------------------------------------------------------------------------------

// pace: 'prompt'; 'slow' (rests after every few kilobytes); 'asleep' (in every second life reads next to nothing
// before the server is dead, and only then what its socket still holds).
export class Reader {
  items = []; // { id, name } in the order they came, name 'writer:number'
  gaps = [];
  wrong = []; // what must never come
  connects = 0;
  lastId = '';
  isOver = false;
  #bell = new Bell();

  constructor(house, selectors, { pace = 'prompt', random } = {}) {
    Object.assign(this, { house, selectors, pace, random });
  }

  async run() {
    while (!this.isOver && !this.house.isOver) {
      if (!this.house.isUp) await this.house.later(this.house.life);
      if (this.isOver || this.house.isOver) return;
      const { life } = this.house;
      // Without an answer there is no use in asking again before the server has been started anew.
      if (!await this.#follow(life) && !this.isOver) await this.house.later(life);
    }
  }

  #follow(life) {
    const query = this.selectors.map((selector) => `topic=${encodeURIComponent(selector)}`).join('&');
    const headers = { accept: 'text/event-stream', ...(this.lastId ? { 'last-event-id': this.lastId } : {}) };
    return new Promise((resolve) => {
      this.request = http.get({ host: '127.0.0.1', port: this.house.crier.port, agent: false, headers, path: `/events?${query}&since=earliest` }, (answer) => {
        this.connects += 1;
        if (answer.statusCode !== 200) this.wrong.push(`status ${answer.statusCode}`);
        const parser = new Parser({ event: (event) => this.#take(event) });
        const isAsleep = this.pace === 'asleep' && life % 2 === 1;
        if (isAsleep) this.house.passed(life).then(() => answer.resume());
        answer.on('data', (bytes) => {
          try {
            parser.feed(bytes);
          } catch (error) {
            this.wrong.push(error.message);
          }
          this.#bell.ring();
          if (isAsleep && !this.house.isLast && this.house.isUp && this.house.life === life) answer.pause();
          else if (this.pace === 'slow') this.#rest(answer);
        });
        answer.on('error', () => {});
        answer.on('close', () => resolve(true));
      });
      this.request.on('error', () => resolve(false));
    });
  }

  #rest(answer) {
    answer.pause();
    setTimeout(() => answer.resume(), 1 + this.random.below(15));
  }

  #take({ type, id, data }) {
    this.lastId = id;
    if (type === 'crier:gap') this.gaps.push(data);
    if (type.startsWith('crier:')) return;
    const event = readData(data);
    if (!this.selectors.some((selector) => matches(selector, event.topic))) this.wrong.push(`not asked for: ${data.slice(0, 100)}`);
    this.items.push({ id, name: `${event.writer}:${event.number}` });
  }

  get label() { return `the ${this.pace} reader of ${this.selectors.join(' ')}`; }

  // Waits until it has what was published under this id.
  reached(id, ms = WATCHDOG_MS) {
    return this.#bell.when(() => this.wrong.length > 0 || (this.lastId !== '' && compareIds(this.lastId, id) >= 0),
      () => `${this.label} to reach ${id}: it is at ${this.lastId || 'nothing'}, with ${this.items.length} events after ${this.connects} connections`, ms);
  }

  end() {
    this.isOver = true;
    this.request?.destroy();
  }
}

// ---- the verdict -----------------------------------------------------------------------------------

// What is wrong with a list of { id, name } that should be all that was published under the selectors: [] if nothing.
export function faultsOf(items, ledger, selectors = ['**']) {
  const faults = [];
  const seen = new Map();
  let last = '0-0';
  for (const { id, name } of items) {
    const entry = ledger.entries.get(name);
    if (compareIds(id, last) <= 0) faults.push(`${id} comes after ${last}`);
    last = id;
    if (!entry) faults.push(`${id} (${name}) was never published`);
    else if (seen.has(name)) faults.push(`${name} is there twice, as ${seen.get(name)} and ${id}${entry.key ? ', though it has a key' : ''}`);
    else if (entry.state === 'acked' && entry.id && entry.id !== id) faults.push(`${name} was acknowledged as ${entry.id}, and is there as ${id}`);
    else if (entry.state === 'refused') faults.push(`${name} was refused (${entry.code}), and is there`);
    seen.set(name, id);
  }
  for (const entry of ledger.ackedEntries) {
    const name = `${entry.writer}:${entry.number}`;
    if (!seen.has(name) && selectors.some((selector) => matches(selector, entry.topic))) faults.push(`${name} (${entry.id}) was acknowledged, and is not there`);
  }
  return faults;
}

// Holds all readers against the ledger and against each other. Throws what is wrong, the first few.
export function verdict(readers, ledger) {
  const faults = [];
  const whole = readers.find(({ selectors }) => selectors.includes('**'));
  for (const reader of readers) {
    const own = [...reader.wrong, ...reader.gaps.map((gap) => `a gap: ${gap}`), ...faultsOf(reader.items, ledger, reader.selectors)];
    const topicOf = (name) => ledger.entries.get(name)?.topic ?? '';
    const wanted = whole.items.filter(({ name }) => reader.selectors.some((selector) => matches(selector, topicOf(name))));
    const differs = wanted.findIndex(({ id }, i) => reader.items[i]?.id !== id);
    if (differs >= 0 || wanted.length !== reader.items.length) own.push(`it has ${reader.items.length} events, the reader of all has ${wanted.length} for it; the first that differs is number ${differs}`);
    for (const fault of own) faults.push(`${reader.label}: ${fault}`);
  }
  if (faults.length) throw new Error(`${faults.length} faults, first:\n${faults.slice(0, 12).join('\n')}`);
}

// The storm is over: one last event of each topic, and all readers have come to it.
export async function settle(house, ledger, readers, random) {
  house.last();
  const last = new Writer(house, ledger, `last of life ${house.life}`, random, { sizes: [0] });
  for (const topic of TOPICS) {
    last.topics = [topic];
    if (!await last.one()) throw new Error('a last event was refused');
  }
  const ends = ledger.ackedEntries.filter(({ writer }) => writer === last.writer);
  // Who rests now and then would take as long as all that was published is long.
  for (const reader of readers) if (reader.pace === 'slow') reader.pace = 'prompt';
  for (const reader of readers) {
    const own = ends.filter(({ topic }) => reader.selectors.some((selector) => matches(selector, topic)));
    await reader.reached(own.map(({ id }) => id).sort(compareIds).at(-1));
  }
}
