import { randomBytes } from 'node:crypto';

/** 144 bits: whoever knows a session id may speak for the session. */
const secretBytes = 18;
const form = /^([A-Za-z0-9-]{1,64})\.[A-Za-z0-9_-]{24}$/;
/** Ids that this process had before; each of them ended with a closing of all sessions. */
const ownMax = 100;

/** Makes Engine.IO session ids that name their owner, and reads that name. Texts of any kind may be asked about. */
export class SessionIds {
  readonly #incarnation: () => string;
  readonly #own = new Set<string>();

  constructor(incarnation: () => string) {
    this.#incarnation = incarnation;
  }

  fresh(): string {
    const incarnation = this.#incarnation();
    if (!this.#own.has(incarnation)) this.#remember(incarnation);
    return `${incarnation}.${randomBytes(secretBytes).toString('base64url')}`;
  }

  /** The incarnation of another process that a session id names; null when it is one of ours or no session id at all. */
  foreignOwnerOf(sid: string): string | null {
    const owner = form.exec(sid)?.[1];
    if (owner === undefined || owner === this.#incarnation() || this.#own.has(owner)) return null;
    return owner;
  }

  #remember(incarnation: string): void {
    this.#own.add(incarnation);
    for (const oldest of this.#own) {
      if (this.#own.size <= ownMax) return;
      this.#own.delete(oldest);
    }
  }
}

/** The session id of a request as the engine reads it: of several the last one; null when there is none. */
export function sidOf(url: string): string | null {
  if (!URL.canParse(url, 'http://gateway')) return null;
  const sid = new URL(url, 'http://gateway').searchParams.getAll('sid').at(-1);
  return sid === undefined || sid === '' ? null : sid;
}
