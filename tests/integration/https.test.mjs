// SPDX-License-Identifier: MIT
// The client over TLS: whom it trusts, whom it does not, and what it says about it.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, test } from 'node:test';
import tls from 'node:tls';
import { Authority } from './lib/certificates.mjs';
import { client } from './lib/client.mjs';
import { run } from './lib/command.mjs';
import { chunk, event, head, lastChunk, published, scripted } from './lib/scripted.mjs';

const authority = new Authority(after);
const good = authority.server('good', 'DNS:localhost,IP:127.0.0.1');
const trust = ['--ca-file', authority.file];
const stream = (...parts) => head() + parts.map(chunk).join('');
const at = (server, name = 'localhost') => `https://${name}:${server.port}/`;

test('a server of an authority that is trusted is followed, by name and by address', async (t) => {
  const names = [];
  const server = await scripted(t, (connection) => {
    names.push(connection.socket.servername);
    connection.end(stream(event('1', 'x')) + lastChunk);
  }, { secure: { ...good, ALPNProtocols: ['h2', 'http/1.1'] } });
  for (const name of ['localhost', '127.0.0.1']) {
    const follower = client(t, at(server, name), [...trust, '--events', '2', '--inside']);
    await follower.over();
    assert.deepEqual(follower.data, ['x', 'x'], name);
    assert.deepEqual(follower.downs.map(({ reason }) => reason), ['the server ended the stream']);
  }
  assert.deepEqual(names.slice(0, 3), ['localhost', 'localhost', false], 'no address is sent as a name');
  const [{ headers }] = server.connections.map(({ request }) => request);
  assert.equal(headers.get('host'), `localhost:${server.port}`);
});

test('large events and large bodies go through TLS in both directions, run and stepped', async (t) => {
  const large = 'x'.repeat(3_000_000);
  for (const how of [[], ['--step']]) {
    const server = await scripted(t, async (connection) => {
      const body = await connection.readBody();
      connection.send(stream(event('1', large), event('2', String(body.length))));
    }, { secure: good });
    const follower = client(t, at(server), [...trust, '--method', 'POST', '--body', 'b'.repeat(100_000), '--events', '2', ...how]);
    await follower.over();
    assert.deepEqual(follower.data.map((data) => data.length), [3_000_000, 6]);
    assert.equal(follower.data[1], '100000');
  }
});

const untrusted = [
  ['self-signed', authority.selfSigned('alone', 'DNS:localhost'), trust, /self-signed certificate$/],
  ['of an authority that is not trusted', good, [], /unable to get local issuer certificate$/],
  ['of another name', authority.server('other', 'DNS:example.org,IP:127.0.0.2'), trust, /hostname mismatch$/],
  ['expired', authority.server('old', 'DNS:localhost', { from: -20, days: 10 }), trust, /certificate has expired$/],
  ['not valid yet', authority.server('new', 'DNS:localhost', { from: 5 }), trust, /certificate is not yet valid$/],
];
for (const [what, pair, args, words] of untrusted) {
  test(`a certificate that is ${what} is the end, and why is told`, async (t) => {
    const server = await scripted(t, () => assert.fail('nothing is sent to it'), { secure: pair });
    const follower = client(t, at(server), args);
    const { over, reason } = await follower.over();
    assert.equal(over, 'CRIER_OVER');
    assert.match(reason, /^certificate verify failed: /);
    assert.match(reason, words);
    assert.deepEqual(follower.downs.map(({ down, status, again }) => [down, status, again]), [['invalid', 0, false]]);

    const careless = client(t, at(await scripted(t, (connection) => connection.send(stream(event('1', 'x'))), { secure: pair })),
      ['--insecure', '--events', '1']);
    await careless.over();
    assert.deepEqual(careless.data, ['x'], 'unless nobody looks');
  });
}

test('an address that the certificate does not name is another server', async (t) => {
  const pair = authority.server('named', 'DNS:localhost,DNS:127.0.0.1');
  const server = await scripted(t, () => {}, { secure: pair });
  const follower = client(t, at(server, '127.0.0.1'), trust);
  assert.match((await follower.over()).reason, /^certificate verify failed: IP address mismatch$/);
});

test('a certificate may be trusted by itself; on_down may hope for a better one', async (t) => {
  const alone = authority.selfSigned('itself', 'DNS:localhost');
  const server = await scripted(t, (connection) => connection.send(stream(event('1', 'x'))), { secure: alone });
  const follower = client(t, at(server), ['--ca-file', alone.file, '--events', '1']);
  await follower.over();
  assert.deepEqual(follower.data, ['x']);

  const renewed = await scripted(t, (connection) => connection.send(stream(event('1', 'x'))), { secure: alone });
  const hopeful = client(t, at(renewed), [...trust, '--decide', 'retry', '--events', '1']);
  await hopeful.until('down', 2);
  renewed.server.setSecureContext(good);
  await hopeful.over();
  assert.deepEqual(hopeful.data, ['x']);
});

test('a file to trust that is not there, or holds none, is told', async (t) => {
  for (const file of ['/nowhere/ca.pem', authority.write('empty.pem', 'nothing\n')]) {
    const follower = client(t, 'https://localhost:1/', ['--ca-file', file]);
    const { over, reason } = await follower.over();
    assert.equal(over, 'CRIER_OVER');
    assert.ok(reason.startsWith(`cannot read certificates from ${file}: `), reason);
    assert.deepEqual(follower.downs.map(({ down }) => down), ['invalid']);
  }
});

