import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { clientEventNames } from '@skirmish/protocol';
import { repositoryRoot } from '../src/index.ts';
import type { Chance } from './_fuzz-chance.ts';

const samples = join(repositoryRoot, 'packages', 'protocol', 'samples');

/** Of each event of the protocol its samples, the valid and the invalid ones, as JSON without bytes. */
const payloads = new Map<string, unknown[]>(clientEventNames.map((event) => [event, [...read('valid', event), ...read('invalid', event)]]));

function read(kind: 'valid' | 'invalid', event: string): unknown[] {
  const folder = join(samples, kind, event.replace(':', '.'));
  const all = readdirSync(folder).map((name) => JSON.parse(readFileSync(join(folder, name), 'utf8')) as unknown);
  // An invalid one stands beside the refusal that it gets.
  return kind === 'valid' ? all : all.map((sample) => (sample as { payload: unknown }).payload);
}

export const nested = (open: string, close: string, depth: number): string => open.repeat(depth) + close.repeat(depth);

/** Values as JSON text, since some of them have no other form: numbers that overflow, keys of every object, halves of characters. */
const hostile: readonly string[] = [
  'null', 'true', 'false', '0', '-0', '-1', '1e999', '-1e999', '1e308', '9007199254740993', '0.1', '5e-324', '4294967296', '123456789012345678901234567890',
  '""', '" "', '"\\u0000"', '"a\\u0000b"', '"\\ud800"', '"\\udfff\\ud800"', '"\\u202e"', '"\\u200b"', '"\\ufeff"', '"__proto__"', '"constructor"', '"toString"', '"hasOwnProperty"',
  '"p1"', '"c1"', '"meadow"', '"zone:meadow"', '"*"', '"../../etc/passwd"', '"\\r\\nSET a b\\r\\n"', '"{realm}:user:p1"', '"0-0"', '"1700000000000-0"', '"<script>"', '"%s%n"', `"${'x'.repeat(3_000)}"`, `"${'\u{1F469}\u200D'.repeat(400)}"`,
  '[]', '[[]]', '[null]', '{}', '{"__proto__":{"admin":true}}', '{"constructor":{"prototype":{"admin":true}}}', '{"toString":1,"valueOf":2}', '{"toJSON":1}', '{"length":-1}', '{"length":4294967295}', '{"then":1}',
  '{"_placeholder":true}', '{"base64":true,"data":"AAAA"}', '{"type":"Buffer","data":[1,2,3]}', nested('[', ']', 1_500), nested('[', ']', 12_000), `${'{"a":'.repeat(800)}1${'}'.repeat(800)}`, `[${'0,'.repeat(2_000)}0]`,
  `{${Array.from({ length: 200 }, (_, index) => `"k${index}":${index}`).join(',')}}`,
];
const keys = ['__proto__', 'constructor', 'toString', 'commandId', 'channel', 'kind', 'id', 'userId', 'zoneId', 'combatId', 'x', 'damage', 'role', '', '\u0000', 'then', 'length'];

/** Any JSON at all, as text. */
export const anyJson = (chance: Chance): string => chance.pick(hostile);

/** The JSON text of a value in which every part may have been changed with the probability `rate`. */
export function mutate(chance: Chance, value: unknown, rate: number): string {
  if (chance.often(rate)) return anyJson(chance);
  if (Array.isArray(value)) return `[${value.map((part) => mutate(chance, part, rate)).join(',')}]`;
  if (typeof value !== 'object' || value === null) return JSON.stringify(value);
  const parts = Object.entries(value).flatMap(([key, part]) => mutateField(chance, key, part, rate));
  if (chance.often(rate)) parts.push(`${JSON.stringify(chance.pick(keys))}:${anyJson(chance)}`);
  return `{${parts.join(',')}}`;
}

function mutateField(chance: Chance, key: string, part: unknown, rate: number): string[] {
  const text = mutate(chance, part, rate);
  if (!chance.often(rate)) return [`${JSON.stringify(key)}:${text}`];
  switch (chance.below(4)) {
    case 0: return [];
    case 1: return [`${JSON.stringify(chance.pick(keys))}:${text}`];
    case 2: return [`${JSON.stringify(key)}:${text}`, `${JSON.stringify(key)}:${anyJson(chance)}`];
    default: return [`${JSON.stringify(key)}:[${text}]`];
  }
}

/** A sample of the event, often with mistakes, as JSON text. */
export function payloadOf(chance: Chance, event: string): string {
  const known = payloads.get(event) ?? [{}];
  return mutate(chance, known.length > 0 ? chance.pick(known) : {}, chance.pick([0, 0, 0.05, 0.2, 0.5]));
}
