// SPDX-License-Identifier: MIT
// Makes of a recorded log (record.c) the folder that a power cut could have left.
//
//     log  ├─ open a ─ write ─ write ─ sync ─ write ─ write(O_DSYNC) ─ wri│te ─ …
//          └────────────── safe ──────────┘  may be lost  safe     cut, in flight
//
// What is safe at a cut:
//   - of a file, all that was written and truncated before its last sync;
//   - an O_DSYNC write: the sectors that it touched, nothing else.
// Of all else any part may be there. `keep` says which:
//   'none'      nothing
//   'all'       everything, as after a crash of the process alone
//   'prefix'    what came first, up to a random point; the write there is torn at a random sector
//   'sectors'   each sector of each write, by itself, or not (a disk that reorders); truncations too
// A sector that reaches the disk takes with it all that earlier writes put into it: that is what the
// system's cache holds. Its size grows with its last sector; between lie zeros.
//
// A call whose record ends after the cut was in flight: an unfinished sync has made nothing safe, an
// unfinished O_DSYNC write is a write like others.
//
// Names are simple: that a file was made, renamed or removed is safe once any file or the folder was
// synced after it (as with a file system that has one journal); before, the first of these are
// there, up to a random point. File systems that promise less exist (POSIX promises nothing but by a sync of the
// folder); files whose content is older than the recording must be given as `base`.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const MAGIC = 0x31544c46;
const HEADER = 32;
export const KIND = { open: 1, write: 2, truncate: 3, sync: 4, rename: 5, unlink: 6 };
const EMPTIED = 2;
const DURABLE = 4;

// A generator that can be repeated: next() in [0, 1).
export function seeded(seed) {
  let state = seed >>> 0;
  const next = () => { // mulberry32
    state = (state + 0x6d2b79f5) >>> 0;
    let x = state;
    x = Math.imul(x ^ (x >>> 15), x | 1);
    x ^= x + Math.imul(x ^ (x >>> 7), x | 61);
    return ((x ^ (x >>> 14)) >>> 0) / 4294967296;
  };
  return { next, below: (n) => Math.floor(next() * n), chance: (p) => next() < p, pick: (list) => list[Math.floor(next() * list.length)] };
}

// The records of a log: { at, end, kind, flags, file, offset, bytes }. The last may be unfinished.
export function readLog(log) {
  const records = [];
  let at = 0;
  while (at + HEADER <= log.length) {
    if (log.readUInt32LE(at) !== MAGIC) throw new Error(`no record at ${at} of the log`);
    const length = Number(log.readBigUInt64LE(at + 24));
    const end = at + HEADER + length;
    if (end > log.length) break;
    records.push({ at, end, kind: log[at + 4], flags: log[at + 5], file: log.readUInt32LE(at + 8),
      offset: Number(log.readBigUInt64LE(at + 16)), bytes: log.subarray(at + HEADER, end) });
    at = end;
  }
  return records;
}

// Bytes that grow.
class Image {
  constructor(bytes = Buffer.alloc(0), size = bytes.length) {
    this.bytes = bytes;
    this.size = size;
  }

  copy() { return new Image(Buffer.from(this.content), this.size); }

  get content() { return this.bytes.subarray(0, this.size); }

  resize(size) {
    if (size > this.bytes.length) {
      const larger = Buffer.alloc(Math.max(size, 2 * this.bytes.length));
      this.content.copy(larger);
      this.bytes = larger;
    }
    this.bytes.fill(0, Math.min(size, this.size), Math.max(size, this.size));
    this.size = size;
  }

  put(offset, bytes) {
    if (offset + bytes.length > this.size) this.resize(offset + bytes.length);
    bytes.copy(this.bytes, offset);
  }

  // Takes one sector as it is in another image.
  sector(from, start, size) {
    const end = Math.min(start + size, from.size);
    if (start < end) this.put(start, from.bytes.subarray(start, end));
  }
}

// Which of what is not safe reaches the disk.
class Choice {
  constructor(keep, random, total) {
    this.keep = keep;
    this.random = random;
    this.left = keep === 'prefix' ? random.below(total + 1) : 0; // calls that are whole
    this.torn = keep === 'prefix';
    this.odds = keep === 'sectors' ? random.pick([0.02, 0.3, 0.5, 0.7, 0.98]) : 0;
  }

  // For a call of so many sectors: a function that says of each, in order, whether it is kept.
  call(sectors) {
    if (this.keep === 'all') return () => true;
    if (this.keep === 'none') return () => false;
    if (this.keep === 'sectors') return () => this.random.chance(this.odds);
    if (this.left > 0) {
      this.left -= 1;
      return () => true;
    }
    let until = this.torn ? this.random.below(sectors) : 0;
    this.torn = false;
    return () => until-- > 0;
  }
}

export class Replay {
  #next = 0;
  #files = new Map(); // number → { safe: Image, pending: [record] }
  #names = new Map(); // name → number, as far as safe
  #changes = [];      // of names, not yet safe

  // log: its bytes. base: Map of name → bytes of files that were there before.
  constructor(log, { base = new Map() } = {}) {
    this.log = log;
    this.base = base;
    this.records = readLog(log);
    this.length = this.records.at(-1)?.end ?? 0;
  }

