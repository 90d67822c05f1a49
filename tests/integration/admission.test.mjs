// SPDX-License-Identifier: MIT
// "Who may do what" (docs/http-api.md), to the letter.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { networkInterfaces, tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { bin, held, scopeOf, startCrier } from './lib/crier.mjs';
import { exchange, Raw, requestBytes } from './lib/raw.mjs';
import { until } from './lib/wait.mjs';

const folder = mkdtempSync(join(tmpdir(), 'crier-admission-'));
process.on('exit', () => rmSync(folder, { recursive: true, force: true }));
const TOKEN = 'correct-horse-battery-staple';

// Another address of this machine: what comes in there is not local.
const outside = Object.values(networkInterfaces()).flat()
  .find((one) => one.family === 'IPv4' && !one.internal)?.address;
const noOutside = outside ? false : 'this machine has no address but loopback';

const send = (target, method, path, headers, options = {}) => exchange(target,
  requestBytes(method, path, headers, ['POST', 'PUT'].includes(method) ? 'x' : undefined, options), { method, host: options.address });

async function expectCode(answer, status, code) {
  const seen = (await answer);
  assert.equal(seen.status, status, seen.text);
  if (code) assert.equal(seen.json().code, code);
  return seen;
}

// A GET that may open a stream: only its head.
async function head(target, path, headers, options = {}) {
  const raw = await Raw.connect(target, { host: options.address ?? '127.0.0.1' });
  try {
    raw.send(requestBytes('GET', path, headers, undefined, options));
    return await raw.readHead();
  } finally {
    raw.destroy();
  }
}

