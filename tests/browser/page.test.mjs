// SPDX-License-Identifier: MIT
// The live page in real browsers: it follows, publishes, survives what networks and restarts do, and
// stays inside its own Content-Security-Policy.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { held, publish, request, startCrier } from '../integration/lib/crier.mjs';
import { until } from '../integration/lib/wait.mjs';
import { browsers } from './lib/browsers.mjs';
import { CutProxy } from './lib/cutproxy.mjs';
import { openPage } from './lib/livepage.mjs';

const LIMIT = { timeout: 120_000 };

for (const { name, skip, launch } of browsers) {
  describe(`live page in ${name}`, { skip, concurrency: false }, () => {
    let session;
    const open = async (t, url, options) => {
      const page = await openPage(session.browser, url, options);
      t.after(() => page.close());
      return page;
    };

    before(async () => { session = await launch(); });
    after(() => session?.close());

    test('shows events as they come, with id, type, topic and data, and is free of faults', LIMIT, async (t) => {
      const hub = await startCrier(t);
      const { id: early } = await publish(hub, 'news/de', 'published before the page was opened');
      const page = await open(t, `http://localhost:${hub.port}/events/news/**`);
      await page.untilState('open');
      await page.untilRow((row) => row.id === early, 'history is shown');

      const text = 'line one\nline <b>two</b> & <script>alert(1)</script> ümläut 🎺';
      const { id } = await publish(hub, 'news/en', text, '?event=headline');
      const row = await page.untilRow((r) => r.id === id, 'the event is shown');
      assert.equal(row.topic, 'news/en');
      assert.equal(row.type, 'headline');
      assert.equal(row.data, text);
      assert.equal(await page.page.$$eval('#rows b, #rows script', (found) => found.length), 0, 'data is only text');

      await publish(hub, 'other', 'not followed');
      const { id: last } = await publish(hub, 'news/en', '');
      await page.untilRow((r) => r.id === last, 'the last event is shown');
      assert.deepEqual((await page.events()).map((r) => r.id), [early, id, last]);
      assert.equal(await page.count('events'), 3);
      assert.equal(await page.count('reconnects'), 0);
      assert.deepEqual(await page.faults(), []);
    });

    test('publishes, and says why when it is refused', LIMIT, async (t) => {
      const hub = await startCrier(t);
      const page = await open(t, `http://localhost:${hub.port}/`);
      await page.untilState('open');
      await page.follow('a/*, b');
      assert.equal(new URL(page.page.url()).pathname, '/events');

      const done = await page.publish({ topic: 'a/ü 1', type: 'greeting', data: 'hello\nworld', token: '' });
      assert.equal(done.kind, 'good', done.text);
      const row = await page.untilRow((r) => r.topic === 'a/ü 1', 'the own event is shown');
      assert.equal(row.type, 'greeting');
      assert.equal(row.data, 'hello\nworld');
      assert.ok(done.text.includes(row.id));
      assert.deepEqual(await page.faults(), []);

      const refused = await page.publish({ topic: 'a/*', type: '', data: 'x' });
      assert.equal(refused.kind, 'bad');
      assert.equal((await page.publish({ topic: 'a//b', type: '', data: 'x' })).kind, 'bad');
      assert.equal((await held(hub)).length, 1, 'of a refused publish nothing is kept');
    });

    test('can be used by keyboard alone', LIMIT, async (t) => {
      const hub = await startCrier(t);
      const page = await open(t, `http://localhost:${hub.port}/`);
      await page.untilState('open');
      const { keyboard } = page.page;
      const tabTo = async (id) => {
        for (let i = 0; i < 30; i += 1) {
          await keyboard.press('Tab');
          if (await page.page.evaluate(() => document.activeElement?.id) === id) return;
        }
        assert.fail(`the Tab key never came to #${id}`);
      };
      await tabTo('selector'); // what is in it is selected: typing replaces it
      await keyboard.type('keys/**');
      await keyboard.press('Enter');
      await until(async () => new URL(page.page.url()).pathname === '/events/keys/**', 'the address follows');
      await page.untilState('open');
      await tabTo('topic');
      await keyboard.type('keys/a');
      await tabTo('data');
      await keyboard.type('typed');
      await keyboard.down('Control');
      await keyboard.press('Enter');
      await keyboard.up('Control');
      const row = await page.untilRow((r) => r.data === 'typed', 'the typed event is shown');
      assert.equal(row.topic, 'keys/a');
      await tabTo('pause');
      await keyboard.press('Enter');
      assert.equal(await page.page.$eval('#pause', (button) => button.getAttribute('aria-pressed')), 'true');
      await tabTo('log');
      assert.deepEqual(await page.faults(), []);
    });

    test('publishes with a token, which it does not keep', LIMIT, async (t) => {
      const token = 'a-token-of-16-bytes-or-more';
      const hub = await startCrier(t, { env: { CRIER_PUBLISH_TOKEN: token } });
      const page = await open(t, `http://localhost:${hub.port}/events/news`);
      await page.untilState('open');

      const refused = await page.publish({ topic: 'news', type: '', data: 'x', token: '' });
      assert.equal(refused.kind, 'bad');
      assert.match(refused.text, /token/i);
      assert.ok(await page.page.$eval('#token-part', (details) => details.open), 'the field is shown');
      assert.equal((await page.publish({ topic: 'news', type: '', data: 'x', token: 'another-token-of-16-bytes' })).kind, 'bad');
      assert.equal((await page.publish({ topic: 'news', type: '', data: 'y', token })).kind, 'good');
      await page.untilRow((row) => row.data === 'y', 'the event is shown');

      assert.equal(await page.page.evaluate(() => localStorage.length + sessionStorage.length + document.cookie.length), 0);
    });

    test('says why it may not follow, and stops asking', LIMIT, async (t) => {
      const hub = await startCrier(t);
      const page = await open(t, `http://localhost:${hub.port}/events/a`);
      await page.untilState('open');
      await page.follow('a**', 'failed');
      assert.ok(await page.page.$eval('#problem', (problem) => !problem.hidden && problem.textContent.trim().length > 10));
      assert.ok(await page.page.$eval('#retry', (button) => !button.hidden));
      await page.follow('a/**');
      assert.ok(await page.page.$eval('#problem', (problem) => problem.hidden));
    });

    test('loses nothing and doubles nothing when connections are cut anywhere', LIMIT, async (t) => {
      const hub = await startCrier(t);
      const proxy = await CutProxy.start(t, hub.port);
      const page = await open(t, `${proxy.url}/events/cut/*`);
      await page.untilState('open');

      proxy.cutAfter(9000); // somewhere within an event, every time
      proxy.cut();
      for (let i = 0; i < 200; i += 1) await publish(hub, `cut/${i % 3}`, `event ${i} ${'.'.repeat(i % 50)}`);
      await page.untilRow((row) => row.data?.startsWith('event 199 '), 'the last event is shown');

      const published = await held(hub, 'cut/*');
      assert.equal(published.length, 200);
      assert.deepEqual((await page.events()).map((row) => row.id), published.map((event) => event.id));
      assert.ok(proxy.cuts >= 3, `only ${proxy.cuts} connections were cut`);
      assert.ok(await page.count('reconnects') >= 3);
      assert.equal(await page.count('gaps'), 0);
      assert.deepEqual(await page.faults({ cut: true }), []);
    });

    const away = {
      'connections are refused': {
        begin: (proxy) => proxy.refuse(),
        end: (proxy) => proxy.accept(),
        states: ['waiting', 'reconnecting'], // whether a browser itself tries again is up to it
      },
      'a proxy answered for the hub': {
        begin: (proxy) => {
          proxy.answer('HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\nConnection: close\r\n\r\n');
          proxy.cut();
        },
        end: (proxy) => proxy.answer(null),
        states: ['waiting'], // every browser gives its EventSource up: the page tries on
      },
    };
    for (const [what, { begin, end, states }] of Object.entries(away)) {
      test(`comes back by itself after ${what}, and loses nothing`, LIMIT, async (t) => {
        const hub = await startCrier(t);
        const proxy = await CutProxy.start(t, hub.port);
        const page = await open(t, `${proxy.url}/events/news`);
        await page.untilState('open');
        const { id: first } = await publish(hub, 'news', 'before');
        await page.untilRow((row) => row.id === first, 'the first event is shown');

        await begin(proxy);
        await page.untilState(...states);
        const { id: second } = await publish(hub, 'news', 'while away');
        await end(proxy);
        await page.untilRow((row) => row.id === second, 'the missed event is shown');
        const { id: third } = await publish(hub, 'news', 'after');
        await page.untilRow((row) => row.id === third, 'the next event is shown');
        assert.deepEqual((await page.events()).map((row) => row.id), [first, second, third]);
        assert.equal(await page.count('reconnects'), 1);
        assert.equal(await page.count('gaps'), 0);
        assert.deepEqual(await page.faults({ cut: true }), []);
      });
    }

    test('tells the gap after a restart of the hub, and goes on', LIMIT, async (t) => {
      const before = await startCrier(t);
      const proxy = await CutProxy.start(t, before.port);
      const page = await open(t, `${proxy.url}/events/news`);
      await page.untilState('open');
      const { id: old } = await publish(before, 'news', 'of the first life');
      await page.untilRow((row) => row.id === old, 'the event is shown');

      const next = await startCrier(t);
      const { id: kept } = await publish(next, 'news', 'of the second life');
      proxy.target = next.port;
      await before.stop();
      proxy.cut();

      const gap = await page.untilRow((row) => row.kind === 'gap', 'the gap is told');
      assert.equal(gap.reason, 'unknown');
      assert.ok(gap.text.includes(old), 'what was asked for');
      assert.ok(gap.text.includes(kept), 'and the oldest there is');
      await page.untilRow((row) => row.id === kept, 'what the new hub holds is shown');
      const { id: newest } = await publish(next, 'news', 'live again');
      await page.untilRow((row) => row.id === newest, 'it follows on');
      assert.deepEqual((await page.rows()).filter((row) => row.kind !== 'note').map((row) => row.id ?? row.kind),
        [old, 'gap', kept, newest]);
      assert.equal(await page.count('gaps'), 1);
      assert.deepEqual(await page.faults({ cut: true }), []);
    });

    test('leaves its connection with the page, and resumes when the page comes back', LIMIT, async (t) => {
      const hub = await startCrier(t);
      const page = await open(t, `http://localhost:${hub.port}/events/news`);
      await page.untilState('open');
      const { id: first } = await publish(hub, 'news', 'one');
      await page.untilRow((row) => row.id === first, 'the first event is shown');

      // What the back/forward cache does to a page, without relying on the browser to keep this one.
      await page.page.evaluate(() => dispatchEvent(new PageTransitionEvent('pagehide', { persisted: true })));
      await until(async () => {
        const topics = await (await request(hub, '/-/topics/news')).json();
        return topics.subscribers === 0;
      }, 'the hub has no subscriber');
      const { id: second } = await publish(hub, 'news', 'two');
      await page.page.evaluate(() => dispatchEvent(new PageTransitionEvent('pageshow', { persisted: true })));
      await page.untilRow((row) => row.id === second, 'the missed event is shown');
      assert.deepEqual((await page.events()).map((row) => row.id), [first, second]);
      assert.equal(await page.count('gaps'), 0);
      assert.deepEqual(await page.faults(), []);
    });

    test('holds its list when paused, bounds it, and keeps counting', LIMIT, async (t) => {
      const hub = await startCrier(t);
      const page = await open(t, `http://localhost:${hub.port}/events/many`);
      await page.untilState('open');
      await page.page.click('#pause');
      const lines = Array.from({ length: 700 }, (_, i) => JSON.stringify({ data: `n${i}` }));
      const answer = await request(hub, '/events/many', { body: lines.join('\n'), headers: { 'content-type': 'application/x-ndjson' } });
      assert.equal(answer.status, 201, answer.text);
      await until(async () => await page.count('events') === 700, 'all were counted');
      assert.equal((await page.rows()).length, 0);
      await page.page.click('#pause');
      await page.untilRow((row) => row.data === 'n699', 'the newest is shown');
      const rows = await page.rows();
      assert.equal(rows.length, 500);
      assert.equal(rows[0].data, 'n200');
    });

    test('shows a fresh hub with --demo alive: list, chart and progress', LIMIT, async (t) => {
      const hub = await startCrier(t, { args: ['--demo'] });
      const page = await open(t, `http://localhost:${hub.port}/`);
      await page.untilState('open');
      await page.untilRow((row) => row.topic === 'demo/clock', 'the clock is shown');
      await until(() => page.page.evaluate(() =>
        document.querySelector('.chart .line')?.getAttribute('points').split(' ').length >= 3), 'the chart has points');
      await until(() => page.page.evaluate(() => document.querySelector('progress')?.value > 0), 'the bar moves');
      assert.deepEqual(await page.faults(), []);
    });
  });

  describe(`look of the live page in ${name}`, { skip, concurrency: false }, () => {
    test('a problem page is styled, within its own Content-Security-Policy', LIMIT, async (t) => {
      const looks = await launch({ dark: true });
      t.after(() => looks.close());
      const hub = await startCrier(t);
      const page = await openPage(looks.browser, `http://localhost:${hub.port}/-/problems/not-local`);
      const width = await page.page.evaluate(() => getComputedStyle(document.body).maxWidth);
      assert.equal(width, '640px');
      // Firefox also looks for /favicon.ico, which the policy forbids, and says so.
      assert.deepEqual((await page.faults()).filter((fault) => !fault.includes('favicon.ico')), []);
      await page.close();
    });

    for (const dark of [false, true]) {
      test(`fits phones and desks, ${dark ? 'dark' : 'light'}`, LIMIT, async (t) => {
        const looks = await launch({ dark });
        t.after(() => looks.close());
        const hub = await startCrier(t, { args: ['--demo'] });
        for (const [width, height] of [[390, 844], [1280, 800]]) {
          const page = await openPage(looks.browser, `http://localhost:${hub.port}/`, { width, height });
          await page.untilRow((row) => row.topic === 'demo/price', 'events are shown');
          await publish(hub, 'demo/long', 'unbroken'.repeat(200), `?event=${'long'.repeat(20)}`);
          await page.untilRow((row) => row.topic === 'demo/long', 'the long event is shown');

          const seen = await page.page.evaluate(() => {
            const inside = (selector) => {
              const box = document.querySelector(selector).getBoundingClientRect();
              return box.width > 0 && box.left >= 0 && box.right <= innerWidth + 0.5;
            };
            return {
              width: innerWidth,
              overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
              out: ['.top', '#state', '#selector', '#follow button', '#publisher', '.chart', '#pause', '#clear', '#rows', '#rows > li', '#rows .data']
                .filter((selector) => !inside(selector)),
              below: document.querySelector('#publisher').getBoundingClientRect().top
                >= document.querySelector('.events').getBoundingClientRect().bottom,
              ground: getComputedStyle(document.body).backgroundColor,
            };
          });
          assert.equal(seen.width, width);
          assert.equal(seen.overflow, 0, 'nothing to scroll sideways');
          assert.deepEqual(seen.out, [], 'everything is within the window');
          assert.equal(seen.below, width < 900, 'on a phone the list comes before the publish form');
          const [red] = seen.ground.match(/\d+/).map(Number);
          assert.equal(red < 80, dark, `ground is ${seen.ground}`);
          const picture = await page.page.screenshot();
          assert.ok(picture.length > 10_000, 'something is drawn');
          await page.close();
        }
      });
    }
  });
}
