// SPDX-License-Identifier: MIT
// The durable journal, measured: what a publish that is on disk costs, how fast history comes back from there, what that does
// to live streams and to memory, and how a hub starts with ten million events.
//
//     node bench/durable.mjs BUILD [--quick] [--parts publish,replay,many,memory,retain] [--json FILE] [--folder DIR]
//                            [--journal memory] [--hub-cores 0] [--load-cores 1] [--nice 0]
//
// BUILD is a release build. Every part prints a table; --json writes all numbers. The disk's own rate of fdatasync, measured in
// the same folder right before, stands beside what depends on it. --quick: a minute or less and small numbers, to see that it works.
// --journal memory runs all of it on a hub without --data (there is no restart then): to test this program.
//
// The hub's threads are all pinned to one core and the load (bench/load, C) to another, but for the rows that say otherwise.
// On a machine that is not quiet, --nice=-5 (as root) puts hub and load before others. Not much less: a sync ends in threads of the kernel,
// which have nice 0, and a replay that keeps a core busy would then be what live events wait for.
// Servers listen on loopback and are ended by their pid; the folder is removed.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const USAGE = 'usage: node bench/durable.mjs BUILD [--quick] [--parts publish,replay,many,memory,retain] [--json FILE] [--folder DIR]\n' +
  '                           [--journal memory] [--hub-cores 0] [--load-cores 1] [--nice 0]';
const PARTS = ['publish', 'replay', 'many', 'memory', 'retain'];
let asked;
try {
  asked = parseArgs({ allowPositionals: true, options: {
    quick: { type: 'boolean' }, parts: { type: 'string' }, json: { type: 'string' }, folder: { type: 'string' },
    journal: { type: 'string', default: 'disk' }, 'hub-cores': { type: 'string', default: '0' }, 'load-cores': { type: 'string', default: '1' },
    nice: { type: 'string', default: '0' },
    help: { type: 'boolean' },
  } });
} catch (error) {
  console.error(`${error.message}\n${USAGE}`);
  process.exit(2);
}
const { values: option, positionals } = asked;
const parts = option.parts?.split(',') ?? PARTS;
if (option.help || positionals.length !== 1 || parts.some((part) => !PARTS.includes(part))) {
  console.error(USAGE);
  process.exit(option.help ? 0 : 2);
}
const binary = path.join(positionals[0], 'src/cli/crier');
const loader = path.join(positionals[0], 'bench/load');
for (const file of [binary, loader]) {
  if (!existsSync(file)) {
    console.error(`${file} is not there: build first (meson setup BUILD --buildtype=release; ninja -C BUILD)`);
    process.exit(2);
  }
}
const quick = Boolean(option.quick);
const onDisk = option.journal !== 'memory';
const top = mkdtempSync(path.join(option.folder ?? os.tmpdir(), 'crier-bench-'));
const running = new Set();
process.on('exit', () => {
  for (const child of running) child.kill('SIGKILL');
  rmSync(top, { recursive: true, force: true });
});
for (const signal of ['SIGINT', 'SIGTERM']) process.on(signal, () => process.exit(1));

const results = { when: new Date().toISOString(), quick, journal: onDisk ? 'disk' : 'memory', cores: os.cpus().length, model: os.cpus()[0]?.model };
const number = (value, digits = 0) => value.toLocaleString('en-US', { maximumFractionDigits: digits, minimumFractionDigits: digits });
const mb = (bytes) => `${number(bytes / 1e6, 1)} MB`;
const pause = (ms) => new Promise((resolve) => setTimeout(resolve, ms));
const middle = (list) => [...list].sort((a, b) => a - b)[Math.floor(list.length / 2)];

function table(title, heads, rows) {
  const all = [heads, ...rows.map((row) => row.map(String))];
  const widths = heads.map((_, i) => Math.max(...all.map((row) => row[i].length)));
  const line = (row) => `| ${row.map((cell, i) => (i ? cell.padStart(widths[i]) : cell.padEnd(widths[i]))).join(' | ')} |`;
  console.log(`\n${title}\n${line(heads)}\n|${widths.map((width) => '-'.repeat(width + 2)).join('|')}|\n${all.slice(1).map(line).join('\n')}`);
}

