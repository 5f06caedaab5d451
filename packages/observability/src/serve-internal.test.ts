import { connect } from 'node:net';
import { once } from 'node:events';
import { describe, expect, it } from 'vitest';
import { createHealth, type Health } from './create-health.ts';
import { createMetrics, type Metrics } from './create-metrics.ts';
import { serveInternal, type InternalServer, type InternalServerOptions } from './serve-internal.ts';

interface Started extends AsyncDisposable {
  readonly health: Health;
  readonly metrics: Metrics;
  readonly server: InternalServer;
  get(path: string, method?: string): Promise<{ status: number; type: string | null; text: string }>;
}

async function start(options: Partial<InternalServerOptions> = {}): Promise<Started> {
  const health = createHealth();
  const metrics = createMetrics({ process: 'test', runtime: false });
  const server = await serveInternal({ host: '127.0.0.1', port: 0, health, metrics, ...options });
  return {
    health,
    metrics,
    server,
    async get(path, method = 'GET') {
      const response = await fetch(`http://127.0.0.1:${server.port}${path}`, { method });
      return { status: response.status, type: response.headers.get('content-type'), text: await response.text() };
    },
    [Symbol.asyncDispose]: () => server.close(),
  };
}

describe('serveInternal', () => {
  it('says on /healthz that the process is alive, whatever its checks say', async () => {
    await using internal = await start();
    internal.health.register('bus', () => ({ ok: false }));
    internal.health.drain('SIGTERM');
    expect(await internal.get('/healthz')).toEqual({ status: 200, type: 'application/json; charset=utf-8', text: '{"ok":true,"data":{"alive":true}}' });
  });

  it('says on /readyz whether the process wants traffic, and why not', async () => {
    await using internal = await start();
    expect(await internal.get('/readyz')).toMatchObject({ status: 200, text: '{"ok":true,"data":{"ready":true,"reasons":[]}}' });
    internal.health.register('bus', () => ({ ok: false, reason: 'away' }));
    const unavailable = await internal.get('/readyz');
    expect(unavailable.status).toBe(503);
    expect(JSON.parse(unavailable.text)).toMatchObject({ ok: false, error: { code: 'server/unavailable', retry: 'later', reasons: ['bus: away'] } });
    internal.health.drain('SIGTERM');
    const draining = await internal.get('/readyz');
    expect(draining.status).toBe(503);
    expect(JSON.parse(draining.text)).toMatchObject({ error: { code: 'server/draining', reasons: ['draining: SIGTERM', 'bus: away'] } });
  });

  it('shows the whole report on /health', async () => {
    await using internal = await start();
    internal.health.register('sockets', () => ({ ok: true, details: { count: 3 } }));
    const { status, text } = await internal.get('/health');
    expect(status).toBe(200);
    expect(JSON.parse(text)).toMatchObject({ ok: true, data: { ready: true, pid: process.pid, checks: { sockets: { ok: true, details: { count: 3 } } } } });
  });

  it('serves /metrics in the Prometheus format, also with a query', async () => {
    await using internal = await start();
    internal.metrics.counter({ name: 'x_total', help: 'x' }).inc();
    const { status, type, text } = await internal.get('/metrics?name=x');
    expect([status, type]).toEqual([200, 'text/plain; version=0.0.4; charset=utf-8']);
    expect(text).toContain('skirmish_x_total{process="test"} 1');
  });

  it('answers HEAD without a body', async () => {
    await using internal = await start();
    expect(await internal.get('/healthz', 'HEAD')).toMatchObject({ status: 200, text: '' });
  });

  it.each([
    ['/nothing', 'GET'],
    ['/healthz/', 'GET'],
    ['/healthz', 'POST'],
  ])('refuses %s by %s', async (path, method) => {
    await using internal = await start();
    const { status, text } = await internal.get(path, method);
    expect(status).toBe(404);
    expect(JSON.parse(text)).toMatchObject({ ok: false, error: { code: 'http/not-found' } });
  });

  it('forbids caches', async () => {
    await using internal = await start();
    const response = await fetch(`http://127.0.0.1:${internal.server.port}/readyz`);
    await response.text();
    expect(response.headers.get('cache-control')).toBe('no-store');
  });

  it('answers a fault of its own with server/internal', async () => {
    const metrics = { ...createMetrics({ process: 'test', runtime: false }), render: () => Promise.reject(new Error('hush')) };
    await using internal = await start({ metrics });
    const { status, text } = await internal.get('/metrics');
    expect(status).toBe(503);
    expect(JSON.parse(text)).toMatchObject({ error: { code: 'server/internal' } });
    expect(text).not.toContain('hush');
  });

  it('gives a handler the first word', async () => {
    await using internal = await start({
      handle: (incoming, response) => {
        if (incoming.url === '/throw') throw new Error('hush');
        if (incoming.url === '/torn') {
          response.writeHead(200).write('half');
          throw new Error('hush');
        }
        if (incoming.url !== '/mine') return false;
        response.end('mine');
        return true;
      },
    });
    expect(await internal.get('/mine')).toMatchObject({ status: 200, text: 'mine' });
    expect((await internal.get('/healthz')).status).toBe(200);
    expect((await internal.get('/throw')).status).toBe(503);
    await expect(internal.get('/torn')).rejects.toThrow();
    expect((await internal.get('/healthz')).status).toBe(200);
  });

  it('rejects when the port is taken', async () => {
    await using internal = await start();
    await expect(start({ port: internal.server.port })).rejects.toMatchObject({ code: 'EADDRINUSE' });
  });

  it('closes idle, busy and upgraded connections, and may be closed again', async () => {
    const internal = await start({ handle: (incoming) => incoming.url === '/for-ever' });
    internal.server.server.on('upgrade', (_, socket) => socket.write('HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'));
    const requests = ['', 'GET /for-ever HTTP/1.1\r\nHost: x\r\n\r\n', 'GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n'];
    const sockets = requests.map((head) => {
      const socket = connect(internal.server.port, '127.0.0.1').on('error', () => undefined);
      socket.write(head);
      return socket;
    });
    await Promise.all([...sockets.map((socket) => once(socket, 'connect')), once(sockets[2]!, 'data')]);
    await Promise.all([internal.server.close(), ...sockets.map((socket) => once(socket, 'close'))]);
    await internal.server.close();
    await expect(internal.get('/healthz')).rejects.toThrow();
  });
});
