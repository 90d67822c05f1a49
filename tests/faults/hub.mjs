#!/usr/bin/env node
// SPDX-License-Identifier: MIT
// A tiny durable hub, for the storm and the layer to be tested on: it keeps its promises, or, told so by
// HUB_FAULT, breaks one of them. Only as much of a hub as tests/integration/lib/storm.mjs asks for:
//
//     hub.mjs serve --listen ADDR --data DIR …      hub.mjs journal verify|export --data DIR
//
// The journal is one file of lines; a publish is a line, a sync, an answer.
//     HUB_FAULT=nosync    acknowledges before the sync          =double    knows no keys after a restart
//              =nowrite   acknowledges before the write         =skip      now and then leaves an event out of a replay
//              =lies      goes on after a failed sync           =drops     a full disk cuts subscribers off
import fs from 'node:fs';
import http from 'node:http';
import { join } from 'node:path';

const fault = process.env.HUB_FAULT ?? '';
const [, , command, ...args] = process.argv;
if (args.includes('--help')) {
  console.log('--data DIR');
  process.exit(0);
}
const option = (name) => args[args.indexOf(name) + 1];
const dir = option('--data');
const path = join(dir, 'data.mdb');

// What follows a line that is not whole was never acknowledged: a line is synced before the next is written.
function load() {
  const found = { events: [], size: 0 };
  if (!fs.existsSync(path)) return found;
  for (const line of fs.readFileSync(path, 'utf8').split('\n')) {
    try {
      found.events.push(JSON.parse(line));
    } catch {
      break;
    }
    found.size += Buffer.byteLength(line) + 1;
  }
  return found;
}

if (command === 'journal') {
  if (args[0] === 'export') fs.writeSync(1, load().events.map((event) => `${JSON.stringify(event)}\n`).join(''));
  process.exit(0);
}

fs.mkdirSync(dir, { recursive: true });
let { events, size } = load();
const file = fs.openSync(path, 'a+');
fs.ftruncateSync(file, size);
fs.fsyncSync(file);
const keys = new Map(fault === 'double' ? [] : events.filter(({ key }) => key).map((event) => [event.topic + event.key, event]));
const streams = new Set();
let reason = null; // degraded
let hasFailed = false;
let last = events.length;

const matches = (selector, topic) => {
  const pattern = selector.split('/').map((part) => (part === '**' ? '.+' : part === '*' ? '[^/]+' : part)).join('/');
  return new RegExp(`^${pattern}$`).test(topic);
};
const wire = ({ id, data }) => `id: ${id}\ndata: ${data}\n\n`;

function append(event) {
  const line = Buffer.from(`${JSON.stringify(event)}\n`);
  if (fault === 'nowrite' && Math.random() < 0.5) return;
  try {
    for (let at = 0; at < line.length;) at += fs.writeSync(file, line, at);
  } catch (error) {
    fs.ftruncateSync(file, size);
    throw error;
  }
  if (fault !== 'nosync') {
    try {
      fs.fdatasyncSync(file);
    } catch (error) {
      if (fault !== 'lies') throw error;
      size += line.length; // it believes that the next sync will do
      throw error;
    }
  }
  size += line.length;
}

// What becomes of one event: { event, isDuplicate }; throws { code } when it is refused.
function put(topic, data, key) {
  const before = key && keys.get(topic + key);
  if (before) return { event: before, isDuplicate: true };
  if (hasFailed) throw { code: 'journal-failed' };
  const event = { id: `${1000 + last}-0`, topic, data, key };
  try {
    append(event);
  } catch (error) {
    reason = error.message;
    if (error.code === 'ENOSPC') {
      if (fault === 'drops') for (const stream of streams) stream.answer.destroy();
      throw { code: 'journal-full' };
    }
    hasFailed = fault !== 'lies';
    throw { code: 'outcome-unknown' };
  }
  reason = null;
  last += 1;
  events.push(event);
  if (key) keys.set(topic + key, event);
  for (const stream of streams) if (stream.wants(topic)) stream.answer.write(wire(event));
  return { event, isDuplicate: false };
}

function publish(topic, body, headers, answer) {
  try {
    if (topic) {
      const { event } = put(topic, body, headers['idempotency-key']);
      return answer.writeHead(201).end(JSON.stringify({ id: event.id, topic }));
    }
    const results = body.split('\n').map((line) => JSON.parse(line)).map(({ topic: own, data, key }) => put(own, data, key));
    const duplicates = results.filter(({ isDuplicate }) => isDuplicate).length;
    return answer.writeHead(201).end(JSON.stringify({ published: results.length - duplicates, duplicates, first: results[0].event.id, last: results.at(-1).event.id }));
  } catch ({ code }) {
    answer.writeHead(503, { 'content-type': 'application/problem+json', 'retry-after': '1' });
    return answer.end(JSON.stringify({ code }));
  }
}

function follow(url, request, answer) {
  const selectors = url.searchParams.getAll('topic');
  const wants = (topic) => selectors.some((selector) => matches(selector, topic));
  const after = Number.parseInt(request.headers['last-event-id'] ?? '0', 10);
  const stream = { answer, wants };
  answer.writeHead(200, { 'content-type': 'text/event-stream' });
  answer.write(`event: crier:connected\nid: ${after}-0\ndata: {}\n\n`);
  for (const event of events) {
    if (fault === 'skip' && Math.random() < 0.01) continue;
    if (wants(event.topic) && Number.parseInt(event.id, 10) > after) answer.write(wire(event));
  }
  streams.add(stream);
  answer.on('close', () => streams.delete(stream));
}

const server = http.createServer((request, answer) => {
  const url = new URL(request.url, 'http://hub');
  if (url.pathname === '/-/health') return answer.end(JSON.stringify(reason ? { status: 'degraded', reason } : { status: 'ok' }));
  if (request.method === 'GET') return follow(url, request, answer);
  const parts = [];
  request.on('data', (part) => parts.push(part));
  return request.on('end', () => publish(url.pathname.slice('/events/'.length), Buffer.concat(parts).toString(), request.headers, answer));
});
server.listen(0, '127.0.0.1', () => console.error(`event=listening address=127.0.0.1:${server.address().port}`));
process.on('SIGTERM', () => process.exit(0));
