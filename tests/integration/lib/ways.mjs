// SPDX-License-Identifier: MIT
// A forward proxy for http, by absolute-form, and for https, by CONNECT. It notes what it is asked, and may refuse.
import http from 'node:http';
import net from 'node:net';

// refuse(request): nothing, or the status line's end to refuse with, as in '403 Forbidden'.
export async function forwardProxy(t, { refuse = () => null } = {}) {
  const asked = []; // { method, target, authorization, headers }
  const sockets = new Set();
  const note = (request) => asked.push({
    method: request.method, target: request.url, authorization: request.headers['proxy-authorization'], headers: request.headers,
  });
  const server = http.createServer((request, response) => {
    note(request);
    const status = refuse(request);
    if (status) {
      response.writeHead(Number(status.slice(0, 3)), status.slice(4)).end();
      return;
    }
    const { 'proxy-authorization': _, ...headers } = request.headers;
    const onward = http.request(request.url, { method: request.method, headers, agent: false }, (answer) => {
      response.writeHead(answer.statusCode, answer.headers);
      response.flushHeaders();
      answer.pipe(response);
      answer.on('error', () => response.destroy());
    });
    onward.on('error', () => response.destroy());
    response.on('close', () => onward.destroy());
    request.pipe(onward);
  });
  server.on('connect', (request, socket, first) => {
    note(request);
    const status = refuse(request);
    socket.on('error', () => {});
    if (status) {
      socket.end(`HTTP/1.1 ${status}\r\nContent-Length: 2\r\n\r\nno`);
      return;
    }
    const [, host, port] = /^(.*):(\d+)$/.exec(request.url);
    const onward = net.connect(Number(port), host.replace(/^\[|\]$/g, ''), () => {
      socket.write('HTTP/1.1 200 Connection established\r\nVia: test\r\n\r\n');
      onward.write(first);
      onward.pipe(socket);
      socket.pipe(onward);
    });
    sockets.add(onward);
    onward.on('error', () => socket.destroy());
    socket.on('close', () => onward.destroy());
  });
  server.on('connection', (socket) => sockets.add(socket));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  t.after(async () => {
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });
  const { port } = server.address();
  return { port, asked, address: `127.0.0.1:${port}`, url: `http://127.0.0.1:${port}` };
}
