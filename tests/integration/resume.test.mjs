// SPDX-License-Identifier: MIT
// No event is lost and none comes twice: across cut connections, and for streams that come and go.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { request, startCrier } from './lib/crier.mjs';
import { Publisher } from './lib/publisher.mjs';
import { randomFrom } from './lib/random.mjs';
import { follow } from './lib/sse.mjs';
import { within } from './lib/wait.mjs';

test('a subscriber killed and resumed 100 times while 50,000 events are published has each once, in order', { timeout: 170_000 }, async (t) => {
  const crier = await startCrier(t);
  const random = randomFrom();
  const total = 50_000;
  const kills = 100;
  const got = [];
  let lastId = '';
  let published = 0;
  let killed = 0;
  let goal = 0; // the reader waits for so many

  async function publishAll() {
    const publisher = await Publisher.open(crier);
    while (published < total) {
      const size = Math.min(1 + random.below(200), total - published);
      // Not faster than the kills are spread: the last tenth waits until all have happened.
      while (killed < kills && published >= goal && published >= ((killed + 2) / kills) * total * 0.9) await new Promise((r) => setImmediate(r));
      await publisher.batch('/events/resume', Array.from({ length: size }, (_, i) => ({ data: `${published + i}` })));
      published += size;
    }
    publisher.close();
  }

  async function readAll() {
    while (got.length < total) {
      const stream = await follow(crier, 'resume', { headers: lastId ? { 'Last-Event-ID': lastId } : {} });
      if (killed < kills) {
        // Somewhere: before the first event (not even the opening has come), or after some more of them.
        const wanted = random.chance(0.2) ? 0 : 1 + random.below(1000);
        goal = got.length + wanted;
        if (killed === 0) await stream.opened(); // a cursor, before there is any event
        else if (wanted) await Promise.race([stream.until(wanted), stream.when(() => published >= total, 'the end of publishing').catch(() => {})]);
        killed += 1;
      } else {
        await stream.when((s) => got.length + s.events.length >= total, 'the rest', 120_000);
      }
      stream.raw.reset();
      assert.deepEqual(stream.gaps, [], 'no gap: history holds it all');
      for (const event of stream.events) got.push(Number(event.data));
      if (stream.lastId) lastId = stream.lastId;
    }
  }

  const first = await follow(crier, 'resume');
  await first.opened();
  lastId = first.lastId;
  first.close();
  await Promise.all([publishAll(), readAll()]);
  assert.equal(killed, kills);
  assert.equal(got.length, total);
  for (let i = 0; i < total; i++) if (got[i] !== i) assert.fail(`event ${i} came as ${got[i]}`);
});

test('10,000 streams join and leave while events are broadcast: each gets exactly what was published while it was there', { timeout: 170_000 }, async (t) => {
  const crier = await startCrier(t);
  const random = randomFrom();
  const total = 10_000;
  const atOnce = 200;
  let published = 0;
  let stop = false;

  async function publishOn() {
    const publisher = await Publisher.open(crier);
    while (!stop) {
      const size = 1 + random.below(4);
      const before = published;
      await publisher.batch('/events/coming', Array.from({ length: size }, (_, i) => ({ data: `${before + i}` })));
      published += size;
      await new Promise((r) => setImmediate(r));
    }
    publisher.close();
  }

  let begun = 0;
  let checked = 0;
  let events = 0;
  async function comeAndGo() {
    while (begun < total) {
      begun += 1;
      const stream = await follow(crier, random.chance(0.5) ? 'coming' : '/events?topic=coming&topic=other', { version: random.chance(0.1) ? '1.0' : '1.1' });
      await stream.opened();
      const wanted = random.below(6);
      if (wanted) await stream.until(wanted);
      stream.close();
      const seen = stream.events.map((event) => Number(event.data));
      // From the first it saw to the last: all of them, once, in order; and it starts at its position.
      for (let i = 1; i < seen.length; i++) assert.equal(seen[i], seen[i - 1] + 1);
      if (seen.length && checked % 20 === 0) {
        const list = await request(crier, `/events/coming?limit=1&since=${stream.connected.id}`, { headers: { accept: 'application/json' } });
        assert.equal(Number(list.json()[0].data), seen[0], 'the first after its position');
      }
      checked += 1;
      events += seen.length;
    }
  }
  const publishing = publishOn();
  const visitors = Array.from({ length: atOnce }, comeAndGo);
  try {
    await within(Promise.all(visitors), () => `${total} visits (${checked} so far)`, 160_000);
  } finally {
    stop = true;
    await publishing;
  }
  assert.equal(checked, total);
  console.log(`${total} streams saw ${events} deliveries of ${published} events`);
});