describe('without a token, on loopback', () => {
  let crier;
  const scope = scopeOf(after);
  before(async () => { crier = await startCrier(scope); });

  test('a local request may publish: every spelling of this machine', async () => {
    for (const host of ['localhost', `localhost:${crier.port}`, 'LOCALHOST', 'a.localhost', 'a.b.localhost:1', '127.0.0.1', '127.9.8.7:80', '[::1]', '[::1]:8080', 'localhost.']) {
      await expectCode(send(crier, 'POST', '/events/local', {}, { host }), 201);
    }
  });

  test('any other Host is 421, but for /-/health: this stops DNS rebinding', async () => {
    for (const host of ['attacker.example', `attacker.example:${crier.port}`, 'localhost.attacker.example', 'notlocalhost', '10.0.0.1', '[::2]', '127.0.0.1.attacker.example', '0.0.0.0', '128.0.0.1']) {
      for (const [method, path] of [['GET', '/events/x'], ['POST', '/events/x'], ['DELETE', '/events/x'], ['GET', '/'], ['GET', '/-/stats'], ['GET', '/-/topics']]) {
        await expectCode(send(crier, method, path, { Accept: 'application/json, text/html' }, { host }), 421, 'unknown-host');
      }
      await expectCode(send(crier, 'GET', '/-/health', {}, { host }), 200);
    }
  });

  test('what a proxy has handled is not local', async () => {
    for (const header of ['Forwarded', 'X-Forwarded-For', 'X-Forwarded-Host', 'X-Forwarded-Proto', 'x-forwarded-anything', 'X-Real-IP', 'Via']) {
      for (const value of ['for=127.0.0.1', '127.0.0.1', '']) {
        await expectCode(send(crier, 'POST', '/events/proxied', { [header]: value }), 403, 'not-local');
        await expectCode(send(crier, 'GET', '/-/stats', { [header]: value }), 401, 'token-missing');
      }
    }
    await expectCode(send(crier, 'POST', '/events/proxied', {}, { version: '1.0' }), 403, 'not-local');
    assert.deepEqual(await held(crier, 'proxied'), []);
  });

  test('following by name is public; selectors that begin with a wildcard, topics and stats are not', async () => {
    const far = { 'X-Forwarded-For': '192.0.2.1', Accept: 'text/event-stream' };
    for (const path of ['/events/news', '/events/news/*', '/events/a/**', '/events?topic=a&topic=b/*']) {
      assert.equal((await head(crier, path, far)).status, 200, path);
    }
    for (const path of ['/events/*', '/events/**', '/events/*/a', '/events?topic=a&topic=*', '/events/%2A%2A', '/-/topics', '/-/topics/news', '/-/stats']) {
      const answer = await expectCode(send(crier, 'GET', path, far), 401, 'token-missing');
      assert.match(answer.headers['www-authenticate'], /^Bearer/);
    }
    for (const path of ['/events/*', '/events/**']) assert.equal((await head(crier, path, { Accept: 'text/event-stream' })).status, 200);
  });

  test('web pages: Sec-Fetch-Site', async () => {
    for (const site of ['same-origin', 'none']) await expectCode(send(crier, 'POST', '/events/fetch', { 'Sec-Fetch-Site': site }), 201);
    for (const site of ['cross-site', 'same-site', 'anything', '']) {
      for (const method of ['POST', 'PUT', 'DELETE']) {
        await expectCode(send(crier, method, '/events/fetch-no', { 'Sec-Fetch-Site': site }), 403, 'cross-origin');
      }
    }
    assert.deepEqual(await held(crier, 'fetch-no'), []);
  });

  test('web pages: Origin against Host, when there is no Sec-Fetch-Site', async () => {
    const host = `localhost:${crier.port}`;
    await expectCode(send(crier, 'POST', '/events/origin', { Origin: `http://${host}` }, { host }), 201);
    await expectCode(send(crier, 'POST', '/events/origin', { Origin: 'http://localhost' }, { host: 'localhost:80' }), 201);
    for (const origin of ['https://attacker.example', 'null', `http://attacker.example:${crier.port}`, `http://localhost.attacker.example:${crier.port}`, 'rubbish', 'file://']) {
      await expectCode(send(crier, 'POST', '/events/origin-no', { Origin: origin }, { host }), 403, 'cross-origin');
      await expectCode(send(crier, 'DELETE', '/events/origin', { Origin: origin }, { host }), 403, 'cross-origin');
    }
    assert.deepEqual(await held(crier, 'origin-no'), []);
  });

  test('other local origins are allowed to local requests, and told so', async () => {
    for (const origin of ['http://localhost:3000', 'https://app.localhost', 'http://127.0.0.1:5173', 'http://[::1]:3000', 'http://127.1.2.3']) {
      const answer = await expectCode(send(crier, 'POST', '/events/dev', { Origin: origin, 'Sec-Fetch-Site': 'cross-site' }), 201);
      assert.equal(answer.headers['access-control-allow-origin'], origin);
      assert.equal(answer.headers['access-control-allow-credentials'], 'true');
      assert.equal(answer.headers['access-control-expose-headers'].replaceAll(' ', ''), 'Crier-Last-Event-ID,Crier-Resumed,Retry-After,Link');
      const stream = await head(crier, '/events/dev', { Origin: origin, Accept: 'text/event-stream' });
      assert.equal(stream.headers['access-control-allow-origin'], origin);
    }
  });

  test('a GET with a disallowed Origin, or cross-site in no-cors mode, is 403', async () => {
    await expectCode(send(crier, 'GET', '/events/x', { Origin: 'https://attacker.example' }), 403, 'cross-origin');
    await expectCode(send(crier, 'GET', '/events/x', { Origin: 'null' }), 403, 'cross-origin');
    await expectCode(send(crier, 'GET', '/events/x', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors' }), 403, 'cross-origin');
    assert.equal((await head(crier, '/events/x', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', Accept: 'text/html' })).status, 200);
  });

  test('a form, fetch, beacon or image of another page publishes nothing', async () => {
    const attacks = [
      ['POST', { Origin: 'https://attacker.example', 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'navigate', 'Content-Type': 'application/x-www-form-urlencoded' }],
      ['POST', { Origin: 'null', 'Content-Type': 'text/plain' }],
      ['POST', { Origin: 'https://attacker.example', 'Content-Type': 'text/plain;charset=UTF-8' }],
      ['GET', { 'Sec-Fetch-Site': 'cross-site', 'Sec-Fetch-Mode': 'no-cors', 'Sec-Fetch-Dest': 'image' }],
    ];
    for (const [method, headers] of attacks) await expectCode(send(crier, method, '/events/attack', headers), 403, 'cross-origin');
    assert.deepEqual(await held(crier, 'attack'), []);
  });

  test('the refusal comes before the body is read', async () => {
    const raw = await Raw.connect(crier);
    raw.send(requestBytes('POST', '/events/x', { 'Content-Length': 1000, 'Sec-Fetch-Site': 'cross-site' }));
    assert.equal((await raw.response()).status, 403);
    raw.destroy();
  });

  test('preflight: 204 without a token, with methods, headers and age', async () => {
    const answer = await send(crier, 'OPTIONS', '/events/x', { Origin: 'http://localhost:3000', 'Access-Control-Request-Method': 'PUT', 'Access-Control-Request-Headers': 'authorization' });
    assert.equal(answer.status, 204);
    assert.equal(answer.headers['access-control-allow-origin'], 'http://localhost:3000');
    for (const method of ['GET', 'HEAD', 'POST', 'PUT', 'DELETE']) assert.ok(answer.headers['access-control-allow-methods'].includes(method));
    assert.deepEqual(answer.headers['access-control-allow-headers'].toLowerCase().split(/, */).sort(),
      ['authorization', 'cache-control', 'content-type', 'crier-event', 'crier-retry', 'idempotency-key', 'last-event-id']);
    assert.equal(answer.headers['access-control-max-age'], '7200');
    const refused = await send(crier, 'OPTIONS', '/events/x', { Origin: 'https://attacker.example', 'Access-Control-Request-Method': 'PUT' });
    assert.ok(!('access-control-allow-origin' in refused.headers));
  });

  test('the page: its Content-Security-Policy, no outside resource, not stored', async () => {
    const page = await send(crier, 'GET', '/', { Accept: 'text/html' });
    const policy = page.headers['content-security-policy'];
    for (const part of ["default-src 'none'", "connect-src 'self'", 'base-uri', 'form-action', "frame-ancestors 'none'", "'sha256-"]) {
      assert.ok(policy.includes(part), `${part} in ${policy}`);
    }
    assert.ok(!/unsafe|https?:/.test(policy), policy);
    assert.equal(page.headers['x-content-type-options'], 'nosniff');
    assert.match(page.headers['cache-control'], /no-store/);
    assert.ok(!/(src|href)=["']?(https?:)?\/\//i.test(page.text));
  });

  test('from another address of this machine nothing is listening', { skip: noOutside }, async () => {
    await assert.rejects(Raw.connect(crier, { host: outside }));
  });
});

describe('with a token', () => {
  let crier;
  const file = join(folder, 'tokens');
  const scope = scopeOf(after);
  before(async () => {
    writeFileSync(file, `# tokens\n\n${TOKEN}\nanother-token-of-some-length\n`);
    crier = await startCrier(scope, { args: ['--publish-token-file', file] });
  });

  test('publishing needs it, local or not', async () => {
    for (const method of ['POST', 'PUT', 'DELETE']) {
      const missing = await expectCode(send(crier, method, '/events/t', {}), 401, 'token-missing');
      assert.equal(missing.headers['www-authenticate'], 'Bearer');
      const wrong = await expectCode(send(crier, method, '/events/t', { Authorization: 'Bearer wrong-wrong-wrong-wrong' }), 401, 'token-wrong');
      assert.equal(wrong.headers['www-authenticate'], 'Bearer error="invalid_token"');
    }
    assert.deepEqual(await held(crier, 't'), []);
    for (const value of [`Bearer ${TOKEN}`, `bearer ${TOKEN}`, 'Bearer another-token-of-some-length']) {
      await expectCode(send(crier, 'POST', '/events/t', { Authorization: value }), 201);
    }
    for (const value of [`Bearer ${TOKEN}x`, `Bearer ${TOKEN.slice(1)}`, 'Bearer', 'Bearer ', `Basic ${TOKEN}`, TOKEN, 'Bearer # tokens']) {
      assert.equal((await send(crier, 'POST', '/events/t', { Authorization: value })).status, 401, value);
    }
  });

  test('a right token needs no same-origin: any page that has it may publish', async () => {
    await expectCode(send(crier, 'POST', '/events/t', { Authorization: `Bearer ${TOKEN}`, 'X-Forwarded-For': '192.0.2.1' }), 201);
  });

  test('a token opens topics, stats and wide selectors to others', async () => {
    const far = { 'X-Forwarded-For': '192.0.2.1' };
    for (const path of ['/-/stats', '/-/topics', '/events/**?since=earliest']) {
      await expectCode(send(crier, 'GET', path, { ...far, Accept: 'application/json' }), 401, 'token-missing');
      await expectCode(send(crier, 'GET', path, { ...far, Accept: 'application/json', Authorization: 'Bearer wrong-wrong-wrong-wrong' }), 401, 'token-wrong');
      await expectCode(send(crier, 'GET', path, { ...far, Accept: 'application/json', Authorization: `Bearer ${TOKEN}` }), 200);
    }
  });

  test('SIGHUP reads the file again; a bad file changes nothing', async () => {
    const later = 'a-later-token-of-some-length';
    writeFileSync(file, `${TOKEN}\n${later}\n`);
    crier.signal('SIGHUP');
    await until(async () => (await send(crier, 'POST', '/events/t', { Authorization: `Bearer ${later}` })).status === 201, 'the new token was known');
    await expectCode(send(crier, 'POST', '/events/t', { Authorization: 'Bearer another-token-of-some-length' }), 401);
    const from = crier.lines.length;
    writeFileSync(file, 'short\n');
    crier.signal('SIGHUP');
    await crier.waitLog((fields) => ['error', 'warning'].includes(fields.level), 'a complaint about the file', from);
    await expectCode(send(crier, 'POST', '/events/t', { Authorization: `Bearer ${later}` }), 201);
  });
});

test('CRIER_PUBLISH_TOKEN', async (t) => {
  const crier = await startCrier(t, { env: { CRIER_PUBLISH_TOKEN: TOKEN } });
  await expectCode(send(crier, 'POST', '/events/t', {}), 401, 'token-missing');
  await expectCode(send(crier, 'POST', '/events/t', { Authorization: `Bearer ${TOKEN}` }), 201);
});

describe('--cors-origin, --host, --public-topics, --trust-proxy', () => {
  test('--cors-origin: named ones get themselves back', async (t) => {
    const crier = await startCrier(t, { args: ['--cors-origin', 'https://app.example', '--cors-origin', 'https://two.example:8443'] });
    for (const origin of ['https://app.example', 'https://two.example:8443']) {
      const stream = await head(crier, '/events/x', { Origin: origin, Accept: 'text/event-stream' });
      assert.equal(stream.status, 200);
      assert.equal(stream.headers['access-control-allow-origin'], origin);
      assert.equal(stream.headers['access-control-allow-credentials'], 'true');
      await expectCode(send(crier, 'POST', '/events/x', { Origin: origin, 'Sec-Fetch-Site': 'cross-site' }), 201);
    }
    for (const origin of ['http://app.example', 'https://app.example:444', 'https://app.example.evil', 'null']) {
      await expectCode(send(crier, 'GET', '/events/x', { Origin: origin }), 403, 'cross-origin');
    }
    const refusal = await expectCode(send(crier, 'GET', '/events/a//b', { Origin: 'https://app.example' }), 400);
    assert.equal(refusal.headers['access-control-allow-origin'], 'https://app.example', 'a page may read why it was refused');
  });

  test('--cors-origin *: any page may follow, without credentials; null only if named', async (t) => {
    const crier = await startCrier(t, { args: ['--cors-origin', '*'] });
    const stream = await head(crier, '/events/x', { Origin: 'https://any.example', Accept: 'text/event-stream' });
    assert.equal(stream.headers['access-control-allow-origin'], '*');
    assert.ok(!('access-control-allow-credentials' in stream.headers));
    await expectCode(send(crier, 'GET', '/events/x', { Origin: 'null' }), 403, 'cross-origin');
    const named = await startCrier(t, { args: ['--cors-origin', 'null'] });
    const fromNull = await head(named, '/events/x', { Origin: 'null', Accept: 'text/event-stream' });
    assert.equal(fromNull.status, 200);
    assert.equal(fromNull.headers['access-control-allow-origin'], 'null');
  });

  test('--public-topics', async (t) => {
    const crier = await startCrier(t, { args: ['--public-topics'] });
    const far = { 'X-Forwarded-For': '192.0.2.1', Accept: 'application/json' };
    for (const path of ['/-/topics', '/-/stats', '/events/**']) await expectCode(send(crier, 'GET', path, far), 200);
  });

  test('a public --listen or any --host needs a token or --anonymous-publish, and is told so', async (t) => {
    for (const args of [['--host', 'hub.example']]) {
      const refused = await startCrier(t, { args, expectExit: true });
      assert.equal(refused.exit.code, 2, refused.log);
      assert.match(refused.log, /--publish-token-file|CRIER_PUBLISH_TOKEN/);
      assert.match(refused.log, /--anonymous-publish/);
    }
    const wide = await startCrier(t, { listens: ['0.0.0.0:0'], expectExit: true });
    assert.equal(wide.exit.code, 2, wide.log);
    assert.match(wide.log, /--anonymous-publish/);
  });

  test('--host names what a proxy passes on', async (t) => {
    const crier = await startCrier(t, { args: ['--host', 'hub.example'], env: { CRIER_PUBLISH_TOKEN: TOKEN } });
    for (const host of ['hub.example', 'HUB.example:443']) {
      assert.equal((await head(crier, '/events/x', { Accept: 'text/event-stream' }, { host })).status, 200, host);
      await expectCode(send(crier, 'POST', '/events/x', {}, { host }), 401, 'token-missing');
      await expectCode(send(crier, 'GET', '/-/stats', {}, { host }), 401, 'token-missing');
    }
    await expectCode(send(crier, 'GET', '/events/x', {}, { host: 'other.example' }), 421, 'unknown-host');
  });

  test('--anonymous-publish: anyone, but not behind a user\'s back', async (t) => {
    const crier = await startCrier(t, { args: ['--host', 'hub.example', '--anonymous-publish'] });
    const far = { 'X-Forwarded-For': '192.0.2.1' };
    await expectCode(send(crier, 'POST', '/events/x', far, { host: 'hub.example' }), 201);
    await expectCode(send(crier, 'POST', '/events/x', { ...far, 'Sec-Fetch-Site': 'cross-site' }, { host: 'hub.example' }), 403, 'cross-origin');
    await expectCode(send(crier, 'POST', '/events/x', { ...far, Origin: 'https://attacker.example' }, { host: 'hub.example' }), 403, 'cross-origin');
    await expectCode(send(crier, 'POST', '/events/x', { ...far, Origin: 'https://hub.example' }, { host: 'hub.example:443' }), 201);
  });

  test('on an address that is not loopback nobody is local', { skip: noOutside }, async (t) => {
    const crier = await startCrier(t, { listens: [`${outside}:0`], env: { CRIER_PUBLISH_TOKEN: TOKEN } });
    const at = { address: outside };
    await expectCode(send(crier, 'POST', '/events/x', {}, at), 401, 'token-missing');
    await expectCode(send(crier, 'GET', '/-/stats', {}, at), 401, 'token-missing');
    await expectCode(send(crier, 'POST', '/events/x', { Authorization: `Bearer ${TOKEN}` }, at), 201);
    // Host is only checked on loopback listeners: elsewhere names are the administrator's business.
    assert.equal((await head(crier, '/events/x', { Accept: 'text/event-stream' }, { ...at, host: 'any.example' })).status, 200);
  });

  test('a token shorter than 16 bytes is refused at the start', async (t) => {
    const short = join(folder, 'short');
    writeFileSync(short, 'too-short\n');
    for (const options of [{ args: ['--publish-token-file', short] }, { env: { CRIER_PUBLISH_TOKEN: 'short' } }, { args: ['--publish-token-file', join(folder, 'absent')] }]) {
      const refused = await startCrier(t, { ...options, expectExit: true });
      assert.notEqual(refused.exit.code, 0, refused.log);
      assert.ok(refused.lines.length >= 1);
    }
  });
});

test('a public socket handed in by LISTEN_FDS needs a word about publishing, as a public --listen does', async () => {
  const program = `
import os, socket, sys
listener = socket.socket()
listener.bind(("0.0.0.0", 0))
listener.listen()
os.dup2(listener.fileno(), 3)
os.set_inheritable(3, True)
os.environ.update(LISTEN_PID=str(os.getpid()), LISTEN_FDS="1")
os.execv(sys.argv[1], sys.argv[1:])`;
  const child = spawn('python3', ['-c', program, bin, 'serve'], { stdio: ['ignore', 'ignore', 'pipe'] });
  let log = '';
  child.stderr.on('data', (text) => { log += text; });
  const [code] = await once(child, 'close');
  assert.equal(code, 1, log);
  assert.match(log, /--publish-token-file/);
});
