// SPDX-License-Identifier: MIT
// Subscribers of a history that is too small for them. Each is cut at any byte (lib/cuts.mjs), stays away while so
// many events are published, and comes back. What it has missed for good is known from the JSON history of its
// selectors: what is not in it is gone, and stays gone.
//
//     history ── open: gap or connected ── history          gone in the first ⊆ told ⊆ gone in the second
//
// For one topic that is exact; a pattern may be told in vain. Then every event that is held comes, once, in order,
// and none is missing that no gap has told. Now and then the publisher waits from the first to the second: then they
// say the same.
import assert from 'node:assert/strict';
import { publish, request } from './crier.mjs';
import { asking, goal, Source, Wire } from './cuts.mjs';
import { Raw } from './raw.mjs';
import { follow } from './sse.mjs';
import { compareIds, House, matches } from './storm.mjs';
import { Bell, WATCHDOG_MS } from './wait.mjs';

export const SINGLE = [['a'], ['b/1'], ['b/2'], ['c/z'], ['quiet'], ['quiet']];
export const SEVERAL = [['a', 'b/2'], ['quiet', 'c/z'], ['b/*'], ['c/**', 'a'], ['**'], ['*/2', 'quiet']];
const TOPICS = ['a', 'a', 'a', 'b/1', 'b/1', 'b/2', 'c/x/y', 'c/z'];
const ALL = ['a', 'b/1', 'b/2', 'c/x/y', 'c/z', 'quiet'];
const JSON_TYPE = { accept: 'application/json' };
const isAfter = (id, other) => !other || compareIds(id, other) > 0;

// ---- the publisher ---------------------------------------------------------------------------------

// Knows the id of every event, `entry.id`, but of the few that are being published: entries up to `known` have one.
class Known extends Source {
  known = 0;
  isCalling = false; // whoever is away comes back at once
  #holders = 0;
  #isBusy = false;

  constructor(house, random, limit, pad = 0) {
    super(house, random);
    this.limit = limit; // --history-events
    this.pad = pad;     // so many bytes more in most events
  }

  make(topic) {
    const event = super.make(topic);
    const more = this.random.chance(0.8) ? 'x'.repeat(this.pad) : '';
    return { ...event, data: more + event.data, sent: more + event.sent };
  }

  // One answer, whatever life gives it.
  async ask(path, headers = JSON_TYPE) {
    for (;;) {
      if (!this.house.isUp) await this.house.later(this.house.life);
      if (this.house.isOver) throw new Error('it is over');
      const { life } = this.house;
      try {
        const answer = await request(this.house.crier, path, { headers });
        if (answer.status === 200) return answer;
        if (this.house.isUp && this.house.life === life) throw new Error(`${path} gave ${answer.status}: ${answer.text}`);
      } catch (error) {
        if (this.house.isUp && this.house.life === life) throw error;
      }
    }
  }

