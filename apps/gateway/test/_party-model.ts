/** The truth about parties in plain TypeScript: what each command does, without time, sockets or Redis. */

export interface TrueParty {
  id: string;
  leader: string;
  /** In the order of joining. */
  members: string[];
  /** Invited users, and when, in milliseconds of this process. */
  invited: Map<string, number>;
}

export type Command =
  | { readonly op: 'create' | 'leave'; readonly user: string }
  | { readonly op: 'invite' | 'kick' | 'promote'; readonly user: string; readonly target: string }
  | { readonly op: 'accept' | 'decline'; readonly user: string; readonly partyId: string };

/** What a command is answered: a code, the party as a line, or nothing to say. The id of a new party is not the model's to know. */
export type Outcome = string;

export const lineOf = ({ leader, members }: Pick<TrueParty, 'leader' | 'members'>): string => `${leader}: ${members.join(' ')}`;

export class PartyModel {
  readonly parties: TrueParty[];
  /** Users who are shown as away. */
  readonly away: Set<string>;

  constructor(parties: TrueParty[] = [], away: ReadonlySet<string> = new Set()) {
    this.parties = parties;
    this.away = new Set(away);
  }

  clone(): PartyModel {
    return new PartyModel(this.parties.map((party) => ({ ...party, members: [...party.members], invited: new Map(party.invited) })), this.away);
  }

  partyOf(user: string): TrueParty | undefined {
    return this.parties.find(({ members }) => members.includes(user));
  }

  do(command: Command, newId: string, nowMs: number): Outcome {
    const { user } = command;
    const own = this.partyOf(user);
    switch (command.op) {
      case 'create':
        if (own) return lineOf(own);
        this.parties.push({ id: newId, leader: user, members: [user], invited: new Map() });
        return lineOf(this.partyOf(user)!);
      case 'leave':
        if (!own) return 'party/none';
        this.#remove(own, [user]);
        return 'done';
      case 'invite': case 'kick': case 'promote':
        return this.#lead(command, nowMs);
      case 'accept': case 'decline': {
        const party = this.parties.find(({ id }) => id === command.partyId);
        if (command.op === 'accept' && party?.members.includes(user)) return lineOf(party);
        if (!party?.invited.has(user)) return 'party/not-invited';
        if (command.op === 'accept' && party.members.length >= 8) return 'party/full';
        party.invited.delete(user);
        if (command.op === 'decline') return 'done';
        if (own) this.#remove(own, [user]);
        party.members.push(user);
        return lineOf(party);
      }
    }
  }

  /** The window is over for everybody who is away. */
  passWindow(): void {
    for (const party of [...this.parties]) {
      const gone = party.members.filter((user) => this.away.has(user));
      if (gone.length > 0) this.#remove(party, gone);
    }
  }

  /** These invitations have ended. */
  expire(isOver: (sinceMs: number) => boolean): void {
    for (const { invited } of this.parties) for (const [user, sinceMs] of invited) if (isOver(sinceMs)) invited.delete(user);
  }

  #lead({ op, user, target }: Extract<Command, { target: string }>, nowMs: number): Outcome {
    if (op === 'kick' && user === target) return 'payload/invalid';
    const own = this.partyOf(user);
    if (!own) return 'party/none';
    if (own.leader !== user) return 'party/not-leader';
    const isMember = own.members.includes(target);
    if (op === 'invite') {
      if (isMember) return lineOf(own);
      own.invited.set(target, nowMs);
      return lineOf(own);
    }
    if (!isMember) return 'party/not-member';
    if (op === 'kick') this.#remove(own, [target]);
    else own.leader = target;
    return lineOf(own);
  }

  #remove(party: TrueParty, gone: readonly string[]): void {
    party.members = party.members.filter((user) => !gone.includes(user));
    const first = party.members.find((user) => !this.away.has(user)) ?? party.members[0];
    if (first === undefined) this.parties.splice(this.parties.indexOf(party), 1);
    else if (gone.includes(party.leader)) party.leader = first;
  }
}

/** All orders of a few things. */
export function ordersOf<T>(things: readonly T[]): T[][] {
  if (things.length <= 1) return [[...things]];
  return things.flatMap((thing, i) => ordersOf(things.toSpliced(i, 1)).map((rest) => [thing, ...rest]));
}
