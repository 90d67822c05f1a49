// SPDX-License-Identifier: MIT
// The event-stream parser of libcrier beside another one, npm's eventsource-parser, on random streams made of telling
// pieces and cut at random places: both must tell the same events, retries and comments, in the same order.
//
// What eventsource-parser 3 does otherwise (WHATWG HTML, 9.2.5 and 9.2.6), and what is done about it here:
//
//   - It decodes nothing and would strip "ï»¿" as if it were a BOM. It is given what a TextDecoder makes of the bytes,
//     which strips one BOM, as 9.2.6 wants it; no stream begins with that text.
//   - It holds back a line whose CR ends a chunk until a later chunk has a line end in it, for fear of an LF. 9.2.5: CR
//     alone ends a line. Each stream ends with one more line, so that both have told all by then.
//   - It gives an event the id of its own block only. The last event id of 9.2.6, which outlives its block, is for its
//     users to keep: they could not, as it says nothing of a block that has an id and no data. The test keeps it, and
//     what libcrier says of such blocks is compared by a model of its own ("id" below).
//   - It takes the space off a comment. The standard has no say in comments.
//   - `retry` is a number of any size. libcrier's is the nearest that fits 32 bits.
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { dirname } from 'node:path';
import { test } from 'node:test';
import { createParser } from 'eventsource-parser';
import { bin } from './lib/crier.mjs';
import { randomFrom } from './lib/random.mjs';

const program = `${dirname(bin)}/../../tests/programs/parse`;
const STREAMS = 4000;

const pieces = [
  'data', 'data:', 'data: ', 'data:x\n', 'data: x\n\n', 'event', 'event:', 'event: t\n', 'event: message\n', 'id', 'id:',
  'id: 1\n', 'id\n', 'retry: 10\n', 'retry:', 'retry: ', '99999999999', '1', '-1', ':', ': c\n', ' ', '  ', '\t',
  '\n', '\n\n', '\r', '\r\n', '\r\r', '\n\r', '\0', 'DATA: x\n', 'x', 'unknown: y\n', 'é', '€', '\u{1F600}', '\uFEFF', '\u2028',
].map((text) => Buffer.from(text)).concat([[0xff], [0xc3], [0xe2, 0x82], [0xed, 0xa0, 0x80], [0xf0, 0x9f, 0x98], [0xef, 0xbb]]
  .map((bytes) => Buffer.from(bytes)));

// Every other piece is one that makes an event of what came before.
const usual = ['data: x\n', 'data:\r', 'data\r\n', 'id: 2\n', 'event: u\r\n', '\n', '\r', '\r\n', '\n\n'].map((text) => Buffer.from(text));

function randomStream(random) {
  const parts = [];
  for (let n = 1 + random.below(40); n > 0; n--) {
    const from = random.chance(0.5) ? usual : pieces;
    parts.push(from[random.below(from.length)]);
  }
  parts.push(Buffer.from(':\n'));
  return Buffer.concat(parts);
}

function cut(random, stream) {
  const chunks = [], most = [1, 3, 10, stream.length][random.below(4)];
  for (let at = 0; at < stream.length;) {
    const length = 1 + random.below(most);
    chunks.push(stream.subarray(at, at + length));
    at += length;
  }
  return chunks;
}

function frame(length) {
  const head = Buffer.alloc(4);
  head.writeUInt32LE(length);
  return head;
}

// What libcrier makes of the streams: for each the lines of tests/programs/parse.c.
function parsedByCrier(streams) {
  const input = Buffer.concat(streams.flatMap((chunks) =>
    [...chunks.flatMap((chunk) => [frame(chunk.length), chunk]), frame(0xffffffff)]));
  const run = spawnSync(program, { input, maxBuffer: 1 << 28 });
  assert.equal(run.status, 0, `${run.error ?? run.stderr}`);
  const results = [[]];
  for (const line of run.stdout.toString().split('\n').slice(0, -1)) {
    const value = JSON.parse(line);
    if (typeof value === 'string') results.push([]);
    else results.at(-1).push(value);
  }
  return results.slice(0, -1);
}

function parsedByOther(chunks) {
  const told = [];
  const parser = createParser({
    onEvent: ({ id, event, data }) => told.push({ kind: 'event', type: event ?? 'message', data, id }),
    onRetry: (ms) => told.push({ kind: 'retry', ms: Math.min(ms, 0xffffffff) }),
    onComment: (text) => told.push({ kind: 'comment', text }),
  });
  const decoder = new TextDecoder();
  for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }));
  return told;
}

// An item of libcrier as the other one would tell it.
function asOther(item) {
  if (item.kind === 'event') return { kind: 'event', type: item.type, data: item.data, id: item.own ? item.id : undefined };
  if (item.kind === 'comment') return { kind: 'comment', text: item.text.replace(/^ /, '') };
  return item;
}

test('random streams read alike', () => {
  const random = randomFrom();
  const streams = Array.from({ length: STREAMS }, () => cut(random, randomStream(random)));
  const crier = parsedByCrier(streams);
  let events = 0, others = 0;
  assert.equal(crier.length, STREAMS);
  streams.forEach((chunks, i) => {
    const expected = parsedByOther(chunks), text = JSON.stringify(chunks.map((chunk) => chunk.toString('latin1')));
    assert.deepEqual(crier[i].filter((item) => item.kind !== 'id').map(asOther), expected, text);
    events += expected.filter((item) => item.kind === 'event').length;
    others += expected.filter((item) => item.kind !== 'event').length;
  });
  assert.ok(events > STREAMS && others > STREAMS / 2, `${events} events, ${others} others: the streams tell too little`);
});

// 9.2.6: the last event id changes at the end of a block that carries one, with or without data, and stays otherwise.
test('the last event id outlives its block', () => {
  const random = randomFrom();
  const streams = [], expected = [];
  for (let i = 0; i < 500; i++) {
    let last = '';
    const text = [], told = [];
    for (let block = 0; block < 8; block++) {
      const id = [null, null, '', `${random.below(1000)}`, 'a\0b'][random.below(5)], data = random.below(2) === 1;
      if (id !== null) text.push(`id: ${id}\n`);
      if (data) text.push('data: x\n');
      text.push('\n');
      if (id !== null && id !== 'a\0b') last = id;
      if (data) told.push({ kind: 'event', id: last });
      else if (id !== null && id !== 'a\0b') told.push({ kind: 'id', id: last });
    }
    streams.push(cut(random, Buffer.from(text.join(''))));
    expected.push(told);
  }
  assert.deepEqual(parsedByCrier(streams).map((items) => items.map(({ kind, id }) => ({ kind, id }))), expected);
});

// Before CR is followed by anything: libcrier does not hold the event back.
test('an event ended by CR is told at once', () => {
  const chunks = [Buffer.from('data: x\r'), Buffer.from('\r')];
  assert.deepEqual(parsedByOther(chunks), []);
  assert.deepEqual(parsedByCrier([chunks])[0].map(asOther), [{ kind: 'event', type: 'message', data: 'x', id: undefined }]);
});
