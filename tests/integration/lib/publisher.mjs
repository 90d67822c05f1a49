// SPDX-License-Identifier: MIT
// Publishes many events over one kept-alive connection, a batch a request.
import { Raw, requestBytes } from './raw.mjs';

export class Publisher {
  static async open(target) {
    const publisher = new Publisher();
    publisher.raw = await Raw.connect(target);
    return publisher;
  }

  // lines: objects of an NDJSON batch. The answer's body.
  async batch(path, lines) {
    this.raw.send(requestBytes('POST', path, { 'Content-Type': 'application/x-ndjson' },
      lines.map((line) => JSON.stringify(line)).join('\n')));
    const answer = await this.raw.response();
    if (answer?.status !== 201) throw new Error(`publishing gave ${answer?.status}: ${answer?.text}`);
    return answer.json();
  }

  async one(path, data) {
    this.raw.send(requestBytes('POST', path, {}, data));
    const answer = await this.raw.response();
    if (answer?.status !== 201) throw new Error(`publishing gave ${answer?.status}: ${answer?.text}`);
    return answer.json().id;
  }

  close() { this.raw.destroy(); }
}
