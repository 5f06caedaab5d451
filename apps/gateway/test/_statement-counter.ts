import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

/** A relay before Postgres that counts the statements which pass it. */
export interface StatementCounter extends AsyncDisposable {
  readonly url: string;
  readonly statements: number;
}

/** Message types with which a client runs a statement: Query, and Execute of the extended protocol. */
const query = 0x51;
const execute = 0x45;

/** Starts a relay to the database at `databaseUrl`; closing it cuts what is open. */
export async function startStatementCounter(databaseUrl: string): Promise<StatementCounter> {
  const url = new URL(databaseUrl);
  const target = { host: url.hostname, port: Number(url.port) };
  const sockets = new Set<Socket>();
  let statements = 0;
  const server = createServer((client) => {
    const upstream = connect(target);
    for (const socket of [client, upstream]) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => {
        sockets.delete(socket);
        client.destroy();
        upstream.destroy();
      });
    }
    const count = createReader((type) => { if (type === query || type === execute) statements += 1; });
    client.on('data', count);
    client.pipe(upstream).pipe(client);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    get statements() {
      return statements;
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      await new Promise<void>((resolve) => server.close(() => { resolve(); }));
    },
  };
}

/** Cuts the stream of a client into messages and tells their types; the first one, of the start, has none. */
function createReader(onMessage: (type: number) => void): (chunk: Buffer) => void {
  let rest = Buffer.alloc(0);
  let typeBytes = 0;
  return (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= typeBytes + 4) {
      const bytes = typeBytes + rest.readUInt32BE(typeBytes);
      if (rest.length < bytes) return;
      if (typeBytes === 1) onMessage(rest.readUInt8(0));
      rest = rest.subarray(bytes);
      typeBytes = 1;
    }
  };
}
