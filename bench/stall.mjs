// SPDX-License-Identifier: MIT
// Readers that never read: what they cost the server in user memory, over what the history limit allows, and what they
// get when they read again.
//
//     node bench/stall.mjs CRIER [EVENT_BYTES]      (1000)
//
// Three servers in turn, each with 100 MB published to the topic in question: no stalled reader, one, and 1,000 on 1,000 different
// selections (each follows that topic and one of its own). A healthy stream must get everything.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import http from 'node:http';

const [binary, eventBytes = '1000'] = process.argv.slice(2);
const TOTAL = 100e6;
const size = Number(eventBytes);
const count = Math.floor(TOTAL / size);

function listening(server) {
  return new Promise((resolve) => {
    let log = '';
    server.stderr.on('data', (d) => {
      log += d;
      const m = /event=listening address=\S+:(\d+)/.exec(log);
      if (m) resolve(Number(m[1]));
    });
  });
}

const anonymous = (pid) => Number(/^Anonymous:\s+(\d+) kB/m.exec(readFileSync(`/proc/${pid}/smaps_rollup`, 'utf8'))[1]) * 1024;

function stream(port, target) {
  return new Promise((resolve, reject) => {
    const s = net.connect(port, '127.0.0.1');
    s.ids = [];
    s.gaps = 0;
    s.rest = '';
    s.take = (d) => {
      const lines = (s.rest + d.toString('latin1')).split('\n');
      s.rest = lines.pop();
      for (const l of lines) {
        if (l.startsWith('id: ')) s.ids.push(l);
        else if (l === 'event: crier:gap') s.gaps++;
      }
    };
    s.once('data', (d) => { s.take(d); resolve(s); });
    s.on('error', reject);
    s.write(`GET ${target} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`);
  });
}

function publish(port, agent, lines) {
  return new Promise((resolve, reject) => {
    const r = http.request({ port, host: '127.0.0.1', agent, path: '/events/load', method: 'POST',
      headers: { Host: 'localhost', 'Content-Type': 'application/x-ndjson' } }, (res) => {
      let body = '';
      res.on('data', (d) => { body += d; }).on('end', () => (res.statusCode === 201 ? resolve() : reject(new Error(body))));
    });
    r.on('error', reject);
    r.end(lines);
  });
}

async function run(stalled) {
  const server = spawn(binary, ['serve', '--workers', '1', '--listen', '127.0.0.1:0', '--max-connections-per-address', '100000',
    '--history-bytes', '16M', '--stall-timeout', '1h'], { stdio: ['ignore', 'ignore', 'pipe'] });
  const port = await listening(server);
  const healthy = await stream(port, '/events/load');
  healthy.on('data', healthy.take);
  const readers = [];
  for (let i = 0; i < stalled; i++) {
    const s = await stream(port, stalled > 1 ? `/events?topic=load&topic=own/${i}` : '/events/load');
    s.pause();
    readers.push(s);
  }
  const before = anonymous(server.pid);
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  const lines = `${JSON.stringify({ data: 'x'.repeat(size) })}\n`.repeat(Math.max(1, Math.floor(1e6 / size)));
  const perBatch = lines.split('\n').length - 1;
  let published = 0, peak = 0;
  for (; published < count; published += perBatch) {
    await publish(port, agent, lines);
    peak = Math.max(peak, anonymous(server.pid));
  }
  while (healthy.ids.length < published + 1) await new Promise((r) => setTimeout(r, 50)); // and crier:connected
  const after = anonymous(server.pid);
  const last = healthy.ids.at(-1);
  let complete = 0;
  for (const s of readers.slice(0, 20)) {
    s.on('data', s.take);
    s.resume();
    while (s.ids.at(-1) !== last && !s.destroyed) await new Promise((r) => setTimeout(r, 20));
    complete += s.ids.at(-1) === last && new Set(s.ids).size === s.ids.length ? 1 : 0;
  }
  console.log(`${stalled} stalled: before ${(before / 1e6).toFixed(1)} MB, peak ${(peak / 1e6).toFixed(1)} MB, after ${(after / 1e6).toFixed(1)} MB;` +
    ` healthy stream got ${healthy.ids.length - 1} of ${published}` +
    (stalled ? `; ${complete} of ${Math.min(20, stalled)} read on to the newest, gaps told ${readers.slice(0, 20).reduce((n, s) => n + s.gaps, 0)}` : ''));
  agent.destroy();
  server.kill('SIGKILL');
  for (const s of [...readers, healthy]) s.destroy();
  return after - before;
}

const none = await run(0);
const one = await run(1);
const thousand = await run(1000);
console.log(`growth over no stalled reader: one ${((one - none) / 1e6).toFixed(2)} MB, a thousand ${((thousand - none) / 1e6).toFixed(2)} MB`);
process.exit(0);
