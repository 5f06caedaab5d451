import { startTcpProxy, type TcpProxy } from '@skirmish/testing';
import type { Membership, Step } from './_delivery-checker.ts';
import { Player, type PlayerOptions } from './_player.ts';

/** What hears of the connections of a traveller: `welcome` is the how-manieth. */
export type WelcomeListener = (welcome: number) => void;

/** A plain Socket.IO client that comes back by itself, behind a network of its own, and keeps a journal for the checker. */
export class Traveller implements AsyncDisposable {
  readonly userId: string;
  readonly player: Player;
  readonly proxy: TcpProxy;
  /** Rooms of which it is a member, beside times. */
  readonly memberships: Membership[] = [];
  /** What `socket.recovered` said at each welcome. */
  readonly recovered: boolean[] = [];
  readonly #listeners: WelcomeListener[] = [];

  /** `targetPort` is the load balancer's. Connects when `player.connect` is called. */
  static async create(userId: string, targetPort: number, options: Omit<PlayerOptions, 'url'>): Promise<Traveller> {
    return new Traveller(userId, await startTcpProxy({ targetPort }), options);
  }

  constructor(userId: string, proxy: TcpProxy, options: Omit<PlayerOptions, 'url'>) {
    this.userId = userId;
    this.proxy = proxy;
    this.player = new Player({ url: `http://127.0.0.1:${proxy.port}`, reconnection: true, ...options });
    this.player.socket.io.reconnectionDelayMax(500);
    this.player.socket.on('session:welcome', () => {
      this.recovered.push(this.player.socket.recovered);
      for (const listener of this.#listeners) listener(this.recovered.length);
    });
  }

  /** Socket.IO's private session id, which a resume names; undefined before the first connect. */
  get pid(): string | undefined {
    return (this.player.socket as unknown as { _pid?: string })._pid;
  }

  /** The position from which a resume would go on. */
  get offset(): string | undefined {
    return (this.player.socket as unknown as { _lastOffset?: string })._lastOffset;
  }

  /** Called in the turn of each welcome. */
  onWelcome(listener: WelcomeListener): void {
    this.#listeners.push(listener);
  }

  /** Ends the connection as a network does, with RST and without a word of the protocol. */
  drop(): void {
    this.proxy.reset();
  }

  steps(): Step[] {
    let welcomes = 0;
    return this.player.received.flatMap(({ event, payload, position }): Step[] => {
      if (event === 'session:welcome') {
        const recovered = this.recovered[welcomes] ?? false;
        welcomes += 1;
        return [{ kind: 'welcome', position: position ?? '0-0', recovered, rooms: (payload as { rooms: string[] }).rooms }];
      }
      if (event === 'session:reload') return [{ kind: 'reload', reason: (payload as { reason: string }).reason }];
      if (position === undefined) return [];
      if (event !== 'app:n') return [{ kind: 'position', position }];
      return [{ kind: 'event', ...(payload as { sender: string; number: number }), position }];
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.player[Symbol.asyncDispose]();
    await this.proxy.close();
  }
}
