// SPDX-License-Identifier: MIT
// Peers that are gone without a word: one that stops reading, one whose network vanishes.
import assert from 'node:assert/strict';
import { execFileSync, spawn } from 'node:child_process';
import { test } from 'node:test';
import { publish, request, startCrier } from './lib/crier.mjs';
import { Raw, requestBytes } from './lib/raw.mjs';
import { follow } from './lib/sse.mjs';
import { until } from './lib/wait.mjs';

test('a reader that takes nothing while data is waiting is closed after --stall-timeout', async (t) => {
  const crier = await startCrier(t, { args: ['--stall-timeout', '1s'] });
  const raw = await Raw.connect(crier);
  t.after(() => raw.destroy());
  raw.send(requestBytes('GET', '/events/stall', { Accept: 'text/event-stream' }));
  await raw.readHead();
  raw.socket.pause();
  const healthy = await follow(crier, 'stall', { t });
  await healthy.opened();
  const data = 'x'.repeat(500_000);
  const count = 40;
  for (let i = 0; i < count; i++) await publish(crier, 'stall', data);
  await healthy.until(count);
  await until(async () => (await crier.stats()).streams === 1, 'the stalled stream was closed');
  assert.equal(healthy.broken, null);
  await publish(crier, 'stall', 'still here');
  await healthy.until(count + 1);
});

test('a reset is noticed at once', async (t) => {
  const crier = await startCrier(t);
  const stream = await follow(crier, 'reset');
  await stream.opened();
  await until(async () => (await crier.stats()).streams === 1, 'the stream was counted');
  stream.raw.reset();
  await until(async () => (await crier.stats()).streams === 0, 'the stream was gone');
});

// A peer in a network of its own, whose cable is then pulled: no FIN, no RST, ever.
const name = `crier${process.pid}`;
const near = `c${process.pid}a`;
const far = `c${process.pid}b`;
const sh = (...command) => execFileSync(command[0], command.slice(1), { stdio: 'pipe' });
let network = false;
try {
  sh('ip', 'netns', 'add', name);
  sh('ip', 'link', 'add', near, 'type', 'veth', 'peer', 'name', far);
  sh('ip', 'link', 'set', far, 'netns', name);
  sh('ip', 'addr', 'add', '198.18.77.1/30', 'dev', near);
  sh('ip', 'link', 'set', near, 'up');
  sh('ip', 'netns', 'exec', name, 'ip', 'addr', 'add', '198.18.77.2/30', 'dev', far);
  sh('ip', 'netns', 'exec', name, 'ip', 'link', 'set', far, 'up');
  network = true;
} catch {
  try { sh('ip', 'netns', 'del', name); } catch { /* it was never made */ }
}

test('a peer that vanishes without FIN is closed, on a quiet stream too',
  { skip: network ? false : 'making a network needs root' }, async (t) => {
    t.after(() => {
      try { sh('ip', 'link', 'del', near); } catch { /* gone with its peer */ }
      sh('ip', 'netns', 'del', name);
    });
    const crier = await startCrier(t, { listens: ['198.18.77.1:0', '127.0.0.1:0'],
      args: ['--anonymous-publish', '--peer-timeout', '2s', '--heartbeat', '1s', '--stall-timeout', '30s'] });
    const port = crier.addresses.find((address) => address.startsWith('198')).split(':')[1];
    const local = Number(crier.addresses.find((address) => address.startsWith('127')).split(':')[1]);
    const peer = spawn('ip', ['netns', 'exec', name, 'curl', '-sN', `http://198.18.77.1:${port}/events/quiet`], { stdio: ['ignore', 'pipe', 'ignore'] });
    t.after(() => peer.kill('SIGKILL'));
    await new Promise((resolve) => peer.stdout.once('data', resolve));
    const streams = async () => (await request(local, '/-/stats')).json().streams;
    await until(async () => (await streams()) === 1, 'the stream was there');
    sh('ip', 'netns', 'exec', name, 'ip', 'link', 'set', far, 'down');
    await until(async () => (await streams()) === 0, 'the vanished peer was closed');
  });
