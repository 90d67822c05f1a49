// SPDX-License-Identifier: MIT
// Starts a proxy by hand, in a folder of its own, on a free port.
import { spawn } from 'node:child_process';
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { until } from './wait.mjs';

export function program(name) {
  const folders = [...(process.env.PATH ?? '').split(':'), '/usr/sbin', '/sbin', '/usr/local/sbin'];
  return folders.map((folder) => join(folder, name)).find((path) => existsSync(path)) ?? null;
}

export function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer();
    server.once('error', reject);
    server.listen(0, '127.0.0.1', () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

const connects = (port) => new Promise((resolve) => {
  const socket = net.connect({ port, host: '127.0.0.1' });
  socket.once('connect', () => { socket.destroy(); resolve(true); });
  socket.once('error', () => resolve(false));
});

// files(folder, port): { name: text }; command(folder): argv. The port it listens on.
export async function startProxy(t, files, command) {
  const folder = mkdtempSync(join(tmpdir(), 'crier-proxy-'));
  const port = await freePort();
  for (const [name, text] of Object.entries(files(folder, port))) writeFileSync(join(folder, name), text);
  const argv = command(folder);
  const child = spawn(argv[0], argv.slice(1), { cwd: folder, stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, HOME: folder, XDG_DATA_HOME: folder, XDG_CONFIG_HOME: folder } });
  let log = '';
  child.stdout.on('data', (text) => { log += text; });
  child.stderr.on('data', (text) => { log += text; });
  let ended = false;
  const end = new Promise((resolve) => child.once('close', () => { ended = true; resolve(); }));
  t.after(async () => {
    child.kill('SIGTERM');
    const last = setTimeout(() => child.kill('SIGKILL'), 2000);
    await end;
    clearTimeout(last);
    rmSync(folder, { recursive: true, force: true });
  });
  await until(() => {
    if (ended) throw new Error(`${argv.join(' ')} ended:\n${log}`);
    return connects(port);
  }, () => `${argv[0]} listened:\n${log}`);
  return port;
}