// ---- the load ----

function startLoad(kind, args, { cores = option['load-cores'], nice = 0 } = {}) {
  const list = Object.entries(args).map(([name, value]) => `${name}=${value}`);
  const child = spawn('taskset', ['-c', cores, 'nice', '-n', String(Number(option.nice) + nice), loader, kind, ...list], { stdio: ['pipe', 'pipe', 'pipe'] });
  running.add(child);
  let out = '', fault = '';
  child.stdout.on('data', (text) => { out += text; child.emit('more', out); });
  child.stderr.on('data', (text) => { fault += text; });
  child.answer = new Promise((resolve, reject) => child.on('close', (code) => {
    running.delete(child);
    const last = out.trim().split('\n').at(-1);
    if (code !== 0 || !last) reject(new Error(`load ${kind} ${list.join(' ')} ended with ${code}: ${fault}${out}`));
    else resolve(JSON.parse(last));
  }));
  child.answer.catch(() => {}); // whoever waits for it hears of it
  return child;
}
const load = (kind, args, how) => startLoad(kind, args, how).answer;

let disks = 0;
// In the folder the journal is in; not pinned.
const measureDisk = () => load('disk', { file: path.join(top, `disk-${disks++}`), seconds: 1 }, { cores: `0-${os.cpus().length - 1}` });

// ---- the hub ----

async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

function get(port, target, headers = {}) {
  return new Promise((resolve, reject) => {
    const request = http.get({ host: '127.0.0.1', port, path: target, headers, agent: false }, (answer) => {
      let text = '';
      answer.setEncoding('utf8').on('data', (piece) => { text += piece; }).on('end', () => resolve({ status: answer.statusCode, text }));
    });
    request.on('error', reject);
  });
}

const HELD = ['--history-events', '100000000', '--history-bytes', '60G', '--history-age', '7d'];

class Hub {
  // Returns when /-/health answers 200; startMs: from the start of the process until then.
  static async start(name, { sync = 'always', args = HELD, workers = 1, cores = option['hub-cores'], disk = onDisk } = {}) {
    const hub = new Hub();
    hub.folder = path.join(top, name);
    hub.port = await freePort();
    const command = ['-c', cores, 'nice', '-n', option.nice, binary, 'serve', '--listen', `127.0.0.1:${hub.port}`, '--workers', String(workers), '--log-level', 'warning',
      '--max-connections-per-address', '100000', '--stall-timeout', '1h', ...args, ...(disk ? ['--data', hub.folder, '--sync', sync] : [])];
    const start = performance.now();
    hub.child = spawn('taskset', command, { stdio: ['ignore', 'ignore', 'pipe'] }); // taskset and nice become it: the pid is the hub's
    running.add(hub.child);
    hub.log = '';
    hub.child.stderr.on('data', (text) => { hub.log += text; });
    hub.ended = new Promise((resolve) => hub.child.on('close', (code, signal) => { running.delete(hub.child); hub.code = code ?? signal; resolve(); }));
    for (;;) {
      if (hub.code !== undefined) throw new Error(`crier ended with ${hub.code}: ${hub.log}`);
      if (performance.now() - start > 300_000) throw new Error('crier did not start in 5 minutes');
      try {
        if ((await get(hub.port, '/-/health')).status === 200) break;
      } catch { /* it does not listen yet */ }
      await pause(1);
    }
    hub.startMs = performance.now() - start;
    return hub;
  }

  async stop() {
    this.child.kill('SIGTERM');
    await this.ended;
    if (this.code !== 0) throw new Error(`crier ended with ${this.code}: ${this.log}`);
  }

  // Without a disk nothing is left after a restart: then it goes on as it is.
  async restart(name, options) {
    if (!onDisk) return this;
    await this.stop();
    return Hub.start(name, options);
  }

  remove() { rmSync(this.folder, { recursive: true, force: true }); }

  async stats() { return JSON.parse((await get(this.port, '/-/stats')).text); }

