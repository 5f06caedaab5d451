import { readdirSync, readFileSync } from 'node:fs';

const root = new URL('../samples/', import.meta.url);

export interface Sample {
  readonly event: string;
  readonly file: string;
  readonly content: unknown;
}

/** All samples of one kind, with the objects that stand for long texts and for bytes replaced. */
export function samplesOf(kind: 'valid' | 'invalid' | 'answers' | 'received' | 'backend'): Sample[] {
  return foldersOf(kind).flatMap((folder) =>
    readdirSync(new URL(`${kind}/${folder}/`, root)).map((name) => ({
      event: nameOf(kind, folder),
      file: `${kind}/${folder}/${name}`,
      content: expand(JSON.parse(readFileSync(new URL(`${kind}/${folder}/${name}`, root), 'utf8'))),
    })),
  );
}

/** The events that have a folder of this kind, sorted. */
export const eventsWithSamples = (kind: Parameters<typeof samplesOf>[0]): string[] =>
  foldersOf(kind)
    .map((folder) => nameOf(kind, folder))
    .sort();

/** Events between clients and gateways have a colon, which some file systems do not know. */
const nameOf = (kind: string, folder: string): string => (kind === 'backend' ? folder : folder.replace('.', ':'));

const foldersOf = (kind: string): string[] => readdirSync(new URL(`${kind}/`, root));

function expand(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(expand);
  if (typeof value !== 'object' || value === null) return value;
  return standIn(Object.entries(value)) ?? Object.fromEntries(Object.entries(value).map(([key, inner]) => [key, expand(inner)]));
}

function standIn([entry, ...more]: [string, unknown][]): unknown {
  if (entry === undefined || more.length > 0) return undefined;
  const [key, value] = entry;
  if (key === '$bytes') return Buffer.from(value as string, 'base64');
  if (key === '$bytesLength') return Buffer.alloc(value as number);
  if (key !== '$repeat') return undefined;
  const [piece, times] = value as [string | unknown[], number];
  return typeof piece === 'string' ? piece.repeat(times) : Array.from({ length: times }, () => piece).flat();
}
