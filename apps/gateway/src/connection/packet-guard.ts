import * as parser from 'socket.io-parser';
import type { RateLimit } from './token-buckets.ts';

/** Why a connection was cut. */
export type Cut = 'flood' | 'second-connect' | 'too-many-namespaces' | 'bad-attachments' | 'attachment-missing';

export interface PacketGuardOptions {
  /** Frames per connection. The frame that finds the bucket empty closes the connection. */
  readonly frames: RateLimit;
  /** Events that take an attachment; at most one each. */
  readonly binaryEvents: ReadonlySet<string>;
  /** Time from the header of a binary packet to its attachment. */
  readonly attachmentTimeoutMs: number;
  /** Told once per connection that was cut, with the reason. */
  readonly onCut: (reason: Cut) => void;
  readonly now?: () => number;
}

/** One connection may join a few realms; each CONNECT costs an authentication. */
const namespacesPerConnectionMax = 4;

const type = { connect: '0', disconnect: '1', event: '2', acknowledgement: '3', binaryEvent: '5', binaryAcknowledgement: '6' } as const;
/** What a client may never send, so Socket.IO closes the connection. */
const fatalPacket = { type: parser.PacketType.CONNECT_ERROR, nsp: '/', data: { message: 'cut' } };
/** The name in a header of a binary event: after type, count, namespace and id. No event that takes binary needs an escape. */
const binaryName = /^51-(?:\/[^,]*,)?\d*\["([^"\\]{1,64})"/;

/**
 * The parser of Socket.IO with a guard in front of its decoder, before JSON is parsed and before anything runs.
 *
 * While an authentication is under way Socket.IO starts another one for every further CONNECT of the same namespace: a
 * single POST of 900 kB started 300,000 of them. Here the second CONNECT, a flood of frames and a binary packet with more
 * than one attachment throw, and Socket.IO closes the connection on a decoder that throws. A binary packet of an event that
 * takes none is passed on at once without its attachment, so that the client gets a refusal; the attachment is dropped.
 */
export function createGuardedParser(options: PacketGuardOptions): typeof parser {
  class Decoder extends GuardedDecoder {
    constructor() {
      super(options);
    }
  }
  return { ...parser, Decoder };
}

/** Why the connection of a Socket.IO client was cut; null when it was not. */
export function cutOf(client: object): Cut | null {
  const { decoder } = client as { decoder?: unknown };
  return decoder instanceof GuardedDecoder ? decoder.cut : null;
}

/** One for each connection. */
class GuardedDecoder extends parser.Decoder {
  readonly #connected = new Set<string>();
  readonly #options: PacketGuardOptions;
  readonly #now: () => number;
  #tokens: number;
  #refilledAtMs: number;
  #cut: Error | null = null;
  /** Why the connection was cut, if it was. */
  cut: Cut | null = null;
  /** The next binary frame belongs to a packet that was passed on without it. */
  #dropsNext = false;
  #overdue: NodeJS.Timeout | undefined;

  constructor(options: PacketGuardOptions) {
    super({ maxAttachments: 1 });
    this.#options = options;
    this.#now = options.now ?? (() => performance.now());
    this.#tokens = options.frames.burst;
    this.#refilledAtMs = this.#now();
  }

  override add(packet: unknown): void {
    if (this.#cut) throw this.#cut;
    this.#takeFrame();
    if (typeof packet === 'string') this.#addText(packet);
    else this.#addAttachment(packet);
  }

  override destroy(): void {
    clearTimeout(this.#overdue);
    super.destroy();
  }

  #addText(packet: string): void {
    if (this.#dropsNext) this.#refuse('attachment-missing');
    const kind = packet.charAt(0);
    if (kind === type.connect || kind === type.disconnect) this.#followNamespace(kind, packet);
    if (kind === type.binaryEvent || kind === type.binaryAcknowledgement) this.#addHeader(kind, packet);
    else super.add(packet);
  }

  #addHeader(kind: string, packet: string): void {
    // Exactly so: the decoder behind would take `1e0` or ` 1` for a count as well.
    if (!/^[56]1-/.test(packet)) this.#refuse('bad-attachments');
    const takesBinary = kind === type.binaryEvent && this.#options.binaryEvents.has(binaryName.exec(packet)?.[1] ?? '');
    if (takesBinary) super.add(packet);
    else super.add((kind === type.binaryEvent ? type.event : type.acknowledgement) + packet.slice(3));
    this.#dropsNext = !takesBinary;
    this.#overdue = setTimeout(() => {
      this.#note('attachment-missing');
      this.emitReserved('decoded', fatalPacket);
    }, this.#options.attachmentTimeoutMs);
  }

  #addAttachment(packet: unknown): void {
    clearTimeout(this.#overdue);
    if (!this.#dropsNext) super.add(packet);
    this.#dropsNext = false;
  }

  #takeFrame(): void {
    const nowMs = this.#now();
    const { ratePerSecond, burst } = this.#options.frames;
    const saved = this.#tokens + ((nowMs - this.#refilledAtMs) * ratePerSecond) / 1000;
    this.#tokens = Math.min(burst, saved);
    this.#refilledAtMs = nowMs;
    if (this.#tokens < 1) this.#refuse('flood');
    this.#tokens -= 1;
  }

  #followNamespace(kind: string, packet: string): void {
    const namespace = namespaceIn(packet);
    if (kind === type.disconnect) {
      this.#connected.delete(namespace);
      return;
    }
    if (this.#connected.has(namespace)) this.#refuse('second-connect');
    if (this.#connected.size >= namespacesPerConnectionMax) this.#refuse('too-many-namespaces');
    this.#connected.add(namespace);
  }

  #refuse(reason: Cut): never {
    throw this.#note(reason);
  }

  #note(reason: Cut): Error {
    clearTimeout(this.#overdue);
    this.cut = reason;
    this.#cut = new Error(reason);
    this.#options.onCut(reason);
    return this.#cut;
  }
}

function namespaceIn(packet: string): string {
  if (packet.charAt(1) !== '/') return '/';
  const end = packet.indexOf(',');
  return end === -1 ? packet.slice(1) : packet.slice(1, end);
}
