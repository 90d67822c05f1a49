// SPDX-License-Identifier: MIT
// Readers that never read cost next to nothing and hold nobody up; when they read again, they get all that
// history still holds, after a gap if something is missing. Measured on the release build.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { releaseBin, startCrier } from './lib/crier.mjs';
import { Publisher } from './lib/publisher.mjs';
import { Raw, requestBytes } from './lib/raw.mjs';
import { follow, Parser } from './lib/sse.mjs';
import { until } from './lib/wait.mjs';

const MB = 1024 * 1024;
const EVENT = 'x'.repeat(9_900);
const EVENTS = 10_500; // over 100 MB

const options = { program: releaseBin, workers: 2,
  args: ['--history-bytes', '8M', '--stall-timeout', '10m', '--peer-timeout', '10m', '--max-connections-per-address', '5000'] };

// A stream that is opened, and then never read. Its socket takes little on this side.
async function sleeper(crier, path) {
  const raw = await Raw.connect(crier);
  raw.send(requestBytes('GET', path, { Accept: 'text/event-stream' }));
  await raw.readHead();
  await raw.when((r) => r.buffered > 0, 'the opening');
  raw.socket.pause();
  return raw;
}

// Publishes 100 MB on the topic; the numbers of the events go on from one call to the next. History holds
// some 800 events: the healthy reader is never further behind than half of that, however busy the machine.
async function flood(crier, topicOf, healthy, from = 0) {
  const publisher = await Publisher.open(crier);
  for (let i = from; i < from + EVENTS; i += 50) {
    await healthy.until(Math.max(0, i - 350));
    await publisher.batch('/events', Array.from({ length: 50 }, (_, k) => ({ topic: topicOf(i + k), data: `${i + k} ${EVENT}` })));
  }
  publisher.close();
}

// After the last send: the counter stands still.
async function settled(crier) {
  let last = -1;
  await until(async () => {
    const now = (await crier.stats()).delivered;
    const same = now === last;
    last = now;
    return same;
  }, 'the deliveries stood still');
}

// What a burst needed for a moment goes back to the system a little after it.
async function grownBy(crier, before, most, what) {
  let growth;
  await until(async () => {
    growth = (await crier.memoryBytes()) - before;
    return growth < most;
  }, `${what}: memory grew by less than ${most} bytes`);
  console.log(`${what}: ${(growth / 1024).toFixed()} KiB`);
}

// Floods until history is full and every buffer has its size: from then on growth is the sleepers'. The number of
// events published, and the memory.
async function warmUp(crier, healthy, topicOf) {
  let published = 0;
  let most = 0;
  for (let round = 0; round < 8; round++) {
    await flood(crier, topicOf, healthy, published);
    published += EVENTS;
    await healthy.until(published);
    await settled(crier);
    const now = await crier.memoryBytes();
    if (round >= 3 && now < most + 64 * 1024) return { published, memory: Math.max(now, most) };
    most = Math.max(most, now);
  }
  return { published, memory: most };
}

function checkAll(healthy, count) {
  assert.equal(healthy.events.length, count);
  assert.deepEqual(healthy.gaps, []);
  for (let i = 0; i < count; i++) if (healthy.events[i].number !== i) assert.fail(`event ${i} came as ${healthy.events[i].number}`);
}

// A reader that keeps the numbers of the events, not their data.
async function reader(crier, path, t) {
  const stream = await follow(crier, path, { t });
  await stream.opened();
  const push = stream.events.push.bind(stream.events);
  stream.events.push = (event) => push({ number: parseInt(event.data, 10) });
  stream.all.push = () => 0;
  return stream;
}

test('one reader that never reads: memory grows by less than 1 MB over history, others get everything', { timeout: 170_000 }, async (t) => {
  const crier = await startCrier(t, options);
  const healthy = await reader(crier, '/events/flood', t);
  const { published, memory: before } = await warmUp(crier, healthy, () => 'flood');

  const slow = await sleeper(crier, '/events/flood');
  t.after(() => slow.destroy());
  await flood(crier, () => 'flood', healthy, published);
  const total = published + EVENTS;
  await healthy.until(total);
  await settled(crier);
  await grownBy(crier, before, MB, 'one reader that never reads');
  checkAll(healthy, total);

  // It reads again: in order, each once, a gap where something is missing, up to the newest.
  const seen = [];
  const gapsAt = [];
  const parser = new Parser({ event: (event) => {
    if (event.type === 'crier:gap') gapsAt.push(seen.length);
    else if (event.type === 'message') seen.push(parseInt(event.data, 10));
  } });
  slow.socket.resume();
  while (seen.at(-1) !== total - 1) {
    const chunk = await slow.chunk();
    assert.notEqual(chunk, null, 'the stream goes on');
    parser.feed(chunk);
  }
  assert.ok(gapsAt.length > 0, 'a gap was told: 100 MB do not fit into 8');
  for (let i = 1; i < seen.length; i++) {
    if (gapsAt.includes(i)) assert.ok(seen[i] > seen[i - 1] + 1, 'where it was told, something was missing');
    else assert.equal(seen[i], seen[i - 1] + 1);
  }
  const held = seen.length - gapsAt.at(-1);
  assert.ok(held * EVENT.length > 4 * MB, `it got what history held: ${held} events after the gap`);
});

test('1,000 readers that never read on 1,000 different selections: less than 8 MB', { timeout: 170_000 }, async (t) => {
  const crier = await startCrier(t, options);
  const healthy = await reader(crier, '/events?topic=flood/**&topic=all', t);
  const { published } = await warmUp(crier, healthy, (i) => `flood/${i % 1000}`);
  const sleepers = [];
  t.after(() => sleepers.forEach((raw) => raw.destroy()));
  for (let i = 0; i < 1000; i++) sleepers.push(await sleeper(crier, `/events?topic=flood/${i}&topic=flood/${(i + 1) % 1000}&topic=all`));
  await settled(crier);
  const before = await crier.memoryBytes();
  await flood(crier, (i) => `flood/${i % 1000}`, healthy, published);
  // And to all of them at once.
  await flood(crier, () => 'all', healthy, published + EVENTS);
  const total = published + 2 * EVENTS;
  await healthy.until(total);
  await settled(crier);
  await grownBy(crier, before, 8 * MB, '1,000 readers that never read');
  checkAll(healthy, total);
});
