// SPDX-License-Identifier: MIT
// A hub on loopback, and a browser on the same machine that visits somebody else's page. That page must
// not publish to the hub, nor read from it, neither directly nor under a host name that its owner points
// at 127.0.0.1 (DNS rebinding). What got through is asked of the hub itself, not of the browser.

import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { once } from 'node:events';
import { after, before, describe, test } from 'node:test';
import { held, publish, request, startCrier } from '../integration/lib/crier.mjs';
import { browsers, foreign } from './lib/browsers.mjs';

const LIMIT = { timeout: 120_000 };

/** The other site: an empty page on every path, from a name that is not of this machine. */
async function startForeignSite(t) {
  const site = createServer((_, answer) => {
    answer.setHeader('content-type', 'text/html');
    answer.end('<!doctype html><link rel="icon" href="data:,"><title>elsewhere</title><p>elsewhere');
  });
  site.listen(0, '127.0.0.1');
  await once(site, 'listening');
  t.after(() => {
    site.closeAllConnections();
    site.close();
  });
  return `http://${foreign}:${site.address().port}/`;
}

/** Every way a page has to send something to another origin. Runs in the page; says how each ended. */
async function attack(hub) {
  const outcomes = {};
  const note = async (name, run) => {
    try {
      outcomes[name] = String(await run());
    } catch (error) {
      outcomes[name] = String(error);
    }
  };
  const at = (name) => `${hub}/events/target?event=${name}`;
  const send = (name, options) => note(name, async () => (await fetch(at(name), { method: 'POST', body: name, ...options })).type);

  await send('cors', {});
  await send('cors-put', { method: 'PUT' });
  await send('cors-delete', { method: 'DELETE', body: undefined });
  await send('cors-json', { headers: { 'content-type': 'application/x-ndjson' }, body: '{"data":"x"}' });
  await send('cors-bearer', { headers: { authorization: 'Bearer 0123456789abcdef' } });
  await send('no-cors', { mode: 'no-cors' });
  await send('no-cors-credentials', { mode: 'no-cors', credentials: 'include' });
  await send('no-cors-no-referrer', { mode: 'no-cors', referrerPolicy: 'no-referrer' });
  await send('keepalive', { mode: 'no-cors', keepalive: true });
  await note('beacon', () => navigator.sendBeacon(at('beacon'), 'beacon'));
  await note('xhr', () => new Promise((resolve) => {
    const xhr = new XMLHttpRequest();
    xhr.onloadend = () => resolve(xhr.status);
    xhr.open('POST', at('xhr'));
    xhr.send('xhr');
  }));
  await note('image', () => new Promise((resolve) => {
    const image = new Image();
    image.onload = image.onerror = (event) => resolve(event.type);
    image.src = at('image');
  }));
  for (const enctype of ['application/x-www-form-urlencoded', 'multipart/form-data', 'text/plain']) {
    await note(`form ${enctype}`, () => new Promise((resolve) => {
      const frame = document.createElement('iframe');
      frame.name = `frame-${enctype}`;
      const form = Object.assign(document.createElement('form'), { action: at('form'), method: 'post', enctype, target: frame.name });
      form.append(Object.assign(document.createElement('input'), { name: 'data', value: 'x' }));
      document.body.append(frame, form);
      let loads = 0;
      frame.onload = () => { loads += 1; resolve(`loaded ${loads}`); };
      form.submit();
      setTimeout(() => resolve('not loaded'), 3000);
    }));
  }
  // Without an Origin of its own: from a sandboxed frame it is "null".
  await note('sandbox', () => new Promise((resolve) => {
    const frame = document.createElement('iframe');
    frame.setAttribute('sandbox', 'allow-scripts');
    frame.srcdoc = `<script>fetch(${JSON.stringify(at('sandbox'))}, { method: 'POST', mode: 'no-cors', body: 'x' })
      .then((r) => parent.postMessage(r.type, '*'), (e) => parent.postMessage(String(e), '*'))</script>`;
    addEventListener('message', (message) => resolve(message.data), { once: true });
    document.body.append(frame);
  }));
  return outcomes;
}

