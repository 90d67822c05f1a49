// SPDX-License-Identifier: MIT
// The pages of examples/ in real browsers, each served by its program.

import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { request } from '../integration/lib/crier.mjs';
import { plainExamples, startExample } from '../integration/lib/example.mjs';
import { until } from '../integration/lib/wait.mjs';
import { browsers } from './lib/browsers.mjs';
import { openPage } from './lib/livepage.mjs';

const LIMIT = { timeout: 120_000 };

for (const { name, skip, launch } of browsers) {
  describe(`pages of the examples in ${name}`, { skip, concurrency: false }, () => {
    let session;
    before(async () => { session = await launch(); });
    after(() => session?.close());

    const open = async (t, program) => {
      const example = await startExample(t, program, [], { folder: plainExamples });
      const page = await openPage(session.browser, `${example.url}/`);
      t.after(() => page.close());
      page.example = example;
      page.text = (selector) => page.page.$eval(selector, (element) => element.textContent);
      page.list = () => page.page.$$eval('#list > li', (rows) => rows.map((row) => ({ ...row.dataset, text: row.textContent })));
      return page;
    };

    test('clock: lists what it receives, and comes back', LIMIT, async (t) => {
      const page = await open(t, 'clock');
      await page.untilState('open');
      await until(async () => (await page.list()).length >= 2, 'two rows');
      const rows = await page.list();
      assert.ok(Number(rows[0].data) > Number(rows[1].data), 'the newest is on top');
      assert.match(rows[0].text, /\d+:\d\d:\d\d/);
      assert.deepEqual(await page.faults(), []);

      const { port } = page.example;
      await page.example.stop();
      await page.untilState('connecting', 'closed'); // Firefox gives up where nothing listens
      if (name === 'chromium') {
        await startExample(t, 'clock', [], { folder: plainExamples, port });
        await page.untilState('open');
      }
    });

    test('clock: another origin reads it too', LIMIT, async (t) => {
      const page = await open(t, 'progress');
      const clock = await startExample(t, 'clock', [], { folder: plainExamples });
      const data = await page.page.evaluate((url) => new Promise((resolve, reject) => {
        const source = new EventSource(url);
        source.onmessage = (event) => { source.close(); resolve(event.data); };
        source.onerror = () => reject(new Error(`state ${source.readyState}`));
      }), `${clock.url}/events`);
      assert.match(data, /^\d+$/);
    });

    test('progress: the bar fills, then Done, and it can begin anew', LIMIT, async (t) => {
      const page = await open(t, 'progress');
      for (let round = 1; round <= 2; round += 1) {
        await until(() => page.page.$eval('#bar', (bar) => bar.value > 0 && bar.value < 100), 'it is on its way');
        await page.untilState('closed');
        assert.equal(await page.text('#status'), 'Done');
        assert.equal(await page.page.$eval('#bar', (bar) => bar.value), 100);
        await page.example.when((e) => e.count(/^job ended: /) === round, 'the job was ended');
        await page.page.click('#again');
      }
      assert.deepEqual(await page.faults(), []);
    });

    test('hub: named events with JSON, as text, to everybody', LIMIT, async (t) => {
      const page = await open(t, 'hub');
      await page.untilState('open');
      await until(async () => (await page.list()).some((row) => row.kind === 'connected'), 'connected came');
      const text = '<b>two</b>\nlines & ümläut 🎺';
      await request(page.example, '/events?event=note', { body: JSON.stringify({ from: 'ann', text }) });
      let note;
      await until(async () => (note = (await page.list()).find((row) => row.kind === 'note')), 'the note is shown');
      assert.equal(note.text, `ann${text}`);
      assert.match(note.id, /^\d+-\d+$/);
      assert.equal(await page.page.$$eval('#list b', (found) => found.length), 0, 'data is only text');
      assert.equal(await page.text('#members'), '1');

      await page.page.type('#text', 'from the page');
      await page.page.keyboard.press('Enter');
      await until(async () => (await page.list())[0].text === 'somebodyfrom the page', 'the own note is shown');
      assert.equal(await page.text('#problem'), '');
      assert.deepEqual(await page.faults(), []);
    });

    test('tokens: an answer by fetch, word by word, twice', LIMIT, async (t) => {
      const page = await open(t, 'tokens');
      for (let round = 1; round <= 2; round += 1) {
        await page.page.click('#ask');
        await until(async () => {
          const words = (await page.text('#answer')).split(' ').length;
          return words > 1 && words < 10;
        }, 'the answer has begun');
        await page.untilState('closed');
        assert.equal(await page.text('#answer'), 'A stream is a list that is never in a hurry: each word comes when it is ready.');
      }
      await page.page.$eval('#question', (field) => { field.required = false; field.value = ''; });
      await page.page.click('#ask');
      await until(async () => /question/.test(await page.text('#answer')), 'why it was refused');
      assert.deepEqual((await page.faults()).filter((fault) => !/400/.test(fault)), []);
    });
  });
}