  get memory() {
    const status = readFileSync(`/proc/${this.child.pid}/status`, 'utf8');
    const of = (what) => Number(new RegExp(`^${what}:\\s+(\\d+) kB`, 'm').exec(status)[1]) * 1024;
    return { all: of('VmRSS'), own: of('RssAnon'), file: of('RssFile') };
  }

  get file() { return path.join(this.folder, 'data.mdb'); }
  get fileBytes() { return onDisk ? statSync(this.file).blocks * 512 : 0; }

  // The id of the count-th event of a selector.
  async idAt(selector, count) {
    const page = await get(this.port, `/events/${selector}?since=earliest&limit=${count}`, { Accept: 'application/json' });
    const events = JSON.parse(page.text);
    if (events.length !== count) throw new Error(`${selector} has ${events.length} events on its first page, not ${count}`);
    return events.at(-1).id;
  }
}

// Batches over four connections until there are `events` more.
const fill = (hub, events, more = {}) => load('publish', { port: hub.port, connections: 4, batch: 1000, events, ms: 600_000, ...more });

// ---- 1. and 2.: publishing ----

const FORMS = [
  { form: '1 in flight', args: { connections: 1 } },
  { form: '16 in flight (16 connections)', args: { connections: 16 } },
  { form: '64 in flight (64 connections)', args: { connections: 64 } },
  { form: '64 in flight (1 connection, pipelined)', args: { pipeline: 64 } },
  { form: 'batches of 1,000, 4 connections', args: { connections: 4, batch: 1000 } },
  { form: '64 in flight (64 connections), 1,000 topics', args: { connections: 64, topics: 1000 } },
  { form: 'batches of 1,000, 4 connections, 1,000 topics', args: { connections: 4, batch: 1000, topics: 1000 } },
];

async function publishing(cores, workers) {
  const rounds = quick ? 1 : 3;
  const rows = [];
  const modes = onDisk ? ['always', 'interval', 'none', 'memory'] : ['memory'];
  for (const sync of modes) {
    const found = FORMS.map(() => []);
    const disk = [];
    for (let round = 0; round < rounds; round++) {
      disk.push((await measureDisk()).per_second);
      const hub = await Hub.start('publish', { sync, cores, workers, disk: sync !== 'memory' });
      for (const [i, { args }] of FORMS.entries()) {
        found[i].push(await load('publish', { port: hub.port, ...args, ms: quick ? 500 : 3000, events: 5_000_000 }));
      }
      await hub.stop();
      hub.remove();
    }
    const syncs = middle(disk);
    for (const [i, { form }] of FORMS.entries()) {
      const best = found[i].find((one) => one.per_second === middle(found[i].map((each) => each.per_second)));
      rows.push({ sync, form, cores, workers, fdatasync: syncs, rounds: found[i].map((one) => one.per_second), ...best });
    }
  }
  table(`Publishes of 100 B a second; hub on core ${cores} (${workers} worker${workers > 1 ? 's' : ''}), load on ${option['load-cores']}; median of ${rounds}`,
    ['--sync', 'form', 'events/s', 'best', 'p50 ms', 'p99 ms', 'fdatasync/s', 'ratio'],
    rows.map((row) => [row.sync, row.form, number(row.per_second), number(Math.max(...row.rounds)), row.p50_ms, row.p99_ms, number(row.fdatasync), number(row.per_second / row.fdatasync, 2)]));
  return rows;
}

async function publishPart() {
  const pinned = await publishing(option['hub-cores'], 1);
  if (os.cpus().length < 2) return { pinned };
  // All cores, shared with the load: a hub that is not pinned has its writer and its workers side by side.
  return { pinned, all_cores: await publishing(`0-${os.cpus().length - 1}`, 2) };
}

// ---- 3.: replay ----

