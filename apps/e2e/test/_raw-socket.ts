import { eventually } from '@skirmish/testing';
import type { Connection, Packet } from './_raw-client.ts';

/** The packet types of the Socket.IO protocol, version 5. */
export const packetType = { connect: 0, disconnect: 1, event: 2, ack: 3, connectError: 4, binaryEvent: 5, binaryAck: 6 } as const;

/** One Socket.IO packet with its attachments. */
export interface SocketPacket {
  type: number;
  namespace: string;
  id: number | null;
  data: unknown;
  attachments: Buffer[];
}

const form = /^(?<type>\d)(?:(?<count>\d+)-)?(?:(?<namespace>\/[^,]*),)?(?<id>\d+)?(?<json>[[{"].*)?$/s;

/** Packets of a stream of messages; a binary one whose attachments have not all arrived is left out. Throws at broken framing. */
export function readPackets(messages: readonly Packet[]): SocketPacket[] {
  const packets: SocketPacket[] = [];
  let missing = 0;
  for (const message of messages) {
    const last = packets.at(-1);
    if (typeof message !== 'string') {
      if (missing === 0 || last === undefined) throw new Error('an attachment without its packet');
      last.attachments.push(message);
      missing -= 1;
      continue;
    }
    const found = form.exec(message)?.groups;
    if (missing > 0 || found === undefined) throw new Error(`broken framing: ${message}`);
    missing = Number(found['count'] ?? 0);
    const { type, namespace = '/', id, json } = found;
    packets.push({ type: Number(type), namespace, id: id === undefined ? null : Number(id), data: json === undefined ? undefined : JSON.parse(json), attachments: [] });
  }
  return missing > 0 ? packets.slice(0, -1) : packets;
}

/** A namespace of a connection, spoken by hand. */
export class RawNamespace {
  readonly connection: Connection;
  readonly name: string;
  #id = 1_000;

  constructor(connection: Connection, name: string) {
    this.connection = connection;
    this.name = name;
  }

  /** What came in this namespace, in order. */
  packets(): SocketPacket[] {
    return readPackets(this.connection.messages).filter(({ namespace }) => namespace === this.name);
  }

  /** The payloads of an event, in order. */
  events(name: string): { payload: unknown; id: number | null; attachments: Buffer[] }[] {
    return this.packets()
      .filter(({ type, data }) => (type === packetType.event || type === packetType.binaryEvent) && Array.isArray(data) && data[0] === name)
      .map(({ data, id, attachments }) => ({ payload: (data as unknown[])[1], id, attachments }));
  }

  /** Sends one packet by hand, with its attachments behind it. */
  send(type: number, rest: string, ...attachments: Buffer[]): Promise<void> {
    return this.connection.send(this.text(type, rest, attachments.length), ...attachments);
  }

  /** One packet as text, the Engine.IO type included. */
  text(type: number, rest: string, attachmentCount = 0): string {
    return `4${type}${attachmentCount > 0 ? `${attachmentCount}-` : ''}${this.name === '/' ? '' : `${this.name},`}${rest}`;
  }

  /** Sends CONNECT and resolves to what answers it. */
  async connect(payload?: object): Promise<SocketPacket> {
    const before = this.#answersToConnect().length;
    await this.send(packetType.connect, payload === undefined ? '' : JSON.stringify(payload));
    return eventually(() => {
      const answer = this.#answersToConnect()[before];
      if (answer === undefined) throw new Error(this.connection.isOpen() ? 'nothing came' : 'the connection ended');
      return answer;
    }, { timeoutMs: 15_000, intervalMs: 5, what: 'the answer to CONNECT' });
  }

  /** Connects with this token and waits for the welcome. */
  async enter(token: string): Promise<this> {
    const answer = await this.connect({ token });
    if (answer.type !== packetType.connect) throw new Error(`refused: ${JSON.stringify(answer.data)}`);
    await this.hears('session:welcome');
    return this;
  }

  #answersToConnect(): SocketPacket[] {
    return this.packets().filter(({ type }) => type === packetType.connect || type === packetType.connectError);
  }

  /** The event of this name with this index, now or later. */
  hears(name: string, index = 0): Promise<{ payload: unknown; id: number | null; attachments: Buffer[] }> {
    return eventually(() => {
      const event = this.events(name)[index];
      if (event === undefined) throw new Error(this.connection.isOpen() ? 'nothing came' : 'the connection ended');
      return event;
    }, { timeoutMs: 15_000, intervalMs: 5, what: `${name} number ${index}` });
  }

  /** Every acknowledgement with this id. */
  answers(id: number): SocketPacket[] {
    return this.packets().filter((packet) => packet.id === id && (packet.type === packetType.ack || packet.type === packetType.binaryAck));
  }

  answered(id: number): Promise<SocketPacket> {
    return eventually(() => {
      const answer = this.answers(id)[0];
      if (answer === undefined) throw new Error(this.connection.isOpen() ? 'nothing came' : 'the connection ended');
      return answer;
    }, { timeoutMs: 15_000, intervalMs: 5, what: `the acknowledgement ${id}` });
  }

  /** Sends an event with an acknowledgement of its own id and resolves to the answer. */
  async ask(event: string, payload: unknown, ...attachments: Buffer[]): Promise<SocketPacket> {
    const id = this.#id++;
    const type = attachments.length > 0 ? packetType.binaryEvent : packetType.event;
    await this.send(type, `${id}${JSON.stringify([event, payload])}`, ...attachments);
    return this.answered(id);
  }

  /** Whether the server still answers here: `open`, or `closed` once the connection is over. */
  async state(): Promise<'open' | 'closed'> {
    const id = this.#id++;
    await this.send(packetType.event, `${id}["session:ping",{"atMs":1}]`);
    return eventually(() => (this.answers(id).length > 0 ? 'open' : this.connection.isOpen() ? '' : 'closed'), { timeoutMs: 15_000, intervalMs: 5, what: 'an answer or the end' }) as Promise<'open' | 'closed'>;
  }
}
