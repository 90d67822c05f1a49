// SPDX-License-Identifier: MIT
// /-/health, /-/topics, /-/stats.
import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { after, before, test } from 'node:test';
import { publish, request, scopeOf, startCrier } from './lib/crier.mjs';
import { follow } from './lib/sse.mjs';
import { until } from './lib/wait.mjs';

let crier;
const scope = scopeOf(after);
before(async () => { crier = await startCrier(scope); });

const get = async (path) => {
  const answer = await request(crier, path);
  assert.equal(answer.status, 200, answer.text);
  assert.equal(answer.headers['content-type'], 'application/json');
  return answer.json();
};

test('/-/health', async () => {
  assert.deepEqual(await get('/-/health'), { status: 'ok' });
});

test('/-/topics/{topic}: subscribers, events, bytes, first and last id', async (t) => {
  const first = await publish(crier, 'one/topic', 'a');
  const last = await publish(crier, 'one/topic', 'bb');
  const stream = await follow(crier, 'one/topic', { t });
  await stream.opened();
  const one = await until(async () => {
    const topic = await get('/-/topics/one/topic');
    return topic.subscribers === 1 ? topic : null;
  }, 'the subscriber was counted');
  assert.equal(one.topic, 'one/topic');
  assert.equal(one.events, 2);
  assert.ok(one.bytes >= 3);
  assert.equal(one.first, first.id);
  assert.equal(one.last, last.id);
  stream.close();
  await until(async () => (await get('/-/topics/one/topic')).subscribers === 0, 'the subscriber had left');
  const encoded = await publish(crier, 'caf%C3%A9', 'x');
  assert.equal((await get('/-/topics/caf%C3%A9')).last, encoded.id);
});

test('/-/topics/{topic}: a pattern that would cover it names nothing; a follower by name does', async (t) => {
  const pattern = await follow(crier, '/events/none/**', { t });
  await pattern.opened();
  await until(async () => (await get('/-/stats')).streams >= 1, 'the pattern was counted');
  const answer = await request(crier, '/-/topics/none/such');
  assert.equal(answer.status, 404);
  assert.equal(answer.json().code, 'unknown-topic');
  await (await follow(crier, 'none/such', { t })).opened();
  const one = await until(async () => {
    const known = await request(crier, '/-/topics/none/such');
    return known.status === 200 && known.json();
  }, 'the topic was known');
  assert.equal(one.events, 0);
  assert.equal(one.subscribers, 2);
});

test('/-/topics pages through, in order of bytes, by prefix', async () => {
  const names = Array.from({ length: 25 }, (_, i) => `page/${String(i).padStart(2, '0')}`);
  for (const name of names) await publish(crier, name, 'x');
  await publish(crier, 'pagf', 'x');
  const all = await get('/-/topics?prefix=page');
  assert.deepEqual(all.topics.map((topic) => topic.topic), names);
  assert.ok(!('next' in all) || all.next === null);
  const seen = [];
  let path = '/-/topics?prefix=page/&limit=10';
  let pages = 0;
  while (path) {
    const page = await get(path);
    seen.push(...page.topics.map((topic) => topic.topic));
    pages += 1;
    path = page.next ? page.next.startsWith('/') ? page.next : `/-/topics?prefix=page/&limit=10&after=${encodeURIComponent(page.next)}` : null;
  }
  assert.equal(pages, 3);
  assert.deepEqual(seen, names);
  assert.deepEqual((await get('/-/topics?prefix=page/&after=page/22')).topics.map((topic) => topic.topic), ['page/23', 'page/24']);
  for (const bad of ['0', '1001', 'x']) assert.equal((await request(crier, `/-/topics?limit=${bad}`)).status, 400, bad);
});

test('/-/topics is by bytes, not by language', async () => {
  for (const name of ['b%C3%A4', 'bz', 'b%F0%9F%98%80', 'bA']) await publish(crier, `order/${name}`, 'x');
  assert.deepEqual((await get('/-/topics?prefix=order/')).topics.map((topic) => topic.topic), ['order/bA', 'order/bz', 'order/b\u00e4', 'order/b\u{1F600}']);
});

test('/-/stats counts', async (t) => {
  const before = await get('/-/stats');
  const flat = (object, path = '') => Object.entries(object).flatMap(([key, value]) => (value && typeof value === 'object' ? flat(value, `${path}${key}.`) : [[`${path}${key}`, value]]));
  for (const [name, value] of flat(before)) assert.ok(typeof value !== 'number' || value >= 0, name);
  for (const word of ['connections', 'streams', 'lagging', 'published', 'delivered', 'bytes', 'replayed', 'gaps', 'refused']) {
    assert.ok(flat(before).some(([name]) => name.includes(word)) || word in before, `${word} is counted`);
  }
  const stream = await follow(crier, '/events/stat', { t });
  await stream.opened();
  await publish(crier, 'stat', 'x');
  await publish(crier, 'stat', 'y');
  await stream.until(2);
  await request(crier, '/events/a//b');
  const now = await until(async () => {
    const stats = await get('/-/stats');
    return stats.delivered - before.delivered >= 2 ? stats : null;
  }, 'the deliveries were counted');
  assert.equal(now.published - before.published, 2);
  assert.equal(now.streams - before.streams, 1);
  const refused = (stats) => Object.values(stats.refused).reduce((sum, one) => sum + one, 0);
  assert.equal(refused(now) - refused(before), 1);
  assert.equal((now.refused['bad-selector'] ?? 0) - (before.refused['bad-selector'] ?? 0), 1);
});

test('/-/stats counts a gap in the middle of a stream', async (t) => {
  const own = await startCrier(t, { args: ['--history-bytes', '1M'] });
  const stream = await follow(own, 'lag', { t });
  await stream.opened();
  assert.equal((await own.stats()).gaps, 0);
  stream.raw.socket.pause();
  for (let i = 0; i < 40; i++) await publish(own, 'lag', 'x'.repeat(500_000));
  stream.raw.socket.resume();
  await stream.when((s) => s.gaps.length > 0, 'the gap');
  await publish(own, 'lag', 'end');
  await stream.when((s) => s.events.at(-1)?.data === 'end', 'the end');
  assert.equal((await own.stats()).gaps, stream.gaps.length);
  stream.close();
});

test('status answers are never cached', async () => {
  for (const path of ['/-/health', '/-/topics', '/-/stats']) {
    assert.match((await request(crier, path)).headers['cache-control'] ?? '', /no-store/, path);
  }
});

test('a problem page styles itself: its policy names the hash of its one <style>, and nothing else', async () => {
  const answer = await request(crier, '/-/problems/not-found');
  assert.equal(answer.status, 200);
  const styles = [...answer.text.matchAll(/<style>(.*?)<\/style>/gs)].map(([, text]) => text);
  assert.equal(styles.length, 1);
  const hash = createHash('sha256').update(styles[0]).digest('base64');
  const policy = answer.headers['content-security-policy'].split('; ');
  assert.ok(policy.includes("default-src 'none'"));
  assert.deepEqual(policy.filter((one) => one.startsWith('style-src')), [`style-src 'sha256-${hash}'`]);
});