// A server without TLS or HTTP: what it does with each connection.
async function bare(t, accept) {
  const sockets = [];
  const server = net.createServer((socket) => {
    sockets.push(socket.on('error', () => {}));
    accept(socket);
  });
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(() => {
    for (const socket of sockets) socket.destroy();
    return new Promise((resolve) => server.close(resolve));
  });
  return server.address();
}

test('what does not speak TLS, or only an old one, is an outage', async (t) => {
  const plain = await bare(t, (socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'));
  const gone = await bare(t, (socket) => socket.end());
  const old = await scripted(t, () => {}, { secure: { ...good, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1', ciphers: 'ALL@SECLEVEL=0' } });
  for (const [server, words] of [[plain, /wrong version number/], [old, /protocol version|unsupported protocol/], [gone, /the connection was cut/]]) {
    const follower = client(t, at(server), [...trust, '--downs', '2']);
    await follower.over();
    for (const { down, again, reason } of follower.downs) {
      assert.deepEqual([down, again], ['unreachable', true]);
      assert.match(reason, /^the TLS handshake failed: /);
      assert.match(reason, words);
    }
  }
});

test('a server that accepts and does not shake hands is given up after the connect timeout', async (t) => {
  const server = await bare(t, () => {});
  const follower = client(t, at(server), [...trust, '--connect', '100', '--downs', '1']);
  await follower.over();
  assert.deepEqual(follower.downs.map(({ down, reason }) => [down, reason]),
    [['unreachable', 'the server does not answer the TLS handshake']]);
});

test('an end without a goodbye is an end like others', async (t) => {
  const server = await scripted(t, async (connection) => {
    connection.send(head({ chunked: false }) + event('1', 'x'));
    if (connection.index > 0) return;
    await follower.until('event');
    // Below TLS, so that no close_notify is sent.
    connection.socket._handle.close();
  }, { secure: good });
  const follower = client(t, at(server), [...trust, '--events', '2']);
  await follower.over();
  assert.deepEqual(follower.downs.map(({ down, again }) => [down, again]), [['ended', true]]);
  assert.match(follower.downs[0].reason, /^the TLS connection broke: /);
});

test('a redirect from https to http, or to another port, leaves the credentials behind', async (t) => {
  const plain = await scripted(t, (connection) => connection.end(stream(event('1', 'x')) + lastChunk));
  const server = await scripted(t, (connection) => {
    if (connection.request.target === '/') connection.answer('307 X', { Location: `http://localhost:${plain.port}/` });
  }, { secure: good });
  const follower = client(t, at(server), [...trust, '--bearer', 'tok', '--header', 'Cookie: a=b', '--events', '1']);
  await follower.over();
  assert.equal(server.connections[0].request.headers.get('authorization'), 'Bearer tok');
  const { headers } = plain.connections[0].request;
  assert.deepEqual([headers.get('authorization'), headers.get('cookie')], [undefined, undefined]);
});

test('a redirect from http to https is followed, and its certificate is looked at', async (t) => {
  const server = await scripted(t, (connection) => connection.send(stream(event('1', 'x'))), { secure: good });
  const plain = await scripted(t, (connection) => connection.answer('301 Moved', { Location: at(server) }));
  const follower = client(t, plain.url, [...trust, '--events', '1']);
  await follower.over();
  assert.deepEqual(follower.data, ['x']);
  assert.match((await client(t, plain.url).over()).reason, /^certificate verify failed: /);
});

test('the server hears goodbye when the client stops', async (t) => {
  let ended;
  const said = new Promise((resolve) => { ended = resolve; });
  const server = await scripted(t, (connection) => {
    connection.socket.once('end', () => ended('goodbye'));
    connection.socket.once('error', (error) => ended(error.code));
    connection.send(stream(event('1', 'x')));
  }, { secure: good });
  await client(t, at(server), [...trust, '--events', '1']).over();
  assert.equal(await said, 'goodbye');
});

test('TLS 1.2 and 1.3 both will do', async (t) => {
  for (const version of ['TLSv1.2', 'TLSv1.3']) {
    const protocols = [];
    const server = await scripted(t, (connection) => {
      protocols.push(connection.socket.getProtocol());
      connection.send(stream(event('1', 'x')));
    }, { secure: { ...good, minVersion: version, maxVersion: version } });
    await client(t, at(server), [...trust, '--events', '1']).over();
    assert.deepEqual(protocols, [version]);
  }
  assert.ok(tls.DEFAULT_MAX_VERSION >= 'TLSv1.3');
});

test('crier sub and crier pub speak https, and trust what they are told to', async (t) => {
  const server = await scripted(t, async (connection) => {
    if (connection.request.method === 'GET') connection.send(stream(event('1', 'x')));
    else {
      await connection.readBody();
      published(connection);
    }
  }, { secure: good });
  const url = at(server).slice(0, -1);
  assert.equal((await run(t, ['sub', '-u', url, ...trust, '-n', '1', 'news'])).stdout, 'x\n');
  assert.equal((await run(t, ['pub', '-u', url, 'news', 'x'], { env: { CRIER_CA_FILE: authority.file } })).status, 0);
  const refused = await run(t, ['sub', '-u', url, 'news']);
  assert.equal(refused.status, 1);
  assert.match(refused.stderr, /^crier sub: https:\S+: certificate verify failed: .*\n$/);
  const unsent = await run(t, ['pub', '-u', url, 'news', 'x']);
  assert.equal(unsent.status, 1);
  assert.match(unsent.stderr, /^crier pub: cannot reach https:\S+: certificate verify failed: /);
});
