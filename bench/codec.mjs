// SPDX-License-Identifier: MIT
// The codec beside npm's eventsource-parser (of tests/node_modules), in one run, on one core, in CPU time.
//
//     taskset -c 1 node bench/codec.mjs build/bench/codec
//
// Events of 100 bytes and of 10,000; chunks of 64 KiB. eventsource-parser parses text: "text" is its own speed, "bytes" with
// the decoding that every reader of a socket needs before it. Five rounds in turn; the medians, and their ratio.
import { spawnSync } from 'node:child_process';
import { createRequire } from 'node:module';

const { createParser } = createRequire(new URL('../tests/', import.meta.url))('eventsource-parser');
const [binary] = process.argv.slice(2);
const ROUNDS = 5, CHUNK = 65536, STREAM = 16 << 20;

const median = (values) => values.sort((a, b) => a - b)[values.length >> 1];

function streamOf(size) {
  const head = 'event: tick\nid: 1769860800000-1230000\ndata: ';
  const event = `${head}${'x'.repeat(size - head.length - 2)}\n\n`;
  const stream = Buffer.from(event.repeat(Math.floor(STREAM / size)));
  const chunks = [];
  for (let at = 0; at < stream.length; at += CHUNK) chunks.push(stream.subarray(at, at + CHUNK));
  return { stream, chunks, texts: chunks.map((chunk) => chunk.toString('latin1')) };
}

function seconds(usage) {
  return (usage.user + usage.system) / 1e6;
}

function speed(stream, feedAll) {
  let events = 0, bytes = 0;
  const parser = createParser({ onEvent: () => { events++; } });
  const start = process.cpuUsage();
  do {
    feedAll(parser);
    bytes += stream.length;
  } while (seconds(process.cpuUsage(start)) < 1);
  const took = seconds(process.cpuUsage(start));
  return { events: events / took, bytes: bytes / took };
}

function crier(size) {
  const run = spawnSync(binary, [`${size}`], { encoding: 'utf8' });
  if (run.status !== 0) throw new Error(`${binary}: ${run.error ?? run.stderr}`);
  return JSON.parse(run.stdout);
}

for (const size of [100, 10000]) {
  const { stream, chunks, texts } = streamOf(size);
  const rows = { 'crier encode': [], 'crier parse': [], 'eventsource-parser bytes': [], 'eventsource-parser text': [] };
  for (let round = 0; round < ROUNDS; round++) {
    const { encode, parse } = crier(size);
    rows['crier encode'].push(encode);
    rows['crier parse'].push(parse);
    rows['eventsource-parser bytes'].push(speed(stream, (parser) => {
      const decoder = new TextDecoder();
      for (const chunk of chunks) parser.feed(decoder.decode(chunk, { stream: true }));
    }));
    rows['eventsource-parser text'].push(speed(stream, (parser) => { for (const text of texts) parser.feed(text); }));
  }
  const ours = median(rows['crier parse'].map((row) => row.events));
  console.log(`events of ${size} bytes`);
  for (const [name, measured] of Object.entries(rows)) {
    const events = median(measured.map((row) => row.events)), bytes = median(measured.map((row) => row.bytes));
    const ratio = name === 'crier encode' || name === 'crier parse' ? '' : `   crier parse is ${(ours / events).toFixed(1)} x`;
    console.log(`  ${name.padEnd(26)}${(events / 1e6).toFixed(3).padStart(9)} M events/s ${(bytes / 1e6).toFixed(0).padStart(7)} MB/s${ratio}`);
  }
}