/** Reading: fetch and EventSource. Runs in the page. */
async function read(hub) {
  const outcomes = { fetched: null, streamed: null };
  try {
    const answer = await fetch(`${hub}/events/target`, { headers: { accept: 'application/json' } });
    outcomes.fetched = await answer.text();
  } catch (error) {
    outcomes.refused = String(error);
  }
  outcomes.streamed = await new Promise((resolve) => {
    const source = new EventSource(`${hub}/events/target?since=earliest&envelope=1`);
    source.onopen = source.onmessage = () => { source.close(); resolve(true); };
    source.onerror = () => {
      if (source.readyState === EventSource.CLOSED) resolve(false);
    };
  });
  return outcomes;
}

for (const { name, skip, launch } of browsers) {
  describe(`other origins in ${name}`, { skip, concurrency: false }, () => {
    let session;
    before(async () => { session = await launch(); });
    after(() => session?.close());

    async function visit(t, url) {
      const page = await session.browser.newPage();
      t.after(() => page.close());
      const answer = await page.goto(url);
      return { page, status: answer.status() };
    }

    test('a foreign page publishes nothing', LIMIT, async (t) => {
      const hub = await startCrier(t);
      const { page } = await visit(t, await startForeignSite(t));
      assert.equal(await page.evaluate(() => document.title), 'elsewhere');
      for (const host of ['localhost', '127.0.0.1']) {
        const outcomes = await page.evaluate(attack, `http://${host}:${hub.port}`);
        assert.deepEqual(await held(hub, '**'), [], JSON.stringify(outcomes));
      }
      // The hub lives and would have taken it from here.
      await publish(hub, 'target', 'from the owner');
      assert.equal((await held(hub, 'target')).length, 1);
    });

    test('a foreign page reads nothing', LIMIT, async (t) => {
      const hub = await startCrier(t);
      await publish(hub, 'target', 'secret');
      const { page } = await visit(t, await startForeignSite(t));
      const outcomes = await page.evaluate(read, `http://localhost:${hub.port}`);
      assert.equal(outcomes.fetched, null);
      assert.equal(outcomes.streamed, false);
    });

    test('a foreign page navigates to no publish', LIMIT, async (t) => {
      const hub = await startCrier(t);
      const { page } = await visit(t, await startForeignSite(t));
      // The answer, not the navigation: what a browser makes of a refusal (page, download) is up to it.
      const answered = page.waitForResponse((response) => response.request().method() === 'POST');
      await page.evaluate((action) => {
        const form = Object.assign(document.createElement('form'), { action, method: 'post', enctype: 'text/plain' });
        form.append(Object.assign(document.createElement('input'), { name: 'x', value: 'y' }));
        document.body.append(form);
        form.submit();
      }, `http://localhost:${hub.port}/events/target`);
      assert.equal((await answered).status(), 403);
      assert.deepEqual(await held(hub, '**'), []);
    });

    test('a name rebound to this machine neither reads nor publishes', LIMIT, async (t) => {
      const hub = await startCrier(t);
      await publish(hub, 'target', 'secret');
      const rebound = `http://${foreign}:${hub.port}`;
      // Same origin now, as the browser sees it: only the hub can tell.
      const { page, status } = await visit(t, `${rebound}/-/health`);
      assert.equal(status, 200);
      const outcomes = await page.evaluate(async () => {
        const take = async (path, options) => {
          const answer = await fetch(path, options);
          return [answer.status, await answer.text()];
        };
        return {
          page: await take('/', { headers: { accept: 'text/html' } }),
          history: await take('/events/target', { headers: { accept: 'application/json' } }),
          topics: await take('/-/topics'),
          stats: await take('/-/stats'),
          published: await take('/events/target', { method: 'POST', body: 'rebound' }),
          put: await take('/events/target', { method: 'PUT', body: 'rebound' }),
          deleted: await take('/events/target', { method: 'DELETE' }),
        };
      });
      for (const [what, [answered, text]] of Object.entries(outcomes)) {
        assert.equal(answered, 421, `${what}: ${text}`);
        assert.ok(!text.includes('secret'), what);
      }
      assert.deepEqual((await held(hub, '**')).map((event) => event.data), ['secret']);
      assert.equal((await request(hub, '/-/health')).status, 200);
    });
  });
}
