// SPDX-License-Identifier: MIT
// The programs of examples/, each started and looked at from outside. Their pages: tests/browser.
import assert from 'node:assert/strict';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, test } from 'node:test';
import { request } from './lib/crier.mjs';
import { missing, startExample, watch } from './lib/example.mjs';
import { Raw, requestBytes } from './lib/raw.mjs';
import { Stream } from './lib/sse.mjs';

const programs = ['clock', 'clock++', 'embed', 'hub', 'hub20', 'keep', 'libev', 'libuv', 'progress', 'router', 'shutdown', 'tokens'];
// What its own library or a C++ compiler is needed for; script/setup test installs them where it can.
const optional = new Set(['clock++', 'keep', 'libev', 'libuv']);
const skip = (name) => optional.has(name) && missing(name);

function folder(t) {
  const path = mkdtempSync(join(tmpdir(), 'crier-keep-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

async function page(example, name) {
  const answer = await request(example, '/');
  assert.equal(answer.status, 200, name);
  assert.match(answer.headers['content-type'], /^text\/html/);
  assert.match(answer.text, /^<!doctype html>/);
  const again = await request(example, '/', { headers: { 'if-none-match': answer.headers.etag } });
  assert.equal(again.status, 304);
}

describe('every program', () => {
  for (const name of programs) {
    test(`${name}: a port in use is a sentence and exit 1`, { skip: skip(name) }, async (t) => {
      const first = await startExample(t, 'router');
      const second = await startExample(t, name, name === 'keep' ? [folder(t)] : [], { port: first.port, expectExit: true });
      assert.equal(second.exit.code, 1, second.output);
      assert.match(second.output, new RegExp(`^cannot listen on 127\\.0\\.0\\.1:${first.port}: .*in use$`, 'm'));
    });
  }

  test('a page that is not there is a sentence and exit 1', async (t) => {
    const lost = await startExample(t, 'clock', [], { cwd: tmpdir(), expectExit: true });
    assert.equal(lost.exit.code, 1, lost.output);
    assert.match(lost.output, /clock\.html/);
  });
});

describe('clocks', () => {
  for (const name of ['clock', 'clock++', 'libuv', 'libev']) {
    test(`${name} sends the time, until it is stopped`, { skip: skip(name) }, async (t) => {
      const example = await startExample(t, name);
      const one = await watch(t, example, '/events', { headers: { Origin: 'https://elsewhere.example' } });
      const other = await watch(t, example);
      assert.equal(one.headers['content-type'], 'text/event-stream');
      if (name.startsWith('clock')) {
        assert.equal(one.headers['access-control-allow-origin'], '*');
        await page(example, name);
      }
      await one.until(2);
      await other.until(1);
      const [first, second] = one.events;
      assert.equal(first.type, 'message');
      assert.match(first.data, /^\d{10,}$/);
      assert.ok(Number(second.data) >= Number(first.data), `${second.data} is not before ${first.data}`);
      await example.stop();
      await one.end();
      await other.end();
    });
  }
});

describe('progress', () => {
  test('tells each step, then Done, and ends', async (t) => {
    const example = await startExample(t, 'progress');
    const stream = await watch(t, example);
    assert.equal(stream.headers['x-accel-buffering'], 'no');
    assert.match(stream.headers['cache-control'], /no-transform/);
    await stream.end();
    assert.deepEqual(stream.events.slice(0, -1).map((event) => [event.type, JSON.parse(event.data).percent]),
      [10, 20, 30, 40, 50, 60, 70, 80, 90, 100].map((percent) => ['message', percent]));
    assert.deepEqual([stream.events.at(-1).type, stream.events.at(-1).data], ['status', 'Done']);
    await example.when(() => example.count(/^job ended: finished$/) === 1, 'the job was ended');
    await page(example, 'progress');
  });

  test('a job ends with its client, the others go on', async (t) => {
    const example = await startExample(t, 'progress');
    const gone = await watch(t, example);
    const stays = await watch(t, example);
    await gone.until(1);
    gone.close();
    await example.when(() => example.count(/^job ended: peer$/) === 1, 'the job ended with its client');
    await stays.end();
    assert.equal(stays.events.at(-1).data, 'Done');
  });

  test('stopped in the middle, it ends its jobs', async (t) => {
    const example = await startExample(t, 'progress');
    const stream = await watch(t, example);
    await stream.until(1);
    await example.stop();
    await stream.end();
    assert.equal(example.count(/^job ended: stopped$/), 1, example.output);
  });
});

describe('shutdown', () => {
  for (const signal of ['SIGINT', 'SIGTERM']) {
    test(`${signal}: 200 clients are told, and it exits 0 in time`, async (t) => {
      const example = await startExample(t, 'shutdown');
      // Some never close their own side.
      const streams = await Promise.all(Array.from({ length: 200 }, (_, i) =>
        watch(t, example, '/events', { allowHalfOpen: i % 10 === 0 })));
      await example.when(() => example.count(/^connect: 127\.0\.0\.1, /) === 200, 'all connects were logged');
      assert.match(example.output, /^connect: 127\.0\.0\.1, 200 here$/m);
      await streams[0].until(1);
      assert.equal(streams[0].events[0].data, 'still here');

      const begun = performance.now();
      await example.stop(signal);
      assert.ok(performance.now() - begun < 5_500, 'its five seconds');
      for (const stream of streams) {
        await stream.end();
        assert.deepEqual([stream.events.at(-1).type, stream.events.at(-1).data], ['bye', 'the server is going down']);
      }
      assert.equal(example.count(/^disconnect: stopped, /), 200);
      assert.match(example.output, /^disconnect: stopped, 0 here\nstopped: everybody was told$/m);
    });
  }

  test('who leaves is logged with the reason', async (t) => {
    const example = await startExample(t, 'shutdown');
    const stream = await watch(t, example);
    await stream.opened();
    stream.close();
    await example.when(() => /^connect: 127\.0\.0\.1, 1 here\ndisconnect: peer, 0 here$/m.test(example.output), 'the leaving');
  });
});

describe('keep', { skip: skip('keep') }, () => {
  test('what was published is there after a restart and after a crash', async (t) => {
    const dir = folder(t);
    let example = await startExample(t, 'keep', [dir]);
    assert.match(example.output, /^start 1$/m);
    const published = await request(example, '/events/news', { body: 'before' });
    assert.equal(published.status, 201, published.text);
    await example.stop();

    example = await startExample(t, 'keep', [dir]);
    assert.match(example.output, /^start 2$/m);
    const again = await request(example, '/events/news', { body: 'acknowledged' });
    assert.equal(again.status, 201, again.text);
    example.child.kill('SIGKILL');
    await example.waitExit();

    example = await startExample(t, 'keep', [dir]);
    assert.match(example.output, /^start 3$/m);
    const stream = await watch(t, example, '/events/news?since=earliest');
    await stream.until(2);
    assert.deepEqual(stream.events.map((event) => event.data), ['before', 'acknowledged']);
    stream.close();
    await example.stop();
  });

  test('a folder that another one has is a sentence and exit 1', async (t) => {
    const dir = folder(t);
    await startExample(t, 'keep', [dir]);
    const second = await startExample(t, 'keep', [dir], { expectExit: true });
    assert.equal(second.exit.code, 1, second.output);
    assert.ok(second.output.startsWith('cannot mount a hub at /events: '), second.output);
    assert.ok(second.output.includes(dir), second.output);
  });
});

describe('hub', () => {
  const say = async (example, data, type = 'note') => {
    const answer = await request(example, `/events?event=${type}`, { body: data });
    assert.equal(answer.status, 202, answer.text);
  };
  const notes = (stream) => stream.events.filter((event) => event.type === 'note');

  test('connected first, then named events with id, JSON and retry', async (t) => {
    const example = await startExample(t, 'hub');
    const stream = await watch(t, example);
    await stream.when(() => stream.events.length >= 2, 'the members');
    assert.equal(stream.all[0].type, 'connected');
    assert.deepEqual(JSON.parse(stream.all[0].data), { room: 'lobby' });
    assert.equal(stream.all[0].id, '', 'without an id of its own');
    assert.deepEqual([stream.events[1].type, stream.events[1].data], ['members', '{"members":1}']);

    await say(example, JSON.stringify({ from: 'ann', text: 'two\nlines' }));
    const note = await stream.when(() => notes(stream)[0], 'the note');
    assert.deepEqual(JSON.parse(note.data), { from: 'ann', text: 'two\nlines' });
    assert.match(note.id, /^\d+-\d+$/);
    assert.equal(stream.retries.at(-1), 3000);
    await page(example, 'hub');
  });

  test('subscribers come and go, each broadcast reaches all', async (t) => {
    const example = await startExample(t, 'hub');
    const one = await watch(t, example);
    const two = await watch(t, example);
    await one.when(() => one.events.some((event) => event.data === '{"members":2}'), 'the second has come');
    await say(example, 'for both');
    await one.when(() => notes(one).length === 1, 'one has it');
    await two.when(() => notes(two).length === 1, 'so has two');
    assert.equal(notes(one)[0].id, notes(two)[0].id);
    two.close();
    await one.when(() => one.events.at(-1).data === '{"members":1}', 'the second has left');
  });

  test('who comes back with the last id has missed nothing', async (t) => {
    const example = await startExample(t, 'hub');
    const first = await watch(t, example);
    await say(example, 'one');
    const { id } = await first.when(() => notes(first)[0], 'the first note');
    first.close();
    await say(example, 'two');
    await say(example, 'three');
    const second = await watch(t, example, '/events', { headers: { 'Last-Event-ID': id } });
    await second.when(() => notes(second).length === 2, 'what was missed');
    assert.deepEqual(notes(second).map((event) => event.data), ['two', 'three']);
    assert.deepEqual(second.gaps, []);
  });

  test('a heartbeat keeps a quiet stream', async (t) => {
    const example = await startExample(t, 'hub', [50]);
    const stream = await watch(t, example);
    await stream.when(() => stream.comments >= 3, 'three heartbeats');
  });

  test('a slow client holds up nobody and loses nothing', async (t) => {
    const example = await startExample(t, 'hub');
    const fast = await watch(t, example);
    const raw = await Raw.connect(example, { allowHalfOpen: false });
    t.after(() => raw.destroy());
    raw.send(requestBytes('GET', '/events', { Accept: 'text/event-stream' }));
    const head = await raw.readHead();
    raw.socket.pause();
    const many = 200; // far more than the kernel and the stream's queue hold
    for (let i = 0; i < many; i++) await say(example, `${i} ${'x'.repeat(100_000)}`);
    await fast.when(() => notes(fast).length === many, 'the fast one has all');
    const slow = new Stream(raw, head);
    raw.socket.resume();
    await slow.when(() => notes(slow).length === many, 'the slow one has all');
    assert.deepEqual(notes(slow).map((event) => event.id), notes(fast).map((event) => event.id));
    assert.deepEqual(slow.gaps, []);
  });

  test('what cannot be an event is refused', async (t) => {
    const example = await startExample(t, 'hub');
    const stream = await watch(t, example);
    for (const type of ['a%0Adata:b', 'crier:gap']) {
      const answer = await request(example, `/events?event=${type}`, { body: 'x' });
      assert.equal(answer.status, 400, type);
    }
    assert.equal((await request(example, '/events', { body: Buffer.from([0xff]) })).status, 400);
    await say(example, 'good');
    await stream.when(() => notes(stream).length === 1, 'the good one');
    assert.deepEqual(stream.events.map((event) => event.type).filter((type) => type !== 'members'), ['connected', 'note']);
  });
});

describe('hub20', () => {
  test('publish, replay, patterns and heartbeats over HTTP', async (t) => {
    const example = await startExample(t, 'hub20');
    const stream = await watch(t, example, '/events/**?since=earliest&heartbeat=1');
    await stream.until(1);
    assert.deepEqual([stream.events[0].type, stream.events[0].data], ['headline', '{"text":"we are open"}']);
    const answer = await request(example, '/events/news/local?event=headline', { body: 'hello' });
    assert.equal(answer.status, 201, answer.text);
    await stream.until(2);
    assert.deepEqual(stream.events[1], { type: 'headline', id: answer.json().id, data: 'hello' });
    const replay = await watch(t, example, '/events/**', { headers: { 'Last-Event-ID': stream.events[0].id } });
    await replay.until(1);
    assert.equal(replay.events[0].id, answer.json().id);
    await stream.when(() => stream.comments > 0, 'a heartbeat');
  });

  test('publishing is for this machine only', async (t) => {
    const example = await startExample(t, 'hub20');
    const answer = await request(example, '/events/news', { body: 'x', headers: { 'X-Forwarded-For': '192.0.2.1' } });
    assert.equal(answer.status, 403, answer.text);
  });
});

describe('router', () => {
  test('path parameters, decoded; methods; 405 with Allow, 404', async (t) => {
    const example = await startExample(t, 'router');
    const stream = await watch(t, example, '/rooms/living%20room/events');
    const other = await watch(t, example, '/rooms/kitchen/events');
    const said = await request(example, '/rooms/living%20room', { body: 'hello' });
    assert.deepEqual([said.status, said.text], [201, 'said in living room\n']);
    assert.equal((await request(example, '/rooms/kitchen', { body: 'dinner' })).status, 201);
    assert.equal((await stream.next()).data, 'hello');
    assert.equal((await other.next()).data, 'dinner');

    const wrong = await request(example, '/rooms/kitchen', { method: 'PUT', body: 'x' });
    assert.equal(wrong.status, 405);
    assert.deepEqual(wrong.headers.allow.split(', ').filter((method) => method !== 'OPTIONS').sort(), ['DELETE', 'POST']);
    const read = await request(example, '/rooms/kitchen/events', { body: 'x' });
    assert.equal(read.status, 405);
    assert.deepEqual(read.headers.allow.split(', ').filter((method) => method !== 'OPTIONS').sort(), ['GET', 'HEAD']);
    for (const path of ['/', '/rooms', '/rooms/', '/rooms/a/b/c', '/files', '/files/', '/elsewhere']) {
      assert.equal((await request(example, path)).status, 404, path);
    }
    const rest = await request(example, '/files/a/b%20c/d.txt');
    assert.deepEqual([rest.status, rest.text], [404, 'there is no file a/b c/d.txt\n']);

    const head = await request(example, '/files/x', { method: 'HEAD' });
    assert.deepEqual([head.status, head.text], [404, '']);
  });

  test('what was said is replayed until it is cleared', async (t) => {
    const example = await startExample(t, 'router');
    await request(example, '/rooms/a', { body: 'one' });
    const all = { 'Last-Event-ID': '0-0' };
    const stream = await watch(t, example, '/rooms/a/events', { headers: all });
    assert.equal((await stream.next()).data, 'one');
    assert.equal((await request(example, '/rooms/a', { method: 'DELETE' })).status, 204);
    await request(example, '/rooms/a', { body: 'two' });
    const later = await watch(t, example, '/rooms/a/events', { headers: all });
    assert.equal((await later.next()).data, 'two');
    assert.equal((await stream.next()).data, 'two', 'who follows stays');
  });

  test('a room that cannot be is refused', async (t) => {
    const example = await startExample(t, 'router');
    for (const room of ['*', 'a%2F%2Fb', '%0A', '..%2Fx']) {
      assert.equal((await request(example, `/rooms/${room}`, { body: 'x' })).status, 400, room);
    }
    // Nobody may follow all rooms by naming a pattern.
    for (const room of ['*', '**', 'a%2F%2Fb', '%00']) {
      assert.equal((await request(example, `/rooms/${room}/events`)).status, 400, room);
    }
  });
});

describe('embed', () => {
  test('a foreign loop serves, and does its own work beside it', async (t) => {
    const example = await startExample(t, 'embed');
    const one = await watch(t, example);
    const two = await watch(t, example);
    await one.opened();
    await two.opened();
    example.child.stdin.write('typed by hand\n');
    assert.equal((await one.next()).data, 'typed by hand');
    assert.equal((await two.next()).data, 'typed by hand');
    example.child.stdin.end('the end of it');
    assert.equal((await one.next()).data, 'the end of it');
    const late = await watch(t, example, '/events', { headers: { 'Last-Event-ID': one.events[0].id } });
    assert.equal((await late.next()).data, 'the end of it', 'it serves on after the end of its input');
    await example.stop('SIGINT');
    await one.end();
  });
});

describe('tokens', () => {
  const ask = async (t, example, body, headers = {}) => {
    const raw = await Raw.connect(example, { allowHalfOpen: false });
    t.after(() => raw.destroy());
    raw.send(requestBytes('POST', '/answer', headers, body));
    return new Stream(raw, await raw.readHead(), true);
  };

  test('a POST is answered word by word, and ended by [DONE]', async (t) => {
    const example = await startExample(t, 'tokens');
    const stream = await ask(t, example, 'why?');
    assert.equal(stream.status, 200);
    assert.equal(stream.headers['content-type'], 'text/event-stream');
    await stream.end();
    assert.match(stream.body, /\ndata: \[DONE\]\n\n$/);
    const text = stream.events.slice(0, -1).map((event) => JSON.parse(event.data).choices[0].delta.content);
    assert.equal(text.join(''), 'A stream is a list that is never in a hurry: each word comes when it is ready.');
    assert.ok(text.length > 10, 'in many events');
    assert.deepEqual(stream.retries, [], 'no EventSource, no retry');
    await page(example, 'tokens');
  });

  test('without a question, or by GET, there is no answer', async (t) => {
    const example = await startExample(t, 'tokens');
    assert.equal((await request(example, '/answer', { method: 'POST' })).status, 400);
    const get = await request(example, '/answer');
    assert.equal(get.status, 405);
    assert.match(get.headers.allow, /POST/);
  });

  test('a client that leaves ends the work for it', async (t) => {
    const example = await startExample(t, 'tokens');
    const gone = await ask(t, example, 'why?');
    await gone.until(1);
    gone.close();
    const stays = await ask(t, example, 'and me?');
    await stays.end();
    assert.equal(stays.events.at(-1).data, '[DONE]');
  });
});
