// SPDX-License-Identifier: MIT
// One million deliveries: memory does not grow with them. Measured on the release build.
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { releaseBin, startCrier } from './lib/crier.mjs';
import { Publisher } from './lib/publisher.mjs';
import { Raw, requestBytes } from './lib/raw.mjs';
import { follow } from './lib/sse.mjs';
import { until } from './lib/wait.mjs';

test('a million deliveries, streams coming and going, with no growth in memory', { timeout: 170_000 }, async (t) => {
  const crier = await startCrier(t, { program: releaseBin, args: ['--history-events', '1000', '--history-bytes', '1M'] });
  const readers = 100;
  const rounds = 10; // of 100,000 deliveries each
  const publisher = await Publisher.open(crier);
  const memory = [];
  let number = 0;
  for (let round = 0; round < rounds; round++) {
    // Raw sockets that count: what is delivered is checked elsewhere, here it is to be much.
    const sockets = [];
    for (let i = 0; i < readers; i++) {
      const raw = await Raw.connect(crier);
      raw.send(requestBytes('GET', i % 2 ? '/events/soak' : `/events?topic=soak&topic=own/${round}/${i}`, { Accept: 'text/event-stream' }));
      await raw.readHead();
      await raw.chunk();
      raw.count = 0;
      raw.socket.removeAllListeners('data');
      raw.socket.on('data', (bytes) => {
        for (let at = bytes.indexOf('data: '); at >= 0; at = bytes.indexOf('data: ', at + 6)) raw.count += 1;
      });
      sockets.push(raw);
    }
    const checker = await follow(crier, 'soak');
    await checker.opened();
    const before = (await crier.stats()).delivered;
    for (let i = 0; i < 1000; i += 20) {
      await publisher.batch('/events/soak', Array.from({ length: 20 }, () => ({ data: `${number++}`.padEnd(100, '.'), key: `k${number}` })));
    }
    await checker.until(1000);
    await until(async () => (await crier.stats()).delivered - before >= 1000 * (readers + 1), 'all were delivered');
    assert.deepEqual(checker.events.map((event) => parseInt(event.data, 10)), Array.from({ length: 1000 }, (_, i) => round * 1000 + i));
    checker.close();
    for (const raw of sockets) raw.destroy();
    await until(async () => (await crier.stats()).streams === 0, 'all have left');
    memory.push(await crier.memoryBytes());
  }
  publisher.close();
  console.log(`resident, without history's own, after each 100,000 deliveries: ${memory.map((bytes) => `${(bytes / 1024).toFixed()} KiB`).join(', ')}`);
  // What is left behind by each delivery, half a byte even, shows in every round; a buffer that is filled for the first
  // time (each worker has some, and which of them a round needs is chance) shows in one.
  const growth = memory.slice(5).map((bytes, i) => bytes - memory[4 + i]).sort((a, b) => a - b);
  assert.ok(growth[2] < 50_000, `most of the last five rounds of 100,000 deliveries grew by ${growth[2]} bytes or more`);
  assert.ok(memory.at(-1) - memory[4] < 4 * 1024 * 1024, `memory grew by ${memory.at(-1) - memory[4]} bytes over the last 500,000 deliveries`);
});