async function replayPart() {
  const events = quick ? 100_000 : 1_000_000;
  let hub = await Hub.start('replay', { sync: 'none' });
  // Half of history is one topic, the other half a thousand, interleaved.
  await Promise.all([fill(hub, events), fill(hub, events, { topics: 1000 })]);
  hub = await hub.restart('replay');
  const replays = { [`one topic (${number(events)} of ${number(2 * events)})`]: ['bench', events], [`** (${number(2 * events)})`]: ['**', 2 * events],
    [`t/0/* (${number(events / 10)})`]: ['t/0/*', events / 10], [`t/5/5 (${number(events / 1000)})`]: ['t/5/5', events / 1000] };
  const rows = [];
  for (const [what, [selector, count]] of Object.entries(replays)) {
    const first = await load('follow', { port: hub.port, target: `/events/${selector}?since=earliest`, events: count });
    const again = await load('follow', { port: hub.port, target: `/events/${selector}?since=earliest`, events: count, rounds: quick ? 2 : 5 });
    if (first.gaps || again.gaps) throw new Error(`a gap was told in a replay of ${selector}`);
    rows.push({ what, first, again });
  }
  table('Replay from disk to one client, page cache warm (hub restarted: nothing in memory)', ['selector', 'events/s', 'MB/s', 'first event ms', 'events/s just after the restart'],
    rows.map(({ what, first, again }) => [what, number(again.per_second), number(again.bytes / again.seconds / 1e6), again.first_p50_ms, number(first.per_second)]));

  const ms = quick ? 2000 : 6000;
  const target = '/events/bench?since=earliest';
  const live = [];
  // With --sync always the disk's moods are in it, with none they are not.
  for (const sync of onDisk ? ['always', 'none'] : ['memory']) {
    hub = await hub.restart('replay', { sync });
    for (let round = 0; round < (quick ? 1 : 5); round++) {
      const alone = await load('live', { port: hub.port, ms });
      const replay = startLoad('follow', { port: hub.port, target, events, for_ms: ms + 500 }, { nice: 15 });
      const during = await load('live', { port: hub.port, ms });
      live.push({ sync, alone, during, replay: await replay.answer });
    }
  }
  await hub.stop();
  hub.remove();
  // Until the kernel had it for the stream, and ("read") until a client on the same core as the replay's had read it.
  table(`100 live streams, 100 publishes/s, without and with replays of ${number(events)} one after the other (client on the same core as the live ones, niced)`,
    ['--sync', 'alone p50 ms', 'alone p99 ms', 'with p50 ms', 'with p99 ms', 'ratio of p99', 'read: alone p99 ms', 'with p99 ms', 'replayed events/s'],
    live.map(({ sync, alone, during, replay }) => [sync, alone.p50_ms, alone.p99_ms, during.p50_ms, during.p99_ms, number(during.p99_ms / alone.p99_ms, 2), alone.read_p99_ms, during.read_p99_ms, number(replay.per_second)]));
  for (const sync of new Set(live.map((one) => one.sync))) {
    const ratios = live.filter((one) => one.sync === sync).map(({ alone, during }) => during.p99_ms / alone.p99_ms);
    console.log(`--sync ${sync}: median ratio of p99: ${number(middle(ratios), 2)}`);
  }
  return { replays: rows, live };
}

// ---- 5. and 4.: many events, many topics; readers that lag ----

const groups = () => (quick ? 50 : 1000); // of 100 topics
const perTopic = () => (quick ? 20 : 100);

async function fillMany(name, topics, events) {
  const hub = await Hub.start(name, { sync: 'none' });
  const filled = await fill(hub, events, { topics, connections: 1, pipeline: 4 }); // one connection: in the order of numbers
  const { history } = await hub.stats();
  if (history.events !== events || history.topics !== topics) throw new Error(`${history.events} events in ${history.topics} topics are held`);
  return { hub, topics, events, filled };
}

async function firstByte(hub, what, selector, since, count) {
  const found = await load('follow', { port: hub.port, target: `/events/${selector}?since=${since}`, events: count, rounds: quick ? 5 : 20 });
  if (found.gaps || found.disorder) throw new Error(`${what}: gaps ${found.gaps}, disorder ${found.disorder}`);
  return { what, selector, count, ...found };
}

