import type { RoomName } from '@skirmish/protocol';
import type { Breaker, RealmKeys, Redis } from '@skirmish/redis';
import type { VolatileChannels } from './realm-transport-types.ts';

type Handler = (body: unknown) => void;

export interface VolatileOptions {
  publisher: Redis;
  /** Of the publisher. */
  breaker: Pick<Breaker, 'state'>;
  subscriber: Redis;
  keys: RealmKeys;
  /** What was published while the subscriber was away has been missed. */
  onGap: () => void;
  onDropped: (what: 'volatile-publish' | 'volatile-subscribe' | 'volatile-message', error: unknown) => void;
}

/**
 * State and ephemeral events over one Pub/Sub channel per room; a gateway listens only where it follows.
 * At most once, in the order of one publisher, lost while Redis is away; publishing never waits and never throws.
 */
export function createVolatileChannels(options: VolatileOptions): VolatileChannels & { followed: () => number } {
  const { publisher, breaker, subscriber, keys, onGap, onDropped } = options;
  const handlers = new Map<string, Handler>();
  subscriber.on('message', (channel: string, text: string) => {
    const handler = handlers.get(channel);
    if (!handler) return;
    try {
      handler(JSON.parse(text));
    } catch (error) {
      onDropped('volatile-message', error);
    }
  });
  let interrupted = false;
  subscriber.on('close', () => { interrupted = true; });
  subscriber.on('ready', () => {
    if (interrupted) onGap();
    interrupted = false;
  });
  return {
    followed: () => handlers.size,
    publish: (room, body) => {
      // While Redis is away nothing is queued: the next tick is worth more than this one.
      if (publisher.status !== 'ready' || breaker.state !== 'closed') return;
      publisher.publish(keys.volatile(room), JSON.stringify(body)).catch((error: unknown) => {
        onDropped('volatile-publish', error);
      });
    },
    follow: (room: RoomName, handler: Handler) => {
      const channel = keys.volatile(room);
      const known = handlers.has(channel);
      handlers.set(channel, handler);
      if (known) return;
      subscriber.subscribe(channel).catch((error: unknown) => {
        onDropped('volatile-subscribe', error);
      });
    },
    unfollow: (room) => {
      const channel = keys.volatile(room);
      if (!handlers.delete(channel)) return;
      subscriber.unsubscribe(channel).catch((error: unknown) => {
        onDropped('volatile-subscribe', error);
      });
    },
  };
}
