// SPDX-License-Identifier: MIT
// The live page as a test sees it: what it shows, and what the browser complained about.

import { until } from '../../integration/lib/wait.mjs';

/** Opens a page and notes every error and every breach of its Content-Security-Policy. */
export async function openPage(browser, url, { width = 1280, height = 800 } = {}) {
  const page = await browser.newPage();
  const complaints = [];
  page.on('console', (message) => {
    if (message.type() === 'error') complaints.push(message.text());
  });
  page.on('pageerror', (error) => complaints.push(String(error)));
  await page.evaluateOnNewDocument(() => {
    globalThis.breaches = [];
    addEventListener('securitypolicyviolation', (breach) => {
      globalThis.breaches.push(`${breach.effectiveDirective} ${breach.blockedURI}`);
    });
  });
  await page.setViewport({ width, height });
  await page.goto(url);
  return new LivePage(page, complaints);
}

/** A connection that a test cut is the browser's to complain about, and no fault of the page. */
const ofTheNetwork = /Failed to load resource|connection to .* was interrupted|can.t establish a connection|Cross-Origin Request Blocked|NS_ERROR_/;

export class LivePage {
  constructor(page, complaints) {
    this.page = page;
    this.complaints = complaints;
  }

  async close() { await this.page.close(); }

  state() { return this.page.$eval('#state', (element) => element.dataset.state); }
  count(name) { return this.page.$eval(`#count-${name}`, (element) => Number(element.textContent.replaceAll(',', ''))); }

  /** What the list shows, oldest first. */
  rows() {
    return this.page.$$eval('#rows > li', (rows) => rows.reverse().map((row) => ({
      kind: row.classList[0],
      id: row.dataset.id,
      reason: row.dataset.reason,
      topic: row.querySelector('.topic')?.textContent,
      type: row.querySelector('.type')?.textContent,
      data: row.querySelector('.data')?.textContent,
      text: row.textContent,
    })));
  }

  async events() { return (await this.rows()).filter((row) => row.kind === 'event'); }

  async untilState(...states) {
    let state;
    await until(async () => states.includes(state = await this.state()),
      () => `the page is ${states.join(' or ')} (it is ${state})`);
    return state;
  }

  /** The row that passes, as soon as there is one. */
  async untilRow(test, what) {
    let found;
    await until(async () => (found = (await this.rows()).find(test)), what);
    return found;
  }

  async fill(values) {
    for (const [id, value] of Object.entries(values)) {
      await this.page.$eval(`#${id}`, (field, text) => { field.value = text; }, value);
    }
  }

  async follow(selectors, state = 'open') {
    await this.fill({ selector: selectors });
    await this.page.click('#follow button[type=submit]');
    await this.untilState(state);
  }

  /** Publishes with the form; what the page then says. */
  async publish(values) {
    await this.page.$eval('#publisher', (details) => { details.open = true; });
    await this.page.$eval('#published', (result) => { delete result.dataset.kind; });
    await this.fill(values);
    await this.page.$eval('#publish button[type=submit]', (button) => button.scrollIntoView());
    await this.page.click('#publish button[type=submit]');
    await until(() => this.page.$eval('#published', (result) => ['good', 'bad'].includes(result.dataset.kind)), 'publishing has an outcome');
    return this.page.$eval('#published', (result) => ({ kind: result.dataset.kind, text: result.textContent }));
  }

  /** Everything the browser complained about that the page is to blame for. */
  async faults({ cut = false } = {}) {
    const breaches = await this.page.evaluate(() => globalThis.breaches);
    return [...breaches, ...this.complaints.filter((text) => !cut || !ofTheNetwork.test(text))];
  }
}
