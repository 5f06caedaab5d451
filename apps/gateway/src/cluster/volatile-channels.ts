import type { RoomName } from '@skirmish/protocol';
import type { Breaker, RealmKeys, Redis } from '@skirmish/redis';
import type { VolatileChannels } from './realm-transport-types.ts';

type Handler = (body: unknown, bytes: Uint8Array | null) => void;

/** Bytes of binary messages that wait for Redis at most; more are dropped. */
const waitingBytesMax = 8 * 1024 * 1024;

export interface VolatileOptions {
  publisher: Redis;
  /** Of the publisher. */
  breaker: Pick<Breaker, 'state'>;
  subscriber: Redis;
  keys: RealmKeys;
  /** What was published while the subscriber was away has been missed; what is published from now on is heard. */
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
  let waitingBytes = 0;
  subscriber.on('messageBuffer', (channel: Buffer, message: Buffer) => {
    const handler = handlers.get(channel.toString());
    if (!handler) return;
    try {
      const { body, bytes } = unframed(message);
      handler(body, bytes);
    } catch (error) {
      onDropped('volatile-message', error);
    }
  });
  let interrupted = false;
  subscriber.on('close', () => { interrupted = true; });
  subscriber.on('ready', () => {
    if (!interrupted) return;
    interrupted = false;
    // Sent after the subscriptions, so answered after them. Cut off before that, the next connection asks.
    subscriber.ping().then(onGap, () => undefined);
  });
  return {
    followed: () => handlers.size,
    publish: (room, body, bytes) => {
      // While Redis is away nothing is queued: the next tick is worth more than this one.
      if (publisher.status !== 'ready' || breaker.state !== 'closed') return;
      const size = bytes?.byteLength ?? 0;
      if (waitingBytes + size > waitingBytesMax) {
        onDropped('volatile-publish', new Error('too many bytes wait'));
        return;
      }
      waitingBytes += size;
      publisher.publish(keys.volatile(room), framed(body, bytes)).catch((error: unknown) => {
        onDropped('volatile-publish', error);
      }).finally(() => { waitingBytes -= size; });
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

/** First byte of a message with bytes; no JSON text of an object begins so. */
const binaryMark = 1;
const headerLength = 5;

/** A body alone is JSON text. With bytes: the mark, the length of the JSON in four bytes, the JSON, the bytes. */
function framed(body: object, bytes: Uint8Array | undefined): string | Buffer {
  const text = JSON.stringify(body);
  if (!bytes) return text;
  const json = Buffer.from(text);
  const header = Buffer.alloc(headerLength);
  header.writeUInt8(binaryMark, 0);
  header.writeUInt32BE(json.length, 1);
  return Buffer.concat([header, json, bytes]);
}

/** Throws for anything that `framed` cannot have made. */
function unframed(message: Buffer): { body: unknown; bytes: Uint8Array | null } {
  if (message[0] !== binaryMark) return { body: JSON.parse(message.toString()), bytes: null };
  const end = headerLength + message.readUInt32BE(1);
  if (end > message.length) throw new RangeError('a message that ends before its body');
  return { body: JSON.parse(message.toString('utf8', headerLength, end)), bytes: message.subarray(end) };
}
