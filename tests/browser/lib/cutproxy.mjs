// SPDX-License-Identifier: MIT
//
// A TCP proxy between a browser and a hub that cuts connections as bad networks do.
//
//     browser ──▶ port (stays the same) ──▶ target (may change: a restarted hub)
//
// cut() resets what is open. cutAfter(n) lets every new connection carry n bytes from the hub and
// then resets it, wherever that falls: in the middle of a line, a chunk, a head. refuse() closes the
// listening socket, so that the next connection is refused; accept() opens it again. answer(text) gives
// every new connection this answer, as a reverse proxy does whose hub is away; answer(null) ends that.

import { connect, createServer } from 'node:net';
import { once } from 'node:events';

export class CutProxy {
  cuts = 0;
  #target;
  #budget = Infinity;
  #answer = null;
  #pairs = new Set();
  #server = null;
  #port = 0;

  static async start(t, targetPort) {
    const proxy = new CutProxy();
    proxy.#target = targetPort;
    await proxy.accept();
    t?.after?.(() => proxy.close());
    return proxy;
  }

  get port() { return this.#port; }
  get url() { return `http://localhost:${this.#port}`; }
  set target(port) { this.#target = port; }

  cutAfter(bytes) { this.#budget = bytes; }
  answer(text) { this.#answer = text; }

  cut() {
    for (const pair of [...this.#pairs]) this.#end(pair);
  }

  async accept() {
    this.#server = createServer((browser) => this.#join(browser));
    this.#server.listen(this.#port, '127.0.0.1');
    await once(this.#server, 'listening');
    this.#port = this.#server.address().port;
  }

  async refuse() {
    const closed = once(this.#server, 'close');
    this.#server.close();
    this.cut();
    await closed;
  }

  async close() {
    if (this.#server.listening) await this.refuse();
    else this.cut();
  }

  #join(browser) {
    if (this.#answer !== null) {
      browser.on('error', () => {});
      browser.once('data', () => browser.end(this.#answer));
      return;
    }
    const hub = connect(this.#target, '127.0.0.1');
    const pair = { browser, hub, left: this.#budget };
    this.#pairs.add(pair);
    browser.on('data', (bytes) => hub.write(bytes));
    hub.on('data', (bytes) => {
      const passed = bytes.subarray(0, pair.left);
      pair.left -= passed.length;
      if (pair.left > 0) browser.write(passed);
      else browser.write(passed, () => this.#end(pair));
    });
    for (const [from, to] of [[browser, hub], [hub, browser]]) {
      from.on('end', () => to.end());
      from.on('error', () => this.#end(pair));
      from.on('close', () => {
        if (browser.destroyed && hub.destroyed) this.#pairs.delete(pair);
      });
    }
  }

  #end(pair) {
    if (!this.#pairs.delete(pair)) return;
    this.cuts += 1;
    pair.hub.destroy();
    if (pair.browser.connecting || pair.browser.destroyed) pair.browser.destroy();
    else pair.browser.resetAndDestroy();
  }
}
