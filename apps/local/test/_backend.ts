import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { Duplex } from 'node:stream';

/** A server that says its name: what a gateway is to a load balancer. */
export interface Backend {
  name: string;
  port: number;
  ready: boolean;
  /** Cuts the connection of each request after it was received. */
  breaks: boolean;
  /** Requests for sessions that it received. */
  received: number;
  close(): Promise<void>;
}

/** Answers `/readyz` with 200 or 503, everything else with its name and what it was sent, and an upgrade by echoing in capitals. */
export async function startBackend(name: string): Promise<Backend> {
  const backend: Backend = { name, port: 0, ready: true, breaks: false, received: 0, close: () => close(server, tunnels) };
  const tunnels = new Set<Duplex>();
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      if (request.url?.includes('sid=')) backend.received += 1;
      if (backend.breaks) return void request.socket.destroy();
      response.writeHead(request.url !== '/readyz' || backend.ready ? 200 : 503, { 'x-name': name });
      response.end(request.url === '/headers' ? JSON.stringify(request.headers) : `${name}${body === '' ? '' : `:${body}`}`);
    });
  });
  server.on('upgrade', (_request, socket) => {
    tunnels.add(socket);
    socket.on('error', () => undefined);
    socket.write(`HTTP/1.1 101 Switching Protocols\r\nUpgrade: echo\r\nConnection: Upgrade\r\n\r\n${name} `);
    socket.on('data', (chunk: Buffer) => socket.write(chunk.toString().toUpperCase()));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  backend.port = (server.address() as AddressInfo).port;
  return backend;
}

function close(server: Server, tunnels: ReadonlySet<Duplex>): Promise<void> {
  for (const tunnel of tunnels) tunnel.destroy();
  server.closeAllConnections();
  return new Promise((resolve) => server.close(() => resolve()));
}
