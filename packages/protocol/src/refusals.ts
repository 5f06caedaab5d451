/** The one catalogue of refusals: what a client reads, whether it may repeat the request, and what happens to its connection. */

/**
 * `never`: the same request never succeeds. `later`: it may, after `retryAfterMs` or when its cause has passed.
 * `now`: the world moved on meanwhile; decide anew from the newest state and send at once, under a new command id.
 */
export type Retry = 'never' | 'later' | 'now';

export interface RefusalEntry {
  /** One sentence for people; never contains anything that a client sent. */
  readonly message: string;
  readonly retry: Retry;
  /** A hint in milliseconds; the refusal itself may carry a better one. */
  readonly retryAfterMs?: number;
  /** Whether a connection, or the attempt to make one, ends with it; as the answer to an event (`session:refresh`) it does not. */
  readonly closes: boolean;
  /** HTTP status where the refusal is an HTTP answer. */
  readonly status: 400 | 401 | 403 | 404 | 409 | 413 | 429 | 503;
}

const entry = (message: string, retry: Retry, status: RefusalEntry['status'], more?: { retryAfterMs?: number; closes?: true }): RefusalEntry => ({
  message,
  retry,
  ...(more?.retryAfterMs === undefined ? {} : { retryAfterMs: more.retryAfterMs }),
  closes: more?.closes ?? false,
  status,
});
const ends = { closes: true } as const;

const catalogue = {
  'auth/missing': entry('A token is required to connect.', 'never', 401, ends),
  'auth/malformed': entry('The token is not a well-formed JWT.', 'never', 401, ends),
  'auth/invalid': entry('The token is not valid here.', 'never', 401, ends),
  'auth/expired': entry('The token has expired; connect with a new one.', 'never', 401, ends),
  'auth/revoked': entry('The sessions of this user were ended; connect with a new token.', 'never', 401, ends),
  'auth/banned': entry('This user is banned.', 'never', 403, ends),
  'auth/origin': entry('Pages of this origin may not connect.', 'never', 403, ends),
  'auth/wrong-realm': entry('The token is not for this realm.', 'never', 403, ends),
  'auth/forbidden': entry('The token does not carry the role that this needs.', 'never', 403),
  'client/too-old': entry('The client speaks a protocol version that is no longer served; update it.', 'never', 400, ends),

  'server/draining': entry('This gateway is shutting down; connect again and reach another one.', 'later', 503, { retryAfterMs: 500 }),
  'server/busy': entry('The server has more to do than it can take.', 'later', 503, { retryAfterMs: 1_000 }),
  'server/unavailable': entry('Something that this needs is away for the moment.', 'later', 503, { retryAfterMs: 2_000 }),
  'server/internal': entry('The server made a mistake; it has been noted.', 'later', 503, { retryAfterMs: 1_000 }),

  'session/replaced': entry('A newer connection of the same user took this place.', 'never', 409, ends),
  'session/disconnected': entry('The connection was ended by the game.', 'later', 409, ends),
  'session/too-slow': entry('The client does not read fast enough.', 'later', 429, ends),

  'payload/invalid': entry('The payload does not have the form of this event.', 'never', 400),
  'payload/too-large': entry('The payload is larger than this event allows.', 'never', 413),
  'event/unknown': entry('There is no event of this name.', 'never', 400),
  'http/not-found': entry('There is nothing at this address.', 'never', 404),
  'user/not-found': entry('There is no such user.', 'never', 404),

  'rate/limited': entry('Too many of these in a short time.', 'later', 429, { retryAfterMs: 1_000 }),
  'rate/disconnected': entry('The connection was ended because of too many refused requests.', 'later', 429, { retryAfterMs: 5_000, ...ends }),

  'room/forbidden': entry('You are not a member of this room.', 'never', 403),
  'room/full': entry('The room is full.', 'later', 409, { retryAfterMs: 5_000 }),
  'room/not-found': entry('There is no such room.', 'never', 404),
  'room/too-many': entry('You are in too many rooms.', 'later', 409),

  'chat/muted': entry('You are muted.', 'later', 403),
  'chat/blocked': entry('The recipient does not take messages from you.', 'never', 403),
  'chat/profanity': entry('The message contains a word that is not allowed.', 'never', 400),
  'chat/spam': entry('The same message was sent too often.', 'later', 429, { retryAfterMs: 10_000 }),
  'chat/too-long': entry('The text is longer than 500 characters or 2,000 bytes.', 'never', 400),
  'chat/not-found': entry('There is no such message.', 'never', 404),

  'character/out-of-bounds': entry('The position is outside the zone.', 'never', 400),
  'character/too-fast': entry('The character cannot move that fast.', 'later', 400),
  'character/stale': entry('A newer connection or a newer move controls the character.', 'never', 409),
  'character/not-found': entry('There is no such character here.', 'never', 404),

  'zone/unreachable': entry('No portal to this zone is in reach.', 'never', 409),
  'zone/full': entry('The zone is full.', 'later', 409, { retryAfterMs: 5_000 }),
  'zone/unknown': entry('There is no such zone.', 'never', 404),

  'combat/not-found': entry('There is no such fight.', 'never', 404),
  'combat/not-participant': entry('You do not take part in this fight.', 'never', 403),
  'combat/not-your-turn': entry('It is not your turn.', 'later', 409),
  'combat/stale-turn': entry('The turn is over.', 'now', 409),
  'combat/invalid-target': entry('This cannot be a target.', 'never', 400),
  'combat/unknown-ability': entry('The character does not have this ability.', 'never', 400),
  'combat/on-cooldown': entry('The ability is not ready yet.', 'later', 409),
  'combat/over': entry('The fight is over.', 'never', 409),
  'combat/busy': entry('The fight has too many commands waiting.', 'later', 429, { retryAfterMs: 500 }),
  'combat/engaged': entry('One of the characters is in a fight already.', 'later', 409),

  'party/not-leader': entry('Only the leader of the party may do this.', 'never', 403),
  'party/not-invited': entry('There is no open invitation to this party.', 'never', 403),
  'party/full': entry('The party is full.', 'later', 409),
  'party/not-member': entry('This user is not in the party.', 'never', 409),
  'party/none': entry('You are not in a party.', 'never', 409),

  'presence/too-many': entry('You are watching too many users.', 'later', 409),
  'guild/not-found': entry('There is no such guild.', 'never', 404),
  'guild/forbidden': entry('Your rank in the guild does not allow this.', 'never', 403),
} as const satisfies Record<string, RefusalEntry>;

export type RefusalCode = keyof typeof catalogue;

/** Every refusal that Skirmish can give, by its code. */
export const refusals: Readonly<Record<RefusalCode, RefusalEntry>> = catalogue;

export const refusalCodes = Object.keys(catalogue) as readonly RefusalCode[];

/** True for a code of the catalogue. */
export function isRefusalCode(value: unknown): value is RefusalCode {
  return typeof value === 'string' && Object.hasOwn(catalogue, value);
}