  #reset() {
    this.#next = 0;
    this.#files = new Map();
    this.#names = new Map();
    this.#changes = [];
  }

  #file(number) {
    const file = this.#files.get(number);
    if (!file) throw new Error(`file ${number} was never opened`);
    return file;
  }

  // A record that took effect before the cut.
  #take(record) {
    const { kind, flags, file: number } = record;
    if (kind === KIND.open) this.#open(record);
    else if (kind === KIND.rename || kind === KIND.unlink) this.#changes.push(record);
    else if (kind === KIND.sync) {
      if (number !== 0) this.#settle(this.#file(number));
      this.#settleNames();
    } else {
      this.#file(number).pending.push({ ...record, safe: (flags & DURABLE) !== 0 });
      if (flags & DURABLE) this.#settleNames();
    }
  }

  #open(record) {
    const { file: number, flags } = record;
    const name = record.bytes.toString();
    if (!this.#files.has(number)) {
      const isNew = (flags & 1) !== 0;
      if (!isNew && !this.base.has(name)) throw new Error(`${name} is older than the recording, and not in base`);
      this.#files.set(number, { safe: new Image(isNew ? undefined : Buffer.from(this.base.get(name))), pending: [] });
      if (isNew) this.#changes.push(record);
      else this.#names.set(name, number);
    }
    if (flags & EMPTIED) this.#file(number).pending.push({ ...record, kind: KIND.truncate, offset: 0, bytes: Buffer.alloc(0), safe: false });
  }

  #settle(file) {
    for (const record of file.pending) {
      if (record.kind === KIND.truncate) file.safe.resize(record.offset);
      else file.safe.put(record.offset, record.bytes);
    }
    file.pending = [];
  }

  #settleNames() {
    for (const change of this.#changes) Replay.#rename(this.#names, change);
    this.#changes = [];
  }

  static #rename(names, change) {
    const [name, fresh] = change.bytes.toString().split('\0');
    if (change.kind === KIND.open) names.set(name, change.file);
    else {
      if (change.kind === KIND.rename) names.set(fresh, names.get(name));
      names.delete(name);
    }
  }

  // The folder after a cut at this position of the log, as a Map of name → bytes. Cheapest when
  // positions come in ascending order. random: from seeded().
  cut(position, { keep = 'none', sector = 4096, random = seeded(0) } = {}) {
    if (this.#next > 0 && this.records[this.#next - 1].end > position) this.#reset();
    while (this.#next < this.records.length && this.records[this.#next].end <= position) this.#take(this.records[this.#next++]);

    const unsafe = [];
    for (const [number, file] of this.#files) for (const record of file.pending) unsafe.push({ ...record, number });
    const flying = this.records[this.#next];
    if (flying && flying.at < position && (flying.kind === KIND.write || flying.kind === KIND.truncate)) {
      unsafe.push({ ...flying, number: flying.file, safe: false });
    }
    unsafe.sort((a, b) => a.at - b.at);
    return this.#folder(this.#apply(unsafe, sector, keep, random), keep, random);
  }

  // What is on the disk of each file: number → Image.
  #apply(unsafe, sector, keep, random) {
    const choice = new Choice(keep, random, unsafe.filter((record) => !record.safe).length);
    const disks = new Map();
    const caches = new Map();
    for (const [number, file] of this.#files) disks.set(number, file.safe.copy());
    for (const record of unsafe) {
      const disk = disks.get(record.number);
      if (!caches.has(record.number)) caches.set(record.number, disk.copy());
      const cache = caches.get(record.number);
      if (record.kind === KIND.truncate) {
        cache.resize(record.offset);
        if (choice.call(1)(0)) disk.resize(record.offset);
        continue;
      }
      cache.put(record.offset, record.bytes);
      const first = Math.floor(record.offset / sector);
      const end = Math.ceil((record.offset + record.bytes.length) / sector);
      const kept = record.safe ? () => true : choice.call(end - first);
      for (let i = first; i < end; i++) if (kept()) disk.sector(cache, i * sector, sector);
    }
    return disks;
  }

  #folder(disks, keep, random) {
    const names = new Map(this.#names);
    const most = this.#changes.length;
    const changes = keep === 'all' ? most : keep === 'none' ? 0 : random.below(most + 1);
    for (const change of this.#changes.slice(0, changes)) Replay.#rename(names, change);
    return new Map([...names].map(([name, number]) => [name, disks.get(number).content]));
  }

  // Random positions and ways of a cut, ascending: half of them anywhere (large writes are in flight
  // most often), half at the end of a record, where what was just promised is young.
  *plan(count, random) {
    const positions = Array.from({ length: count }, () => (random.chance(0.5) || !this.records.length
      ? random.below(this.length + 1) : random.pick(this.records).end));
    for (const position of positions.sort((a, b) => a - b)) {
      yield { position, keep: random.pick(['none', 'all', 'prefix', 'prefix', 'sectors', 'sectors', 'sectors']), sector: random.pick([512, 4096]), random };
    }
  }
}

// Writes such a folder out. dir must not hold other files.
export function materialise(folder, dir) {
  mkdirSync(dir, { recursive: true });
  for (const [name, bytes] of folder) writeFileSync(join(dir, name), bytes);
}
