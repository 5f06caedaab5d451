import { parseOrExit } from '@skirmish/config';
import { config, createGateway, events } from '@skirmish/gateway';
import type { GatewayParts } from '@skirmish/gateway';
import { announceReady } from '@skirmish/observability';

/**
 * The gateway as it is, but that two events of its table echo: `chat:send` sends back its text as an event, `party:data` sends back its bytes, asks the client
 * for an acknowledgement, sends several events at once, or ends the session from the server's side.
 */
type Table = NonNullable<GatewayParts['events']>;
const limit = { ratePerSecond: 100_000, burst: 100_000, bucket: 'echo', scope: 'user' } as const;
const may = (): void => undefined;

const table: Table = {
  ...events,
  'chat:send': {
    limit, may, order: 'at-once',
    handle: ({ session: { socket } }, { text }) => {
      socket.emit('app:echo', { text });
      return { messageId: '018f0000-0000-7000-8000-000000000000' as never };
    },
  },
  'party:data': {
    limit, may, order: 'at-once',
    handle: ({ session: { socket, userId } }, { kind, bytes }) => {
      const emit = (event: string, payload: object): void => { socket.emit(event as 'app:any', payload); };
      switch (kind) {
        case 'echo':
          emit('party:data', { from: userId, kind, bytes: Buffer.from(bytes) });
          break;
        case 'ask':
          // No event of the game asks for an acknowledgement, so the types know none.
          (socket.emit as (event: string, payload: object, answered: (answer: unknown) => void) => void).call(socket, 'app:ask', { question: 1 }, (answer) => {
            emit('app:answered', { answer });
          });
          break;
        case 'burst':
          for (const number of [1, 2, 3, 4, 5]) emit('app:number', { number });
          break;
        case 'disconnect':
          socket.disconnect();
          break;
        case 'cut':
          socket.conn.close();
      }
      // Bytes in an acknowledgement, which no event of the game has.
      return { bytes: Buffer.from(bytes) };
    },
  },
};

const gateway = await createGateway(parseOrExit(config), { events: table });
const announce = (): void => {
  announceReady({ role: 'gateway', id: gateway.incarnation, publicPort: gateway.publicPort, internalPort: gateway.internalPort });
};
gateway.onIncarnation(announce);
process.once('SIGTERM', () => {
  void gateway.stop('SIGTERM').finally(() => process.exit(0));
});
process.once('disconnect', () => process.exit(0));
announce();
