// SPDX-License-Identifier: MIT
// Folders for hubs that keep their history: made for a test, gone after it.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export function folder(t) {
  const path = mkdtempSync(join(tmpdir(), 'crier-journal-'));
  t.after(() => rmSync(path, { recursive: true, force: true }));
  return path;
}

// An LMDB file of something else; false: there is nothing here to make one with (lmdb-utils).
export function makeForeign(path) {
  const made = spawnSync('mdb_load', ['-T', path], { input: 'a key\na value\n' });
  if (made.error) return false;
  if (made.status !== 0) throw new Error(`mdb_load: ${made.stderr}`);
  return true;
}

// Changes the file's bytes. change(bytes) works in place.
export function spoil(path, change) {
  const bytes = readFileSync(path);
  change(bytes);
  writeFileSync(path, bytes);
}
