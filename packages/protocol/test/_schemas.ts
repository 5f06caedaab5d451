/** A valibot schema or action as a test looks into it. */
interface Node {
  readonly kind: string;
  readonly type: string;
  readonly pipe?: readonly Node[];
  readonly entries?: Readonly<Record<string, Node>>;
  readonly options?: readonly (Node | string)[];
  readonly items?: readonly Node[];
  readonly item?: Node;
  readonly wrapped?: Node;
}

/** Visits a schema and all within it: the types of its schemas and actions in the order in which they run, and its path. */
export function walk(schema: unknown, visit: (types: readonly string[], path: string) => void, path = 'payload'): void {
  const pieces = piecesOf(schema as Node);
  const types = pieces.map((piece) => piece.type);
  visit(types, path);
  for (const piece of pieces) {
    for (const [key, entry] of Object.entries(piece.entries ?? {})) walk(entry, visit, `${path}.${key}`);
    for (const option of piece.options ?? []) if (typeof option !== 'string') walk(option, visit, path);
    for (const [index, item] of (piece.items ?? []).entries()) walk(item, visit, `${path}.${index}`);
    if (piece.item !== undefined) walk(piece.item, visit, `${path}[]`);
    if (piece.wrapped !== undefined) walk(piece.wrapped, visit, path);
  }
}

/** The fields of an object schema as the document writes them; a union has several forms. */
export function formsOf(schema: unknown): string[][] {
  const node = schema as Node;
  if (node.type === 'union') return (node.options ?? []).flatMap(formsOf);
  const fields = Object.entries(node.entries ?? {}).map(([key, entry]) => (entry.type === 'exact_optional' ? `${key}?` : key));
  return [fields.sort()];
}

const piecesOf = (node: Node): readonly Node[] => (node.pipe === undefined ? [node] : node.pipe.flatMap(piecesOf));
