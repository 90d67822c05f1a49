// SPDX-License-Identifier: MIT
// Many events in many topics, through restarts: exact to the event. tests/integration/many.test.mjs runs it small,
// tests/long/many.mjs with ten million events. Returns what it saw, as numbers; asserts nothing about speed.
//
//     event i, 0 .. topics * perTopic - 1     of the topic t/G/K: i * 7919 modulo topics is G * 100 + K
//     quiet/N   before all others: three events each        still/N   one event each
//
// All are published over one connection, so that ids are in the order of numbers, and what must come after any id is known.
import assert from 'node:assert/strict';
import { statSync } from 'node:fs';
import { join } from 'node:path';
import { bin, held, request, startCrier } from './crier.mjs';
import { folder } from './folder.mjs';
import { Publisher } from './publisher.mjs';
import { follow } from './sse.mjs';
import { until } from './wait.mjs';

const QUIET = 20;
const BATCH = 1000;

class Numbers {
  constructor(topics) {
    this.topics = topics;
    let inverse = 1; // of 7919 modulo topics
    for (; (inverse * 7919) % topics !== 1; inverse++) assert.ok(inverse < topics, 'topics and 7919 have no common factor');
    this.inverse = inverse;
  }

  index(i) { return ((i % this.topics) * 7919) % this.topics; }
  topic(i) { return Numbers.name(this.index(i)); }
  static name(index) { return `t/${Math.floor(index / 100)}/${index % 100}`; }

  // The numbers, ascending, from `from` up to (not including) `end`, of the topics with these indices.
  of(indices, from, end) {
    const list = [];
    for (const index of indices) {
      const first = (index * this.inverse) % this.topics;
      for (let i = first + Math.ceil(Math.max(0, from - first) / this.topics) * this.topics; i < end; i += this.topics) list.push(i);
    }
    return list.sort((a, b) => a - b);
  }
}

const numberOf = (event) => parseInt(event.data, 10);
const group = (g) => Array.from({ length: 100 }, (_, k) => g * 100 + k);
const range = (from, end) => Array.from({ length: end - from }, (_, i) => from + i);

class Many {
  constructor(scope, { topics, perTopic, limit, program, random, tail }) {
    Object.assign(this, { scope, topics, perTopic, limit, program, random, tail });
    this.numbers = new Numbers(topics);
    this.dir = join(folder(scope), 'data');
    this.next = 0; // the number of the next event
    this.held = 0; // events in history, if nothing left it
    this.seen = { restarts: 0, resumed: 0, started_ms: 0 };
  }

  async start(limit = 100_000_000) {
    const before = performance.now();
    this.crier = await startCrier(null, { program: this.program, args: ['--data', this.dir, '--sync', 'none', '--log-level', 'warning',
      '--history-events', String(limit), '--history-bytes', '30G', '--history-age', '7d', '--max-floors', String(4 * this.topics),
      '--keep-bytes', '64M', '--log-level', 'info'] });
    this.seen.started_ms = Math.max(this.seen.started_ms, Math.round(performance.now() - before));
    this.seen.restarts++;
  }

  // Ends it, in order or by force: with --sync none, too, a crash of the process alone loses nothing.
  async restart({ by = 'stop', limit } = {}) {
    await this.crier[by]();
    await this.start(limit);
  }

  async publish(count) {
    const publisher = await Publisher.open(this.crier);
    for (const end = this.next + count; this.next < end;) {
      const lines = range(this.next, Math.min(end, this.next + BATCH)).map((i) => ({ topic: this.numbers.topic(i), data: `${i} `.padEnd(100, '.') }));
      const said = await publisher.batch('/events', lines);
      assert.equal(said.published, lines.length);
      this.next += lines.length;
    }
    this.held += count;
    publisher.close();
  }

