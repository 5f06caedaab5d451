import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { refusals } from '@skirmish/protocol';
import { eventually, startTcpProxy } from '@skirmish/testing';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Client, clientOf, connected, startGateway, startWorld, type TestGateway, type TestWorld, tokenFor } from './_gateway.ts';
import { ask, engineUrl } from './_polling.ts';

/** What a client should try again is no `connect_error` with a code: it comes back by itself, and gets in as soon as the cause has passed. */
let world: TestWorld;
beforeAll(async () => {
  world = await startWorld();
});
afterAll(() => world[Symbol.asyncDispose]());

const persistent = { reconnection: true, reconnectionDelay: 20, reconnectionDelayMax: 50 };
const refusedCount = async ({ internalUrl }: TestGateway, name: string, code: string): Promise<number> =>
  Number(new RegExp(`^skirmish_${name}_total\\{[^}]*code="${code}"[^}]*\\} (\\d+)$`, 'm').exec((await ask(`${internalUrl}/metrics`)).text)?.[1] ?? 0);

/** Codes that the client was given as final. */
function codesHeard({ socket }: Client): unknown[] {
  const codes: unknown[] = [];
  socket.on('connect_error', (error: Error & { data?: { code: string } }) => { if (error.data) codes.push(error.data.code); });
  return codes;
}

describe('[CON7] server/unavailable', () => {
  it('while the key set of the issuer cannot be had: nobody is let in, nobody is turned away for ever, and the first good answer lets all in', async () => {
    const { publicKey, privateKey } = generateKeyPairSync('ed25519');
    let status = 503;
    const issuer = createServer((_request, response) => {
      response.writeHead(status, { connection: 'close' }).end(JSON.stringify({ keys: [{ ...publicKey.export({ format: 'jwk' }), kid: 'k1' }] }));
    });
    await new Promise<void>((resolve) => { issuer.listen(0, '127.0.0.1', resolve); });
    await using gateway = await startGateway(world, { JWT_JWKS_URL: `http://127.0.0.1:${(issuer.address() as AddressInfo).port}/keys` });
    using client = clientOf(gateway, { token: tokenOf('p1', privateKey) }, persistent);
    const codes = codesHeard(client);
    await eventually(async () => (await refusedCount(gateway, 'connect_refused', 'server/unavailable')) >= 2, { timeoutMs: 20_000 });
    // A token of the secret needs no issuer.
    using other = clientOf(gateway, { token: await tokenFor('p2') });
    await connected(other);
    status = 200;
    await client.hears('session:welcome');
    expect(codes).toEqual([]);
    // From now on its absence is no obstacle.
    issuer.closeAllConnections();
    await new Promise((resolve) => { issuer.close(resolve); });
    using again = clientOf(gateway, { token: tokenOf('p3', privateKey) });
    await connected(again);
  }, 60_000);

  it('while Postgres is away and the player is not known here', async () => {
    const url = new URL(world.databaseUrl);
    await using proxy = await startTcpProxy({ targetPort: Number(url.port) });
    url.port = String(proxy.port);
    await using gateway = await startGateway({ ...world, databaseUrl: url.href });
    proxy.blackhole();
    using client = clientOf(gateway, { token: await tokenFor('p4') }, persistent);
    const codes = codesHeard(client);
    await eventually(async () => (await refusedCount(gateway, 'connect_refused', 'server/unavailable')) >= 1, { timeoutMs: 15_000 });
    proxy.heal();
    await eventually(() => client.payloads('session:welcome').length === 1, { timeoutMs: 15_000 });
    expect(codes).toEqual([]);
  }, 60_000);
});

describe('[CON7] server/draining', () => {
  it('is an HTTP 503 with its sentence and a hint, over both transports', async () => {
    await using gateway = await startGateway(world);
    gateway.gateway.drain('test');
    const refusal = { code: 'server/draining', message: refusals['server/draining'].message, retry: 'later', retryAfterMs: 500 };
    const polling = await ask(engineUrl(gateway.url));
    expect([polling.status, polling.headers['retry-after'], JSON.parse(polling.text)]).toEqual([503, '1', refusal]);
    const upgrade = { connection: 'Upgrade', upgrade: 'websocket', 'sec-websocket-version': '13', 'sec-websocket-key': Buffer.alloc(16).toString('base64') };
    const webSocket = await ask(engineUrl(gateway.url, undefined, 'websocket'), { headers: upgrade });
    expect([webSocket.status, JSON.parse(webSocket.text)]).toEqual([503, refusal]);
    expect(await refusedCount(gateway, 'handshake_refused', 'server/draining')).toBe(2);
  });
});

/** As an issuer with a key of its own signs it. */
function tokenOf(userId: string, key: KeyObject): string {
  const encode = (part: object): string => Buffer.from(JSON.stringify(part)).toString('base64url');
  const iat = Math.floor(Date.now() / 1_000);
  const text = `${encode({ alg: 'EdDSA', kid: 'k1' })}.${encode({ sub: userId, iat, exp: iat + 600 })}`;
  return `${text}.${sign(null, Buffer.from(text), key).toString('base64url')}`;
}
