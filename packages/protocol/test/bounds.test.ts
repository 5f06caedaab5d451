import { describe, expect, it } from 'vitest';

import { backendEventNames, backendEvents, clientEventNames, clientEvents, serverEventNames, serverEvents } from '../src/index.ts';
import { walk } from './_schemas.ts';

/** What must stand in the same pipe as a schema, and for lists before it. */
const demands: Readonly<Record<string, (types: readonly string[]) => boolean>> = {
  string: (types) => types.includes('max_length'),
  number: (types) => types.includes('min_value') && types.includes('max_value'),
  array: (types) => types.includes('max_length') && types.indexOf('max_length') < types.indexOf('array'),
};

function unboundedIn(schema: unknown): string[] {
  const found: string[] = [];
  walk(schema, (types, path) => {
    for (const type of types) if (demands[type]?.(types) === false) found.push(`${path}: ${type}`);
  });
  return found;
}

function openObjectsIn(schema: unknown): string[] {
  const found: string[] = [];
  walk(schema, (types, path) => {
    for (const type of types) if (['object', 'loose_object', 'record', 'any', 'unknown'].includes(type)) found.push(`${path}: ${type}`);
  });
  return found;
}

describe('[PAY3] every string, list and number has a limit', () => {
  it.each(clientEventNames)('in %s', (event) => {
    expect(unboundedIn(clientEvents[event].payload)).toEqual([]);
    expect(unboundedIn(clientEvents[event].answer)).toEqual([]);
  });

  it.each(serverEventNames)('in the event %s', (event) => {
    expect(unboundedIn(serverEvents[event].schema)).toEqual([]);
  });

  it.each(backendEventNames)('in the backend event %s', (event) => {
    expect(unboundedIn(backendEvents[event])).toEqual([]);
  });
});

describe('[PAY1] every object of a client is strict', () => {
  it.each(clientEventNames)('in %s', (event) => {
    expect(openObjectsIn(clientEvents[event].payload)).toEqual([]);
  });
});

describe('[PAY2] no payload of a client names what only the server decides', () => {
  it.each(clientEventNames)('in %s', (event) => {
    const fields: string[] = [];
    walk(clientEvents[event].payload, (_types, path) => fields.push(path.split('.').at(-1) ?? ''));
    expect(fields.filter((field) => /damage|health|amount|critical|role|room|seed|side|reward/i.test(field))).toEqual([]);
  });
});
