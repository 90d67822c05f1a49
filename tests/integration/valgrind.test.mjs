// SPDX-License-Identifier: MIT
// Each program of examples/ under valgrind: used as a client would, then stopped; no bad access, nothing lost.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { describe, test } from 'node:test';
import { request } from './lib/crier.mjs';
import { missing, plainExamples, startExample, watch } from './lib/example.mjs';
import { Raw, requestBytes } from './lib/raw.mjs';
import { Stream } from './lib/sse.mjs';

const valgrind = process.env.CRIER_VALGRIND ?? '/usr/bin/valgrind';
const UNDER = [valgrind, '--leak-check=full', '--show-leak-kinds=definite,possible', '--errors-for-leak-kinds=definite,possible',
  '--error-exitcode=9', '-q'];
const optional = new Set(['clock++', 'libev', 'libuv']);

// Two streams, one of which leaves; the other one gets the first event.
async function two(example, path = '/events') {
  const gone = await watch(null, example, path);
  await gone.opened();
  gone.close();
  const stream = await watch(null, example, path);
  await stream.until(1);
  return stream;
}

async function ask(example) {
  const raw = await Raw.connect(example, { allowHalfOpen: false });
  raw.send(requestBytes('POST', '/answer', {}, 'why?'));
  return new Stream(raw, await raw.readHead());
}

const uses = {
  clock: two,
  'clock++': two,
  libuv: two,
  libev: two,
  progress: two,
  shutdown: two,
  async hub(example) {
    const stream = await two(example);
    await request(example, '/events?event=note', { body: 'x' });
    await stream.when(() => stream.events.some((event) => event.type === 'note'), 'the note');
    return stream;
  },
  async hub20(example) {
    const stream = await two(example, '/events/news?since=earliest');
    await request(example, '/events/news', { body: 'x' });
    await stream.until(2);
    return stream;
  },
  async router(example) {
    const stream = await watch(null, example, '/rooms/a/events');
    await request(example, '/rooms/a', { body: 'x' });
    await request(example, '/rooms/a', { method: 'PUT', body: 'x' });
    await request(example, '/files/a/b');
    await stream.until(1);
    await request(example, '/rooms/a', { method: 'DELETE' });
    return stream;
  },
  async embed(example) {
    const stream = await watch(null, example, '/events');
    await stream.opened();
    example.child.stdin.end('typed');
    await stream.until(1);
    return stream;
  },
  async tokens(example) {
    const gone = await ask(example);
    await gone.until(1);
    gone.close();
    await request(example, '/');
    return (await ask(example)).end();
  },
};

describe('under valgrind', { skip: existsSync(valgrind) ? false : `${valgrind} is not installed` }, () => {
  for (const [name, use] of Object.entries(uses)) {
    test(`${name} is clean`, { skip: optional.has(name) && missing(name, plainExamples), timeout: 120_000 }, async (t) => {
      const example = await startExample(t, name, [], { folder: plainExamples, under: UNDER });
      const stream = await use(example);
      await example.stop();
      assert.doesNotMatch(example.output, /^==\d+==/m);
      await stream.end();
    });
  }

  test('follow is clean', { timeout: 120_000 }, async (t) => {
    const hub = await startExample(t, 'hub20', [], { folder: plainExamples });
    const url = `${hub.url}/events/news?since=earliest`;
    const follow = await startExample(t, 'follow', [], { folder: plainExamples, under: UNDER, argument: url });
    await follow.when(() => /we are open/.test(follow.output), 'what was published before');
    await request(hub, '/events/news', { body: 'and after' });
    await follow.when(() => /and after/.test(follow.output), 'what was published after');
    await follow.stop();
    assert.doesNotMatch(follow.output, /^==\d+==/m);
  });
});
