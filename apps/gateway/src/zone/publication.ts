import {
  characterIdSchema,
  characterStatusSchema,
  incarnationIdSchema,
  type CharacterId,
  type CharacterSeen,
  type IncarnationId,
  userIdSchema,
} from '@skirmish/protocol';
import * as v from 'valibot';

/** A character as gateways tell each other: the claim says since when its session controls it. */
export interface ClaimedCharacter extends CharacterSeen {
  readonly claimMs: number;
}

export type MovedRow = readonly [characterId: CharacterId, x: number, y: number, facing: number];

/** What one gateway tells the others about its own characters in a zone. */
export interface Publication {
  readonly v: 1;
  readonly kind: 'positions';
  readonly from: IncarnationId;
  /** All characters of the sender stand in `entered`; those that do not are gone. */
  readonly keyframe: boolean;
  /** The sender is new to the zone and asks for a keyframe. */
  readonly hello: boolean;
  readonly entered: readonly ClaimedCharacter[];
  readonly moved: readonly MovedRow[];
  readonly left: readonly CharacterId[];
}

const charactersMax = 5_000;
const finite = v.pipe(v.number(), v.finite());
/** One that cannot be read is null: it must not take those of all others along. */
const bounded = <const Item extends v.GenericSchema>(item: Item) => v.pipe(v.custom<unknown[]>(Array.isArray), v.maxLength(charactersMax), v.array(v.fallback(v.nullable(item), null)));

// Loose objects: a gateway of the next version may say more.
const publicationSchema = v.object({
  v: v.literal(1),
  kind: v.literal('positions'),
  from: incarnationIdSchema,
  keyframe: v.boolean(),
  hello: v.boolean(),
  entered: bounded(
    v.object({
      characterId: characterIdSchema,
      userId: userIdSchema,
      name: v.pipe(v.string(), v.maxLength(64)),
      x: finite,
      y: finite,
      facing: finite,
      status: characterStatusSchema,
      claimMs: finite,
    }),
  ),
  moved: bounded(v.tuple([characterIdSchema, finite, finite, finite])),
  left: bounded(characterIdSchema),
});

/**
 * Reads what came over the channel of a zone; null for anything else, never throws. A character that cannot be read is left out, which `onUnreadable`
 * is told once per publication.
 */
export function parsePublication(body: unknown, onUnreadable: () => void = () => undefined): Publication | null {
  const result = v.safeParse(publicationSchema, body, { abortEarly: true });
  if (!result.success) return null;
  const { entered, moved, left, ...rest } = result.output;
  const readable = { entered: entered.filter(isReadable), moved: moved.filter(isReadable), left: left.filter(isReadable) };
  if (sizeOf(readable) < sizeOf({ entered, moved, left })) onUnreadable();
  return { ...rest, ...readable };
}

const sizeOf = ({ entered, moved, left }: Record<'entered' | 'moved' | 'left', readonly unknown[]>): number => entered.length + moved.length + left.length;

const isReadable = <Item>(item: Item | null): item is Item => item !== null;
