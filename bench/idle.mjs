// SPDX-License-Identifier: MIT
// User memory of an idle stream: the slope between N and 2N open streams, after one delivery to each.
//
//     node bench/idle.mjs CRIER [N]          (7500; each of the 2N streams needs a descriptor in both processes)
//
// With TOPICS=own each stream follows a topic of its own.
import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import net from 'node:net';
import http from 'node:http';

const [binary, n = '7500'] = process.argv.slice(2);
const half = Number(n);
const own = process.env.TOPICS === 'own';
const server = spawn(binary, ['serve', '--workers', '1', '--listen', '127.0.0.1:0', '--max-connections-per-address', '1000000',
  '--max-connections', '1000000', '--heartbeat', '300s'], { stdio: ['ignore', 'ignore', 'pipe'] });
const port = await new Promise((resolve) => {
  let log = '';
  server.stderr.on('data', (d) => {
    log += d;
    const m = /event=listening address=\S+:(\d+)/.exec(log);
    if (m) resolve(Number(m[1]));
  });
});

const anonymous = () => Number(/^Anonymous:\s+(\d+) kB/m.exec(readFileSync(`/proc/${server.pid}/smaps_rollup`, 'utf8'))[1]) * 1024;
const sockets = [];

function open(i) {
  return new Promise((resolve, reject) => {
    const s = net.connect(port, '127.0.0.1');
    s.seen = 0;
    s.once('data', () => resolve(s));
    s.on('data', (d) => { s.seen += d.includes('data: tick') ? 1 : 0; });
    s.on('error', reject);
    s.write(`GET /events/${own ? `t/${i}` : 'tick'} HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n`);
  });
}

function publish(topic) {
  return new Promise((resolve, reject) => {
    const r = http.request({ port, host: '127.0.0.1', path: `/events/${topic}`, method: 'POST', headers: { Host: 'localhost' } },
      (res) => res.resume().on('end', resolve));
    r.on('error', reject);
    r.end('tick');
  });
}

async function grow(to) {
  while (sockets.length < to) {
    const batch = [];
    for (let i = 0; i < 200 && sockets.length + i < to; i++) batch.push(open(sockets.length + i));
    sockets.push(...await Promise.all(batch));
  }
  const before = sockets.map((s) => s.seen);
  if (own) for (let i = 0; i < to; i++) await publish(`t/${i}`);
  else await publish('tick');
  while (sockets.some((s, i) => s.seen === before[i])) await new Promise((r) => setTimeout(r, 20));
  return anonymous();
}

const a = await grow(half);
const b = await grow(2 * half);
console.log(`${half} streams ${a} B, ${2 * half} streams ${b} B: ${Math.round((b - a) / half)} B a stream` +
  ` (in all ${Math.round(b / (2 * half))} B a stream)${own ? ', a topic of its own each' : ''}`);
server.kill('SIGKILL');
process.exit(0);