async function manyPart() {
  const topics = groups() * 100;
  let { hub, events, filled } = await fillMany('many', topics, topics * perTopic());
  const starts = [];
  let cold = null;
  if (onDisk) {
    const bytes = hub.fileBytes;
    for (let i = 0; i < (quick ? 1 : 5); i++) {
      hub = await hub.restart('many');
      starts.push({ ms: hub.startMs, memory: hub.memory });
    }
    await hub.stop();
    await load('evict', { file: hub.file });
    hub = await Hub.start('many');
    cold = { ms: hub.startMs, memory: hub.memory };
    table(`${number(events)} events of 100 B in ${number(topics)} topics`, ['what', ''], [
      ['filled in batches, events/s', number(filled.per_second)],
      ['file', mb(bytes)], ['bytes on disk an event', number(bytes / events, 1)],
      ['start until /-/health, page cache warm, ms', number(middle(starts.map((start) => start.ms)))], ['the same, slowest of all', number(Math.max(...starts.map((start) => start.ms)))],
      ['the same, pages of the file dropped before', number(cold.ms)],
      ['memory then: resident', mb(starts.at(-1).memory.all)], ['of it the process\'s own', mb(starts.at(-1).memory.own)], ['of it pages of files', mb(starts.at(-1).memory.file)],
    ]);
  }
  const half = perTopic() / 2;
  const topicId = await hub.idAt('t/5/5', half);
  // Event r(k) + n * topics is the n-th of topic k: those of t/5/* that come after the one named.
  let inverse = 1;
  while ((inverse * 7919) % topics !== 1) inverse++;
  const place = (k) => (k * inverse) % topics;
  let after = 0;
  for (let k = 500; k < 600; k++) after += perTopic() - half + (place(k) > place(505) ? 1 : 0);
  const resumes = [
    await firstByte(hub, 'one topic, to its end', 't/5/5', topicId, half),
    await firstByte(hub, 'a pattern, first event', 't/5/*', topicId, 1),
    await firstByte(hub, 'a pattern, to its end', 't/5/*', topicId, after),
    await firstByte(hub, '**, first event', '**', topicId, 1),
    await firstByte(hub, 'one topic, newest (latest)', 't/5/5', 'latest', 1),
    await firstByte(hub, 'a pattern, newest of each topic (latest)', 't/5/*', 'latest', 100),
  ];
  table('Resume in the middle', ['what', 'events', 'first event p50 ms', 'first event max ms', 'whole ms'],
    resumes.map((one) => [one.what, number(one.count), one.first_p50_ms, one.first_max_ms, number((one.seconds / one.rounds) * 1000, 2)]));
  const found = { events, topics, filled, file_bytes: hub.fileBytes, starts, cold, resumes, memory: hub.memory };
  await hub.stop();
  hub.remove();
  return found;
}

// Returns the hub, which was restarted, and what was seen.
async function lagging(before, what, target, readers, each) {
  const hub = await before.restart('lag');
  await load('follow', { port: hub.port, target: '/events/t/5/5?since=earliest', events: 1 }); // what a first reader needs once
  const idle = hub.memory;
  const child = startLoad('lag', { port: hub.port, target, readers, events: each, seconds: 180 });
  await new Promise((resolve, reject) => {
    child.on('more', (out) => { if (out.includes('opened')) resolve(); });
    child.answer.catch(reject);
  });
  // Until nothing goes out any more: everyone has what the kernel takes for it.
  let sent = -1, stats = await hub.stats();
  while (stats.sent_bytes + stats.delivered_bytes !== sent) {
    sent = stats.sent_bytes + stats.delivered_bytes;
    await pause(300);
    stats = await hub.stats();
  }
  const lag = hub.memory;
  let peak = lag, done = false;
  child.stdin.write('go\n');
  child.answer.finally(() => { done = true; }).catch(() => {});
  while (!done) {
    const memory = hub.memory;
    if (memory.own > peak.own) peak = memory;
    await pause(20);
  }
  const drained = await child.answer;
  return [hub, { what, readers, each, idle, lag, lagging: stats.lagging, peak, after: hub.memory, drained, stats }];
}

