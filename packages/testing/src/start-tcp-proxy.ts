import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** A TCP relay on 127.0.0.1 that can misbehave as networks do. */
export interface TcpProxy extends AsyncDisposable {
  readonly port: number;
  /** How many connections are open now. */
  connections(): number;
  /** Bytes that clients have sent so far. */
  bytesSent(): number;
  /** Nothing passes, in either direction, and nothing is lost: `heal` lets it flow on. */
  pause(): void;
  /** What clients send passes, what they are answered is kept back until `heal`; cut before that with `reset`, it is lost. */
  withhold(): void;
  /** Connections stay open and new ones are accepted, and all bytes are swallowed: a half-open network. */
  blackhole(): void;
  /** The present connections swallow everything for good and stay open; new ones work: a peer that vanished without a word. */
  strand(): void;
  /** New connections go to another port of 127.0.0.1; present ones stay where they are: an address that moves, as after a failover. */
  target(port: number): void;
  /** Cuts the present connections with RST and refuses nothing afterwards. */
  reset(): void;
  /** Back to normal; connections that lost bytes in a black hole are cut, as no real stream continues after a hole. */
  heal(): void;
  close(): Promise<void>;
}

type Mode = 'open' | 'paused' | 'withheld' | 'blackhole';

interface Pair {
  client: Socket;
  server: Socket;
  holed: boolean;
  stranded: boolean;
}

/** Starts a relay to `targetPort` of 127.0.0.1 and resolves when it listens. */
export async function startTcpProxy(options: { targetPort: number; port?: number }): Promise<TcpProxy> {
  const pairs = new Set<Pair>();
  let mode: Mode = 'open';
  let { targetPort } = options;
  let bytesSent = 0;
  const server = createServer((client) => {
    const pair: Pair = { client, server: connect({ port: targetPort, host: '127.0.0.1' }), holed: false, stranded: false };
    pairs.add(pair);
    client.on('data', (chunk) => { bytesSent += chunk.length; });
    relay(pair, () => mode);
    const drop = (): void => {
      pairs.delete(pair);
      pair.client.destroy();
      pair.server.destroy();
    };
    for (const socket of [pair.client, pair.server]) {
      socket.on('error', drop);
      socket.on('close', drop);
      if (mode === 'paused' || (mode === 'withheld' && socket === pair.server)) socket.pause();
    }
  });
  const port = await listen(server, options.port ?? 0);
  const reset = (only: (pair: Pair) => boolean): void => {
    for (const pair of [...pairs].filter(only)) {
      pair.client.resetAndDestroy();
      pair.server.resetAndDestroy();
    }
  };
  const turn = (next: Mode): void => {
    mode = next;
    for (const { client, server: upstream } of pairs) {
      for (const socket of [client, upstream]) {
        if (next === 'paused' || (next === 'withheld' && socket === upstream)) socket.pause();
        else socket.resume();
      }
    }
  };
  const close = async (): Promise<void> => {
    reset(() => true);
    await new Promise<void>((resolve) => server.close(() => { resolve(); }));
  };
  return {
    port,
    connections: () => pairs.size,
    bytesSent: () => bytesSent,
    pause: () => {
      turn('paused');
    },
    withhold: () => {
      turn('withheld');
    },
    blackhole: () => {
      turn('blackhole');
    },
    strand: () => {
      for (const pair of pairs) pair.stranded = true;
    },
    target: (next) => {
      targetPort = next;
    },
    reset: () => {
      reset(() => true);
    },
    heal: () => {
      turn('open');
      reset((pair) => pair.holed);
    },
    close,
    [Symbol.asyncDispose]: close,
  };
}

function relay(pair: Pair, mode: () => Mode): void {
  const pass = (from: Socket, to: Socket): void => {
    from.on('data', (chunk) => {
      if (pair.stranded) return;
      if (mode() === 'blackhole') pair.holed = true;
      else if (!to.destroyed) to.write(chunk);
    });
    from.on('end', () => {
      if (mode() === 'open') to.end();
    });
    from.setNoDelay(true);
  };
  pass(pair.client, pair.server);
  pass(pair.server, pair.client);
}

function listen(server: Server, port: number): Promise<number> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(port, '127.0.0.1', () => {
      resolve((server.address() as AddressInfo).port);
    });
  });
}