  async publishQuiet() {
    const publisher = await Publisher.open(this.crier);
    for (let n = 0; n < QUIET; n++) {
      for (let i = 0; i < 3; i++) await publisher.one(`/events/quiet/${n}`, String(i));
      await publisher.one(`/events/still/${n}`, '0');
    }
    this.held += QUIET * 4;
    publisher.close();
  }

  async history() { return (await this.crier.stats()).history; }

  // The id of event i, which must be held.
  async idOf(i) {
    const topic = this.numbers.topic(i);
    const found = (await held(this.crier, topic)).find((event) => numberOf(event) === i);
    assert.ok(found, `${topic} holds event ${i}`);
    return found.id;
  }

  // Follows from `id` on and expects exactly these, then nothing else before a new event.
  async resume(what, query, id, expected, { gap = false, live } = {}) {
    const stream = await follow(this.crier, `/events${query}`, { headers: { 'Last-Event-ID': id } });
    try {
      await stream.opened();
      assert.equal(stream.headers['crier-resumed'], gap ? 'gap' : 'exact', what);
      if (live) await live();
      await stream.until(expected.length);
      assert.deepEqual(stream.events.map(numberOf), expected, what);
      assert.equal(stream.gaps.length, gap ? 1 : 0, what);
      this.seen.resumed += expected.length;
    } finally {
      stream.close();
    }
  }

  async resumeAll(from) {
    const { numbers, next, random } = this;
    const id = await this.idOf(from);
    const groups = this.topics / 100;
    const some = range(0, 10).map(() => random.below(this.topics));
    for (const index of some) {
      await this.resume(`one topic after event ${from}`, `/${Numbers.name(index)}`, id, numbers.of([index], from + 1, next));
    }
    const g = random.below(groups), h = (g + 1) % groups;
    await this.resume('a pattern', `/t/${g}/*`, id, numbers.of(group(g), from + 1, next));
    await this.resume('a pattern across', '/t/*/7', id, numbers.of(range(0, groups).map((each) => each * 100 + 7), from + 1, next));
    await this.resume('topics and patterns', `?topic=t/${g}/*&topic=t/${h}/3&topic=t/${g}/5&topic=quiet/1`, id,
      numbers.of([...group(g), h * 100 + 3], from + 1, next));
    const late = Math.max(from, next - this.tail);
    await this.resume('everything', '/**', await this.idOf(late), range(late + 1, next));
  }

  // History as JSON, from page to page.
  async pages(selector, expected) {
    const found = [];
    let target = `/events/${selector}?since=earliest&limit=1500`;
    while (target) {
      const page = await request(this.crier, target, { headers: { accept: 'application/json' } });
      assert.equal(page.status, 200, page.text);
      found.push(...page.json().map(numberOf));
      target = /<([^>]*)>; rel="next"/.exec(page.headers.link ?? '')?.[1];
    }
    assert.deepEqual(found, expected, `pages of ${selector}`);
  }

  // A live event comes behind what was resumed, once.
  async resumeInto(from) {
    const index = this.numbers.index(this.next);
    const expected = [...this.numbers.of([index], from + 1, this.next), this.next];
    await this.resume('a topic, and on', `/${Numbers.name(index)}`, await this.idOf(from), expected, { live: () => this.publish(1) });
  }

  // What the hub says of its topics adds up to what it says of history.
  async addUp() {
    const history = await this.history();
    let events = 0, bytes = 0, topics = 0, after = '';
    do {
      const page = (await request(this.crier, `/-/topics?limit=1000&after=${encodeURIComponent(after)}`)).json();
      for (const topic of page.topics) {
        events += topic.events;
        bytes += topic.bytes;
        topics += topic.events > 0 ? 1 : 0;
      }
      after = page.next;
    } while (after);
    assert.deepEqual({ events, bytes, topics }, { events: history.events, bytes: history.bytes, topics: history.topics });
    return history;
  }

