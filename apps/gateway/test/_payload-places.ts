import * as v from 'valibot';

/** A schema or an action as a test looks into it. */
interface Node {
  readonly kind: string;
  readonly type: string;
  readonly pipe?: readonly Node[];
  readonly entries?: Readonly<Record<string, Node>>;
  readonly options?: readonly unknown[];
  readonly items?: readonly Node[];
  readonly item?: Node;
  readonly wrapped?: Node;
}

/** A place of a payload into which a text can be put; what surrounds it is as the schema wants it. */
export interface Place {
  readonly path: string;
  /** A new value each time, with ids of commands that were not used before. */
  readonly holding: (text: string) => unknown;
}

/** One form of a schema: a value that it takes, and the places of that value. */
export interface Form {
  readonly make: () => unknown;
  readonly places: readonly Place[];
}

/** What fields of a name hold. */
export type Known = Readonly<Record<string, () => unknown>>;

let commands = 0;
const uuid = '019a0000-0000-7000-8000-000000000000';

/** What a field of this name holds in the development world, where its schema takes it; else the first of the candidates. */
const usual: Known = {
  commandId: () => `hostile-${(commands += 1)}`,
  userId: () => 'p2',
  userIds: () => 'p2',
  user: () => 'p2',
  zoneId: () => 'meadow',
  zone: () => 'meadow',
  id: () => 'meadow',
  opponents: () => 'c2',
  targetId: () => 'c2',
  encounterId: () => 'training-dummy',
  idempotencyKey: () => `hostile-${(commands += 1)}`,
  event: () => 'app:hostile',
  room: () => 'zone:meadow',
  text: () => 'hello',
};
const candidates: readonly unknown[] = ['a1', uuid, 'app:a', '1', 1, 450, true, {}, [], new Uint8Array([1]), null];

/**
 * The forms of a schema, made by walking it: every alternative of every union, every field, optional ones too. So a field that the contract gets
 * is covered without anybody thinking of it. Every leaf is a place, whatever its type; every object also has a place for a key of no schema.
 */
export function formsOf(schema: unknown, known: Known = {}, path = ''): Form[] {
  const pieces = piecesOf(schema as Node);
  const structure = pieces.find((piece) => piece.kind === 'schema' && (piece.entries ?? piece.items ?? piece.item ?? piece.wrapped ?? alternativesOf(piece)));
  if (structure === undefined) return leavesOf(schema, { ...usual, ...known }, path);
  if (structure.wrapped) return formsOf(structure.wrapped, known, path);
  if (structure.entries) return formsOfObject(structure.entries, known, path);
  if (structure.item) return formsOf(structure.item, known, `${path}[]`).map((form) => within(form, (value): unknown => [value]));
  if (structure.items) return formsOfObject(structure.items, known, path).map((form) => within(form, (value): unknown => Object.values(value as object)));
  return (alternativesOf(structure) ?? []).flatMap((option) => formsOf(option, known, path));
}

/** Of a union; the options of a picklist are no schemas. */
function alternativesOf({ options }: Node): readonly Node[] | undefined {
  return options?.every((option) => typeof option === 'object') === true ? (options as readonly Node[]) : undefined;
}

const piecesOf = (node: Node): readonly Node[] => (node.pipe === undefined ? [node] : node.pipe.flatMap(piecesOf));

const within = ({ make, places }: Form, wrap: (value: unknown) => unknown): Form => ({
  make: () => wrap(make()),
  places: places.map(({ path, holding }) => ({ path, holding: (text) => wrap(holding(text)) })),
});

/** A form for each word that a field takes; the places are those of the first. */
function leavesOf(schema: unknown, known: Known, path: string): Form[] {
  const takes = (value: unknown): boolean => v.is(schema as v.GenericSchema, value);
  const { literal, options } = schema as { literal?: unknown; options?: readonly unknown[] };
  const own = known[/(\w+)(?:\[\])?$/.exec(path)?.[1] ?? ''];
  const place = { path, holding: (text: string) => text };
  const free = takes({ a: 'b' }) ? [{ path: `${path}.*`, holding: (text: string) => ({ key: [text] }) }] : [];
  const makers = own !== undefined && takes(own()) ? [own] : (options ?? [[literal, ...candidates].find(takes) ?? 'a']).map((value) => () => value);
  return makers.map((make, index) => ({ make, places: index === 0 ? [place, ...free] : [] }));
}

/** The fields of the first form of each; then each further form of a field, with the first ones of the others. */
function formsOfObject(entries: Readonly<Record<string, Node>> | readonly Node[], known: Known, path: string): Form[] {
  const fields = Object.entries(entries).map(([key, entry]) => ({ key, forms: formsOf(entry, known, path === '' ? key : `${path}.${key}`) }));
  const rounds = Math.max(1, ...fields.map(({ forms }) => forms.length));
  return Array.from({ length: rounds }, (_, round) => {
    const chosen = fields.map(({ key, forms }) => ({ key, form: forms[round] ?? forms[0] ?? { make: () => undefined, places: [] }, isNew: round === 0 || round < forms.length }));
    const make = (): Record<string, unknown> => Object.fromEntries(chosen.map(({ key, form }) => [key, form.make()]));
    const places = chosen.flatMap(({ key, form, isNew }) => (isNew ? form.places : []).map((place) => ({ path: place.path, holding: (text: string) => withKey(make(), key, place.holding(text)) })));
    const foreign = round === 0 ? [{ path: `${path}{}`, holding: (text: string) => withKey(make(), text, 1) }] : [];
    return { make, places: [...places, ...foreign] };
  });
}

/** Own keys only: `__proto__` too. */
const withKey = (value: Record<string, unknown>, key: string, part: unknown): Record<string, unknown> => Object.fromEntries([...Object.entries(value), [key, part]]);