  async next(count, topics = TOPICS) {
    await this.when(() => this.#holders === 0 || this.isFailed, 'the followers to let it go on');
    this.#isBusy = true;
    await this.publish(count, topics);
    const ids = (await this.ask(`/events/**?since=last:${count}`)).json();
    assert.equal(ids.length, count);
    ids.forEach(({ id, topic }, i) => {
      const event = this.events[this.known + i];
      assert.equal(topic, event.topic);
      assert.ok(event.id === undefined || event.id === id, `${event.id} was followed, ${id} is in history`);
      event.id = id;
    });
    this.known += count;
    this.#isBusy = false;
    this.ring();
  }

  async still(action) {
    this.#holders += 1;
    try {
      await this.when(() => !this.#isBusy || this.isFailed, 'the publisher to stand still');
      return await action();
    } finally {
      this.#holders -= 1;
      this.ring();
    }
  }

  // The ids that are held, of all that match; asked topic by topic, as the history of a pattern may be one that was
  // read a little earlier for somebody else.
  async held(selectors) {
    const topics = ALL.filter((topic) => selectors.some((selector) => matches(selector, topic)));
    const ids = new Set();
    await Promise.all(topics.map(async (topic) => {
      for (let next = `/events/${topic}?since=earliest&limit=10000`; next;) {
        const answer = await this.ask(next);
        for (const { id } of answer.json()) ids.add(id);
        next = /<([^>]*)>; rel="next"/.exec(answer.headers.link ?? '')?.[1];
      }
    }));
    return ids;
  }

  // What has left history for good, of what matches after the id. from: where to look first.
  async lost(selectors, lastId, from) {
    const { known } = this;
    const held = await this.held(selectors);
    const lost = new Set();
    for (let i = from; i < known; i++) {
      const event = this.events[i];
      if (held.has(event.id) || !isAfter(event.id, lastId) || !selectors.some((selector) => matches(selector, event.topic))) continue;
      assert.ok(i < this.events.length - this.limit, `event ${i} of ${this.events.length} has left too early`);
      assert.ok(this.events.slice(i + 1).some(({ topic }) => topic === event.topic), `event ${i} was the newest of ${event.topic}, and has left`);
      lost.add(event);
    }
    return lost;
  }
}

// ---- the subscriber --------------------------------------------------------------------------------

const list = (events) => [...events].slice(0, 5).map(({ number, id }) => `${number} (${id})`).join(', ') + (events.size > 5 ? `, … (${events.size})` : '');

export class Away {
  lastId = '';
  position = 0; // in the source's list: what comes next is there or later
  found = { cuts: 0, got: 0, missed: 0, told: 0, lagged: 0, exact: 0, vain: 0, undecided: 0 };
  #excused = new Set(); // gone, and told
  #fruitless = 0;
  #oldest = null;       // of one topic, after a gap: what must come next

  constructor(source, selectors) {
    Object.assign(this, { source, selectors, house: source.house, random: source.random });
    this.isSingle = selectors.length === 1 && !selectors[0].includes('*');
  }

  #matches(event) { return this.selectors.some((selector) => matches(selector, event.topic)); }

  // What comes next, passing over what the last id has told already.
  #next() {
    const { events } = this.source;
    for (; this.position < events.length; this.position += 1) {
      const event = events[this.position];
      if (this.#matches(event) && (event.id === undefined || isAfter(event.id, this.lastId))) return event;
    }
    return undefined;
  }

  get isDone() { return this.source.isOver && !this.#next(); }

  #lost() {
    this.#next();
    return this.source.lost(this.selectors, this.lastId, this.position);
  }

  // Between two ids, the second included: what was passed over.
  #between(id) {
    const passed = new Set();
    for (let i = this.position; i < this.source.known; i++) {
      const event = this.source.events[i];
      if (this.#matches(event) && isAfter(event.id, this.lastId) && compareIds(event.id, id) <= 0) passed.add(event);
    }
    return passed;
  }

  // before: what was gone before it has opened; null in mid-stream.
  async #gap({ id, data }, before) {
    const gap = typeof data === 'string' ? JSON.parse(data) : data;
    assert.equal(gap.reason, before ? 'evicted' : 'lagged');
    if (before) {
      assert.ok(this.lastId, `a gap for since=earliest: ${JSON.stringify(gap)}`);
      assert.ok(gap.requested === this.lastId || gap.requested === null, `requested ${gap.requested}`);
    }
    assert.ok(!isAfter(this.lastId, id) || this.lastId === id, `the gap is told as ${id}, before what it had`);
    const after = await this.#lost();
    const passed = this.#between(id);
    for (const event of passed) assert.ok(after.has(event), `${before ? '' : 'in mid-stream '}the gap ${JSON.stringify(gap)} goes on at ${id}, but event ${event.number} (${event.id}) is held`);
    if (this.isSingle) {
      assert.ok(passed.size > 0, `a gap in vain: ${JSON.stringify(gap)} as ${id}; gone: ${list(after)}`);
      assert.ok(gap.oldest && compareIds(gap.oldest, id) > 0, `the oldest is ${gap.oldest}, after ${id}`);
      for (const event of before ?? []) assert.ok(passed.has(event), `event ${event.number} (${event.id}) was gone, and the gap goes on at ${id}`);
    }
    if (gap.oldest) {
      for (const event of this.#between(gap.oldest)) assert.ok(event.id === gap.oldest || after.has(event), `the oldest is told to be ${gap.oldest}, but event ${event.number} (${event.id}) is held`);
    }
    this.found[before ? 'told' : 'lagged'] += 1;
    if (before?.size === 0) this.found[after.size === 0 ? 'vain' : 'undecided'] += 1;
    this.#excused = this.isSingle ? passed : after;
    this.#oldest = this.isSingle ? gap.oldest : null;
    this.lastId = id;
  }

  async #connected({ id }, before) {
    if (this.lastId) {
      assert.equal(id, this.lastId, 'it starts where it was left');
      assert.equal(before.size, 0, `a hidden gap: gone were ${list(before)}`);
      this.found.exact += 1;
      this.#excused = new Set();
    } else this.#excused = await this.#lost();
    this.#oldest = null;
    this.lastId = id;
  }

  #event(event) {
    assert.ok(isAfter(event.id, this.lastId), `${event.id} after ${this.lastId}`);
    if (this.#oldest) assert.equal(event.id, this.#oldest, 'the oldest comes first');
    this.#oldest = null;
    let wanted;
    while ((wanted = this.#next()) && wanted.id !== undefined && compareIds(wanted.id, event.id) < 0) {
      assert.ok(this.#excused.has(wanted), `event ${wanted.number} in ${wanted.topic} (${wanted.id}) is missing between ${this.lastId} and ${event.id}, and nobody told`);
      this.found.missed += 1;
      this.position += 1;
    }
    assert.ok(wanted, `an event that nobody published: ${event.data.slice(0, 80)}`);
    assert.equal(event.id, wanted.id ?? event.id);
    assert.deepEqual({ type: event.type, data: event.data, topic: event.topic ?? wanted.topic },
      { type: wanted.type ?? 'message', data: wanted.data, topic: wanted.topic }, `event ${wanted.number} as ${event.id}`);
    wanted.id = event.id;
    this.lastId = event.id;
    this.found.got += 1;
    this.position += 1;
  }

  async run(onCut) {
    while (!this.isDone && !this.house.isOver) {
      await this.#stayAway();
      const once = () => this.#once();
      this.isStill = this.random.chance(0.5);
      const { got } = this.found;
      await (this.isStill ? this.source.still(once) : once());
      this.#fruitless = this.found.got > got ? 0 : this.#fruitless + 1;
      this.found.cuts += 1;
      onCut();
    }
  }

  // So long that history still has all of it, most of it, or nothing.
  async #stayAway() {
    const { random, source } = this;
    const kind = random.below(10);
    const many = kind < 3 ? 0 : kind < 6 ? random.below(40) : kind < 8 ? random.below(source.limit) : random.below(4 * source.limit);
    const until = source.known + many;
    await source.when(() => source.known >= until || source.isCalling || source.isOver || this.house.isOver, `${until} events`, 2 ** 31 - 1);
  }

  async #once() {
    if (!this.house.isUp) await this.house.later(this.house.life);
    if (this.house.isOver) return;
    const { life } = this.house;
    const alive = () => this.house.isUp && this.house.life === life;
    let raw;
    try {
      const before = await this.#lost();
      raw = await Raw.connect(this.house.crier);
      this.raw = raw;
      this.isLeft = false;
      await this.#read(raw, before, alive);
    } catch (error) {
      if (!raw && !alive()) return;
      error.message += ` (${this.isStill ? 'still, ' : ''}the follower of ${this.selectors.join(' ')} at ${this.lastId || 'nothing'}, after ${this.found.cuts} cuts)`;
      throw error;
    } finally {
      raw?.[this.random.chance(0.5) ? 'reset' : 'destroy']();
    }
  }

  leave() {
    this.isLeft = true;
    this.raw?.destroy();
  }

  // Until so many bytes have come, or all there is: who stands still for it holds the publisher.
  async #read(raw, before, alive) {
    const { form, bytes } = asking(this.random, this.selectors, this.lastId);
    const came = [];
    const wire = new Wire(form, (event) => came.push(event));
    let left = goal(this.random) * 4 ** Math.max(0, this.#fruitless - 1);
    let isOpen = false;
    raw.send(bytes);
    while (left > 0 && !this.isDone) {
      if (isOpen && !this.#next()) break; // it has all: it leaves, and somebody else may go on
      await raw.when(() => raw.buffered > 0 || raw.over, 'bytes', 2 * WATCHDOG_MS);
      if (raw.buffered === 0) {
        if (alive() && !this.isDone && !this.isLeft && wire.place !== 'end') throw new Error(`the server has ended a stream in its ${wire.place}${raw.error ? ` with ${raw.error.code}` : ''}`);
        return;
      }
      const part = raw.take(Math.min(left, raw.buffered));
      left -= part.length;
      wire.feed(Buffer.from(part));
      if (wire.head && wire.head.status !== 200) {
        if (alive()) throw new Error(`following gave ${wire.head.status}`);
        return;
      }
      for (const event of came.splice(0)) {
        if (event.type === 'crier:gap') await this.#gap(event, isOpen ? null : before);
        else if (event.type === 'crier:connected') await this.#connected(event, before);
        else this.#event(event);
        isOpen = true;
      }
    }
  }
}

// ---- all of it -------------------------------------------------------------------------------------

// cuts: how many at least while it is published. limit: --history-events. restarts: how many, SIGTERM and SIGKILL.
export async function missing(t, random, { cuts = 300, limit = 200, pad = 0, args = [], restarts = 0, selections = [...SINGLE, ...SEVERAL] }) {
  const house = new House(t, { args: ['--public-topics', '--history-events', `${limit}`, ...args] });
  await house.open();
  const source = new Known(house, random, limit, pad);
  const readers = selections.map((selectors) => new Away(source, selectors));
  const count = () => readers.reduce((sum, { found }) => sum + found.cuts, 0);
  // Both answers were right a few times, for one topic and for several.
  const isEnough = () => [true, false].every((isSingle) => ['told', 'exact'].every((name) =>
    readers.reduce((sum, reader) => sum + (reader.isSingle === isSingle ? reader.found[name] : 0), 0) >= 3));
  let failed = null;
  const publishing = async () => {
    while (!failed && (count() < cuts || !isEnough())) {
      const isQuiet = random.chance(0.01);
      await source.next(isQuiet || random.chance(0.5) ? 1 : 1 + random.below(10), isQuiet ? ['quiet'] : TOPICS);
    }
    await source.next(20, [...TOPICS, 'quiet']);
    source.isOver = true;
    source.ring();
    for (const reader of readers) if (reader.isDone) reader.leave();
  };
  const back = async () => {
    const cutsOf = readers.map(({ found }) => found.cuts);
    source.isCalling = true;
    source.ring();
    await source.when(() => failed || readers.every((reader, i) => reader.isDone || reader.found.cuts > cutsOf[i]), 'everybody to come back');
    source.isCalling = false;
  };
  const restarting = async () => {
    for (let i = 1; i <= restarts; i++) {
      const at = Math.floor((cuts * i) / (restarts + 1)) + random.below(10);
      await source.when(() => failed || count() >= at, `cut ${at}`);
      if (failed) return;
      const restart = async () => {
        await (random.chance(0.5) ? house.kill() : house.end());
        await house.open();
      };
      // Mostly all come back before anything is published: what they have missed left in an earlier life.
      await (random.chance(0.8) ? source.still(() => restart().then(back)) : restart());
    }
  };
  const all = [publishing(), restarting(), ...readers.map((reader) => reader.run(() => source.ring()))];
  try {
    await Promise.all(all);
  } catch (error) {
    failed = error;
    source.isFailed = true;
    house.close();
    for (const reader of readers) reader.leave();
    source.ring();
    await Promise.allSettled(all);
    throw error;
  }
  const sums = { events: source.events.length, bytes: source.bytes, lives: house.life, gapsOfOne: 0, exactOfOne: 0, gapsOfSeveral: 0, exactOfSeveral: 0 };
  for (const { found, isSingle } of readers) {
    for (const [name, n] of Object.entries(found)) sums[name] = (sums[name] ?? 0) + n;
    sums[isSingle ? 'gapsOfOne' : 'gapsOfSeveral'] += found.told;
    sums[isSingle ? 'exactOfOne' : 'exactOfSeveral'] += found.exact;
    if (isSingle) assert.equal(found.vain, 0);
  }
  const { gaps } = (await request(house.crier, '/-/stats')).json();
  if (!restarts) assert.ok(gaps >= sums.told + sums.lagged, `${gaps} gaps were counted, ${sums.told + sums.lagged} came`);
  await house.crier.stop();
  return sums;
}

// A quiet topic beside busy ones. ends: after each of them once more.
export async function quiet(t, random, { rounds = 8, limit = 200, args = [], ends = [] }) {
  const house = new House(t, { args: ['--public-topics', '--history-events', `${limit}`, ...args] });
  await house.open();
  const source = new Known(house, random, limit);
  let lastId = '';
  let newest = null;
  const look = async () => {
    const all = (await source.ask('/events/quiet/one?since=earliest')).json();
    for (const query of ['since=latest', 'since=last:1', 'since=last:50', 'since=earliest', '']) {
      const answer = (await source.ask(`/events/quiet/one?${query}`)).json();
      assert.deepEqual(answer, /latest|:1/.test(query) ? all.slice(-1) : all, query);
      assert.deepEqual([answer.at(-1)?.id, answer.at(-1)?.data], [newest.id, newest.data], query);
    }
    for (const selector of ['**', 'quiet/*', 'quiet/**']) {
      const latest = (await source.ask(`/events/${selector}?since=latest`)).json();
      assert.deepEqual(latest.filter(({ topic }) => topic === 'quiet/one').map(({ id }) => id), [newest.id], selector);
    }
    const topic = (await source.ask('/-/topics/quiet/one')).json();
    assert.deepEqual([topic.events, topic.first, topic.last], [all.length, all[0].id, newest.id]);
    const { topics } = (await source.ask('/-/topics?prefix=quiet/')).json();
    assert.deepEqual(topics.map(({ topic: name, events, first, last }) => [name, events, first, last]), [['quiet/one', all.length, all[0].id, newest.id]]);
    // Long out of what the busy ones leave it, it is the only one, kept aside.
    if (source.known - 1 - newest.number > 2 * limit) assert.equal(all.length, 1);
  };
  // Comes back, has what is new (at most one), and is told no gap.
  const resume = async () => {
    const fresh = isAfter(newest.id, lastId) ? [newest.id] : [];
    const stream = await follow(house.crier, lastId ? '/events/quiet/one' : '/events/quiet/one?since=earliest', { headers: lastId ? { 'Last-Event-ID': lastId } : {} });
    await stream.when(() => stream.all.length > fresh.length, 'what is new');
    stream.close();
    assert.deepEqual(stream.gaps, [], `a gap after ${lastId}`);
    assert.deepEqual(stream.events.map(({ id }) => id), fresh);
    lastId = stream.lastId;
  };
  const flood = async (most) => { for (const end = source.known + random.below(most); source.known < end;) await source.next(1 + random.below(50)); };
  const open = async () => {
    const live = await follow(house.crier, '/events/quiet/one', { headers: lastId ? { 'Last-Event-ID': lastId } : {} });
    await live.when(() => live.all.length > 0, 'the opening');
    return live;
  };
  for (const end of [null, ...ends]) {
    if (end) {
      await house[end]();
      await house.open();
      await look();
      await resume();
    }
    for (let i = 0; i < rounds; i++) {
      const live = await open();
      await source.next(1, ['quiet/one']);
      newest = source.events.at(-1);
      await live.when(() => live.lastId === newest.id, 'the quiet event');
      if (random.chance(0.5)) live.close();
      if (random.chance(0.5)) await resume();
      await flood(4 * limit);
      await look();
      await resume();
      assert.deepEqual(live.gaps, []);
      live.close();
    }
  }
  assert.equal((await request(house.crier, '/-/stats')).json().gaps, 0);
  await house.crier.stop();
  return { events: source.events.length, lives: house.life };
}