  // A restart changes nothing of what is told.
  async unchangedBy(how) {
    const told = ({ events, bytes, topics, kept_events, kept_bytes, first, last }) => ({ events, bytes, topics, kept_events, kept_bytes, first, last });
    const before = told(await this.history());
    await this.restart(how);
    assert.deepEqual(told(await this.history()), before, `history after ${how.by}`);
  }

  // Until no more events than the limit are held, but for those kept aside.
  async settled() {
    return until(async () => {
      const history = await this.history();
      return history.events - history.kept_events <= this.limit && history;
    }, 'history was within its limit', 120_000);
  }
}

// Topics of which nothing, or not all, is left: the newest is there, and what is missing is told exactly.
async function quietTopics(many, ids) {
  for (let n = 0; n < QUIET; n += 3) {
    assert.deepEqual((await held(many.crier, `quiet/${n}`)).map((event) => event.data), ['2'], 'the newest of a quiet topic');
    await many.resume('a quiet topic that lost one', `/quiet/${n}`, ids.quiet[n][0], [2], { gap: true });
    await many.resume('a quiet topic, up to what is held', `/quiet/${n}`, ids.quiet[n][1], [2]);
    // Complete, however much its neighbours have lost meanwhile.
    await many.resume('a topic with all it ever had', `/still/${n}`, ids.quiet[n][2], [0]);
  }
  const latest = await follow(many.crier, '/events/quiet/*?since=latest');
  await latest.until(QUIET);
  assert.deepEqual(latest.events.map((event) => event.data), Array(QUIET).fill('2'));
  latest.close();
}

// scope: what ends it. topics: a multiple of 100. limit: of events, less than there are. tail: how many the resume of
// everything reads.
export async function manyEvents(scope, { random, topics = 2000, perTopic = 50, limit = 20_000, program = bin, tail = 30_000, report = () => {} }) {
  const many = new Many(scope, { topics, perTopic, limit, program, random, tail });
  scope.after(async () => { if (many.crier && !many.crier.exit) await many.crier.kill(); });
  await many.start();
  await many.publishQuiet();
  const quiet = await Promise.all(range(0, QUIET).map(async (n) => (await held(many.crier, `quiet/${n}`)).map((event) => event.id)));
  await many.publish(topics * perTopic);
  report('published');

  // All of it is held, before and after an end in order and one by force.
  await many.unchangedBy({ by: 'stop' });
  await many.unchangedBy({ by: 'kill' });
  const whole = await many.addUp();
  assert.equal(whole.events, many.held);
  assert.equal(whole.topics, topics + 2 * QUIET);
  report('restarted');
  await many.resumeAll(Math.floor(many.next / 2));
  await many.resumeInto(Math.floor(many.next / 2));
  await many.resume('a quiet topic', '/quiet/0', quiet[0][0], [1, 2]);
  await many.pages('t/3/*', many.numbers.of(group(3), 0, many.next));
  await many.pages('*/3/3', many.numbers.of([303], 0, many.next));
  report('resumed');

  // A smaller history from now on: what is too much leaves, the newest of quiet topics stays.
  await many.restart({ limit });
  await many.settled();
  report('trimmed');
  const filled = statSync(join(many.dir, 'data.mdb')).size;
  for (let i = 0; i < 3; i++) {
    await many.publish(limit);
    await many.settled();
  }
  const kept = await many.addUp();
  assert.ok(kept.kept_events >= 2 * QUIET, `${kept.kept_events} events are kept aside`);
  assert.ok(kept.events - kept.kept_events > limit / 2, `no more left than had to: ${kept.events} events`);
  assert.ok(statSync(join(many.dir, 'data.mdb')).size <= filled, 'pages of what has left are used again');
  report('went on');
  await quietTopics(many, { quiet });
  await many.unchangedBy({ by: 'kill', limit });
  await quietTopics(many, { quiet });
  await many.resumeAll(many.next - Math.floor(limit / 2));
  await many.resumeInto(many.next - Math.floor(limit / 2));
  await many.crier.stop();
  return { ...many.seen, events: many.next, file_bytes: filled };
}
