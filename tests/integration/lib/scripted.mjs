// SPDX-License-Identifier: MIT
// A server that does exactly what a test says, byte by byte, on raw sockets: no HTTP library mends anything.
//
//     const server = await scripted(t, async (connection) => {
//         connection.send(head());
//         connection.cut();
//     });
//
// The script runs once for each connection, after its request head has come. connection.index counts from 0.
import net from 'node:net';
import tls from 'node:tls';

// Parses a request head: names in lower case, as a Map.
function parseHead(text) {
  const [line, ...rest] = text.split('\r\n');
  const [method, target, version] = line.split(' ');
  const headers = new Map();
  for (const header of rest) {
    const colon = header.indexOf(':');
    headers.set(header.slice(0, colon).toLowerCase(), header.slice(colon + 1).trim());
  }
  return { method, target, version, headers };
}

class Connection {
  constructor(socket, index) {
    this.socket = socket;
    this.index = index;
    this.received = Buffer.alloc(0);
    this.request = null;
    this.bodyStart = 0;
    this.waiters = [];
    this.closed = new Promise((resolve) => socket.once('close', resolve));
    socket.setNoDelay(true);
    socket.on('error', () => {});
    socket.on('data', (bytes) => {
      this.received = Buffer.concat([this.received, bytes]);
      this.wake();
    });
    socket.once('end', () => this.wake());
    socket.once('close', () => this.wake());
  }

  wake() {
    for (const waiter of this.waiters.splice(0)) waiter();
  }

  // Resolves as soon as test(received bytes) is true, or the peer is gone (then with false).
  async until(test) {
    while (!test(this.received)) {
      if (this.socket.readableEnded || this.socket.destroyed) return false;
      await new Promise((resolve) => this.waiters.push(resolve));
    }
    return true;
  }

  async readHead() {
    if (!(await this.until((bytes) => bytes.includes('\r\n\r\n')))) return false;
    const end = this.received.indexOf('\r\n\r\n');
    this.request = parseHead(this.received.subarray(0, end).toString('utf8'));
    this.bodyStart = end + 4;
    return true;
  }

  // What came of the body so far, chunk framing taken off.
  body() {
    const raw = this.received.subarray(this.bodyStart);
    if (this.request.headers.get('transfer-encoding') !== 'chunked') return raw.toString('utf8');
    const parts = [];
    let at = 0;
    for (;;) {
      const end = raw.indexOf('\r\n', at);
      if (end < 0) break;
      const size = Number.parseInt(raw.subarray(at, end).toString(), 16);
      if (size === 0 || raw.length < end + 2 + size + 2) break;
      parts.push(raw.subarray(end + 2, end + 2 + size));
      at = end + 2 + size + 2;
    }
    return Buffer.concat(parts).toString('utf8');
  }

  // The whole body.
  async readBody() {
    if (this.request.headers.get('transfer-encoding') === 'chunked') {
      await this.until((bytes) => bytes.subarray(this.bodyStart).toString('latin1').endsWith('0\r\n\r\n'));
    } else {
      const length = Number(this.request.headers.get('content-length') ?? 0);
      await this.until((bytes) => bytes.length >= this.bodyStart + length);
    }
    return this.body();
  }

  send(bytes) {
    if (!this.socket.destroyed) this.socket.write(bytes);
  }

  // Sends the bytes, then closes the connection at once.
  end(bytes = '') {
    this.socket.end(bytes);
  }

  // Closes with a reset, once everything sent has left.
  cut() {
    this.socket.end(() => this.socket.resetAndDestroy());
  }

  // An answer with a body of known length, and the end.
  answer(status, headers = {}, body = '') {
    const lines = Object.entries(headers).map(([name, value]) => `${name}: ${value}\r\n`);
    this.end(`HTTP/1.1 ${status}\r\n${lines.join('')}Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`);
  }
}

// A stream's head. Chunked unless said otherwise.
export function head({ status = '200 OK', type = 'text/event-stream', chunked = true, more = '' } = {}) {
  return `HTTP/1.1 ${status}\r\nContent-Type: ${type}\r\n${chunked ? 'Transfer-Encoding: chunked\r\n' : ''}${more}\r\n`;
}

export function chunk(text) {
  return `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;
}

export const lastChunk = '0\r\n\r\n';

export function event(id, data, type) {
  const lines = String(data).split('\n').map((line) => `data: ${line}\n`).join('');
  return `${type ? `event: ${type}\n` : ''}id: ${id}\n${lines}\n`;
}

// The answer to a publish.
export function published(connection, object = { id: '1-0', topic: 't' }) {
  connection.answer('201 Created', { 'Content-Type': 'application/json' }, `${JSON.stringify(object)}\n`);
}

// secure: the options of a TLS server (key, cert).
export async function scripted(t, script, { port = 0, host = '127.0.0.1', secure = null } = {}) {
  const connections = [];
  const errors = [];
  let closing = false;
  const accept = async (socket) => {
    if (closing) {
      socket.destroy();
      return;
    }
    const connection = new Connection(socket, connections.length);
    connections.push(connection);
    if (!(await connection.readHead())) {
      socket.destroy();
      return;
    }
    try {
      await script(connection);
    } catch (error) {
      errors.push(error);
      socket.destroy();
    }
  };
  const server = secure ? tls.createServer({ ...secure, allowHalfOpen: true }, accept)
    : net.createServer({ allowHalfOpen: true }, accept);
  await new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, host, resolve);
  });
  const self = {
    port: server.address().port,
    url: `${secure ? 'https' : 'http'}://${host}:${server.address().port}`,
    connections,
    server,
    // Takes the port away and drops all connections.
    async close() {
      closing = true;
      const closed = server.listening && new Promise((resolve) => server.close(resolve));
      for (const { socket } of connections) socket.destroy();
      await closed;
    },
  };
  t.after(async () => {
    await self.close();
    if (errors.length > 0) throw errors[0];
  });
  return self;
}

// A port that was free a moment ago, and that nobody listens on.
export async function freePort() {
  const server = net.createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
