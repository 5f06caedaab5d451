import { parseOrExit } from '@skirmish/config';
import { config, createGateway } from '@skirmish/gateway';
import { announceReady } from '@skirmish/observability';
import { burstsOf } from './_bursts.ts';

/** A gateway that also broadcasts numbered events when it is told to, the plain Socket.IO way. */
const gateway = await createGateway(parseOrExit(config));
const announce = (): void => {
  announceReady({ role: 'gateway', id: gateway.incarnation, publicPort: gateway.publicPort, internalPort: gateway.internalPort });
};
gateway.onIncarnation(announce);
burstsOf(({ room, sender, number }) => {
  gateway.realms[0]?.nsp.to(room).emit('app:numbered' as never, { sender, number });
  return Promise.resolve();
});
process.once('SIGTERM', () => {
  void gateway.stop('SIGTERM').finally(() => process.exit(0));
});
process.once('disconnect', () => process.exit(0));
announce();
