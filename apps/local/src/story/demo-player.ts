import { randomUUID } from 'node:crypto';
import { io, type Socket } from 'socket.io-client';
import { developmentToken } from './development-token.ts';

/** One received event. */
interface Heard {
  event: string;
  payload: Record<string, unknown>;
}

interface Acknowledgement {
  ok: boolean;
  data?: Record<string, unknown>;
  error?: { code: string; message: string };
}

const stepTimeoutMs = 30_000;
const heardMax = 10_000;

/** A plain Socket.IO client of the demo, that remembers what it has heard. */
export class DemoPlayer {
  readonly userId: string;
  readonly characterId: string;
  readonly #socket: Socket;
  readonly #heard: Heard[] = [];
  readonly #waiting = new Set<() => void>();

  private constructor(number: number, socket: Socket) {
    this.userId = `p${number}`;
    this.characterId = `c${number}`;
    this.#socket = socket;
    socket.onAny((event: string, payload: Record<string, unknown>) => {
      this.#heard.push({ event, payload });
      if (this.#heard.length > heardMax) this.#heard.shift();
      for (const look of [...this.#waiting]) look();
    });
  }

  /** Connects player `p<number>` by WebSocket through `url`, with a token of its own unless one is given; resolves with its welcome. */
  static async connect(url: string, realm: string, number: number, given?: string): Promise<{ player: DemoPlayer; welcome: Record<string, unknown> }> {
    const token = given ?? (await developmentToken(url, `p${number}`));
    const socket = io(`${url}/realm/${realm}`, { transports: ['websocket'], auth: { token }, timeout: 4_000, forceNew: true });
    const player = new DemoPlayer(number, socket);
    let refusal = 'no answer';
    socket.on('connect_error', (error) => {
      refusal = error.message;
    });
    try {
      return { player, welcome: await player.next('session:welcome', () => true) };
    } catch (error) {
      player.close();
      throw new Error(`${player.userId} was not welcomed at ${url} (${refusal})`, { cause: error });
    }
  }

  /** Sends an event and resolves to the data of its acknowledgement; rejects when it is refused. */
  async ask(event: string, payload: Record<string, unknown>): Promise<Record<string, unknown>> {
    const answer = (await this.#socket.timeout(stepTimeoutMs).emitWithAck(event, payload)) as Acknowledgement;
    if (answer.ok) return answer.data ?? {};
    throw new Error(`${event} of ${this.userId} was refused: ${answer.error?.code ?? 'no code'} (${answer.error?.message ?? ''})`);
  }

  /** Like `ask` with a command id of its own. */
  command(event: string, payload: Record<string, unknown>): Promise<Record<string, unknown>> {
    return this.ask(event, { commandId: randomUUID(), ...payload });
  }

  /** Resolves to the first such event, also one that came already; rejects after 30 s. */
  next(event: string, matches: (payload: Record<string, unknown>) => boolean): Promise<Record<string, unknown>> {
    return new Promise((resolve, reject) => {
      const end = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(look);
      };
      const look = (): void => {
        const found = this.#heard.find((heard) => heard.event === event && matches(heard.payload));
        if (found === undefined) return;
        end();
        resolve(found.payload);
      };
      const timer = setTimeout(() => {
        end();
        reject(new Error(`${this.userId} did not get ${event} within ${stepTimeoutMs / 1_000} s`));
      }, stepTimeoutMs);
      this.#waiting.add(look);
      look();
    });
  }

  /** What was heard of this event so far. */
  heard(event: string): readonly Record<string, unknown>[] {
    return this.#heard.filter((heard) => heard.event === event).map(({ payload }) => payload);
  }

  close(): void {
    this.#socket.disconnect();
  }
}