// Three times the same amount, 1 GB on a thousand streams: of topics of their own, of one topic; then of ten patterns.
async function memoryPart() {
  const topics = 1000, each = quick ? 100 : 10_000;
  let { hub } = await fillMany('lag', topics, topics * each);
  const rows = [];
  for (const [what, target, readers, count] of [
    ['each a topic of its own', '/events/t/{/}?since=earliest', topics, each],
    ['all the same topic', '/events/t/0/0?since=earliest', topics, each],
    ['each a pattern of 100 topics', '/events/t/{}/*?since=earliest', topics / 100, each * 100],
  ]) {
    const [next, row] = await lagging(hub, what, target, readers, count);
    hub = next;
    rows.push(row);
  }
  await hub.stop();
  hub.remove();
  table('Readers that do not read, with history of 100 B events before them (their kernel buffers are small, as over a network)',
    ['what', 'readers', 'events behind', 'lagging', 'idle own', 'lag: own over idle', 'lag: resident over idle', 'draining: own over idle, peak', 'drained s', 'events/s', 'complete'],
    rows.map((row) => [row.what, number(row.readers), number(row.each), row.lagging, mb(row.idle.own), mb(row.lag.own - row.idle.own), mb(row.lag.all - row.idle.all),
      mb(row.peak.own - row.idle.own), number(row.drained.seconds, 2), number(row.drained.events / row.drained.seconds), `${row.drained.complete} of ${row.readers}`]));
  console.log('own: anonymous memory; resident counts the file\'s pages too, which are the page cache\'s');
  return rows;
}

// ---- retention ----

async function retained(what, limit, events) {
  const args = ['--history-events', String(limit), '--history-bytes', '60G', '--history-age', '7d'];
  const hub = await Hub.start('retain', { args });
  const child = startLoad('publish', { port: hub.port, connections: 4, batch: 1000, events, ms: 600_000, topics: 1000 });
  let done = false, most = 0;
  const files = [];
  child.answer.finally(() => { done = true; }).catch(() => {});
  while (!done) {
    const { history } = await hub.stats();
    most = Math.max(most, history.events);
    files.push({ appended: history.appended, bytes: hub.fileBytes });
    await pause(quick ? 20 : 100);
  }
  const published = await child.answer;
  const { history } = await hub.stats();
  // How much it grew after the limit had been reached once.
  const full = files.find((one) => one.appended >= limit * 1.1)?.bytes ?? hub.fileBytes;
  const row = { what, limit, published, held: history.events, kept: history.kept_events, most, file_bytes: hub.fileBytes, file_when_full: full, disk: history.disk };
  await hub.stop();
  hub.remove();
  return row;
}

async function retainPart() {
  const limit = quick ? 50_000 : 1_000_000;
  const rows = [
    await retained('no limit reached', 100_000_000, 3 * limit),
    await retained(`--history-events ${limit}`, limit, 3 * limit),
  ];
  table(`Retention keeping up: ${number(3 * limit)} events in batches, 1,000 topics, --sync always`,
    ['what', 'events/s', 'most held', 'held in the end', 'file when full', 'file in the end', 'bytes an event'],
    rows.map((row) => [row.what, number(row.published.per_second), number(row.most), number(row.held), mb(row.file_when_full), mb(row.file_bytes), number(row.file_bytes / row.held, 1)]));
  console.log(`rate with the limit / without: ${number(rows[1].published.per_second / rows[0].published.per_second, 2)}`);
  return rows;
}

const run = { publish: publishPart, replay: replayPart, many: manyPart, memory: memoryPart, retain: retainPart };
results.disk = await measureDisk();
console.log(`The disk by itself: ${number(results.disk.per_second)} times 4 KiB and fdatasync a second (p50 ${results.disk.p50_ms} ms, p99 ${results.disk.p99_ms} ms), in ${top}; load average ${os.loadavg()[0].toFixed(2)}`);
let status = 0;
for (const part of PARTS.filter((name) => parts.includes(name))) {
  try {
    results[part] = await run[part]();
  } catch (error) {
    console.error(`\n${part} failed: ${error.message}`);
    results[part] = { failed: error.message };
    status = 1;
  }
}
if (option.json) writeFileSync(option.json, `${JSON.stringify(results, null, 1)}\n`);
process.exit(status);
