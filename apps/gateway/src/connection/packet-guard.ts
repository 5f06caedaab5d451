import * as parser from 'socket.io-parser';
import type { RateLimit } from './token-buckets.ts';

export interface PacketGuardOptions {
  /** Frames per connection. The frame that finds the bucket empty closes the connection. */
  readonly frames: RateLimit;
  /** Told once per connection that was cut, with the reason. */
  readonly onCut: (reason: 'flood' | 'second-connect' | 'too-many-namespaces') => void;
  readonly now?: () => number;
}

/** One connection may join a few realms; each CONNECT costs an authentication. */
const namespacesPerConnectionMax = 4;
const connectType = String(parser.PacketType.CONNECT);
const disconnectType = String(parser.PacketType.DISCONNECT);

/**
 * The parser of Socket.IO with a guard in front of its decoder, before JSON is parsed and before anything runs.
 *
 * While an authentication is under way Socket.IO starts another one for every further CONNECT of the same namespace: a
 * single POST of 900 kB started 300,000 of them. Here the second CONNECT, a flood of frames and a binary packet with more
 * than one attachment throw, and Socket.IO closes the connection on a decoder that throws.
 */
export function createGuardedParser(options: PacketGuardOptions): typeof parser {
  const now = options.now ?? (() => performance.now());

  class GuardedDecoder extends parser.Decoder {
    readonly #connected = new Set<string>();
    #tokens = options.frames.burst;
    #refilledAtMs = now();
    #cut: Error | null = null;

    constructor() {
      super({ maxAttachments: 1 });
    }

    override add(packet: unknown): void {
      if (this.#cut) throw this.#cut;
      this.#takeFrame();
      if (typeof packet === 'string') this.#followNamespace(packet);
      super.add(packet);
    }

    #takeFrame(): void {
      const nowMs = now();
      const saved = this.#tokens + ((nowMs - this.#refilledAtMs) * options.frames.ratePerSecond) / 1000;
      this.#tokens = Math.min(options.frames.burst, saved);
      this.#refilledAtMs = nowMs;
      if (this.#tokens < 1) this.#refuse('flood');
      this.#tokens -= 1;
    }

    #followNamespace(packet: string): void {
      const type = packet.charAt(0);
      if (type !== connectType && type !== disconnectType) return;
      const namespace = namespaceIn(packet);
      if (type === disconnectType) {
        this.#connected.delete(namespace);
        return;
      }
      if (this.#connected.has(namespace)) this.#refuse('second-connect');
      if (this.#connected.size >= namespacesPerConnectionMax) this.#refuse('too-many-namespaces');
      this.#connected.add(namespace);
    }

    #refuse(reason: 'flood' | 'second-connect' | 'too-many-namespaces'): never {
      this.#cut = new Error(reason);
      options.onCut(reason);
      throw this.#cut;
    }
  }

  return { ...parser, Decoder: GuardedDecoder };
}

function namespaceIn(packet: string): string {
  if (packet.charAt(1) !== '/') return '/';
  const end = packet.indexOf(',');
  return end === -1 ? packet.slice(1) : packet.slice(1, end);
}
