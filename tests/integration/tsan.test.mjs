// SPDX-License-Identifier: MIT
// The whole hub under ThreadSanitizer: 4 workers, 8 publishers, 200 subscribers, half of them coming and going.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { request, startCrier, tsanBin } from './lib/crier.mjs';
import { folder } from './lib/folder.mjs';
import { Publisher } from './lib/publisher.mjs';
import { randomFrom } from './lib/random.mjs';
import { follow } from './lib/sse.mjs';

async function crowd(t, more, each) {
  const crier = await startCrier(t, { program: tsanBin, workers: 4, args: ['--history-events', '2000', '--public-topics', ...more] });
  const random = randomFrom();
  const publishers = 8;
  const steady = [];
  for (let i = 0; i < 100; i++) {
    const path = ['/events/t/**', '/events/**', '/events?topic=t/1&topic=t/*', '/events/t/*?envelope=1'][i % 4];
    steady.push(await follow(crier, path, { version: i % 7 ? '1.1' : '1.0' }));
  }
  for (const stream of steady) await stream.opened();

  let publishing = publishers;
  async function publishAll(number) {
    const publisher = await Publisher.open(crier);
    for (let i = 0; i < each;) {
      const size = Math.min(1 + random.below(10), each - i);
      await publisher.batch('/events', Array.from({ length: size }, (_, k) => ({ topic: `t/${random.below(20)}`, data: `${number}/${i + k}`, key: `${number}/${i + k}` })));
      i += size;
      if (random.chance(0.02)) await request(crier, `/events/gone/${random.below(5)}`, { method: 'DELETE' });
    }
    publisher.close();
    publishing -= 1;
  }

  let visits = 0;
  async function comeAndGo() {
    let lastId = '';
    while (publishing > 0) {
      const since = ['now', 'last:10', 'earliest', 'latest', '1s'][random.below(5)];
      const stream = await follow(crier, `/events/t/${random.chance(0.5) ? random.below(20) : '**'}?since=${since}`,
        { headers: lastId && random.chance(0.5) ? { 'Last-Event-ID': lastId } : {} });
      await stream.opened();
      const wanted = random.below(20);
      await Promise.race([stream.when((s) => publishing === 0 || s.events.length >= wanted, 'some events').catch(() => {}),
        new Promise((resolve) => setTimeout(resolve, 500))]);
      if (stream.lastId) lastId = stream.lastId;
      if (random.chance(0.5)) stream.close();
      else stream.raw.reset();
      visits += 1;
      if (random.chance(0.1)) await request(crier, '/-/stats');
      if (random.chance(0.1)) await request(crier, '/-/topics?limit=10');
    }
  }

  await Promise.all([...Array.from({ length: publishers }, (_, i) => publishAll(i)), ...Array.from({ length: 100 }, comeAndGo)]);
  const total = publishers * each;
  for (const stream of steady) await stream.until(total);
  for (const stream of steady) {
    assert.equal(stream.events.length, total);
    assert.deepEqual(stream.gaps, []);
    const ids = stream.events.map((event) => event.id);
    assert.deepEqual(ids, steady[0].events.map((event) => event.id), 'one order for all');
    assert.equal(new Set(ids).size, total);
  }
  // Each publisher's events are in its order.
  for (let i = 0; i < publishers; i++) {
    const own = steady[0].events.map((event) => event.data.split('/').map(Number)).filter(([number]) => number === i).map(([, k]) => k);
    assert.deepEqual(own, Array.from({ length: each }, (_, k) => k));
  }
  console.log(`${visits} visits, ${total} events`);
  for (const stream of steady) stream.close();
  await crier.stop(); // a race that was seen fails here
}

const who = '4 workers, 8 publishers, 200 subscribers, half of them coming and going';
test(`${who}: in memory`, { timeout: 80_000 }, (t) => crowd(t, [], 800));
// Most of what is asked for has to be read: the writer, the reader and the workers meet everywhere.
test(`${who}: on disk`, { timeout: 90_000 }, (t) => crowd(t, ['--data', folder(t), '--memory-bytes', '1M', '--replay-bytes', '1M', '--sync', 'interval=20ms'], 400));
