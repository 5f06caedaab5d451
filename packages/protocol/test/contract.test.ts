import * as v from 'valibot';
import { describe, expect, it } from 'vitest';

import { combatEndedSchema } from '../src/combat-events.ts';
import {
  type BackendEventName,
  backendEventNames,
  backendEvents,
  characterStatuses,
  clientEventNames,
  clientEvents,
  combatActionKinds,
  defaultRateOf,
  disconnectReasons,
  emotes,
  isClientEventName,
  isServerEventName,
  parseBackendRecord,
  parseClientPayload,
  parseServerPayload,
  presenceSchema,
  refusalCodes,
  refusals,
  Rejection,
  sanctionKinds,
  serverEventNames,
  serverEvents,
} from '../src/index.ts';
import * as limits from '../src/limits.ts';
import { document, formsIn, rowsUnder, ruleIds, valuesOf } from './_document.ts';
import { eventsWithSamples, samplesOf } from './_samples.ts';
import { formsOf } from './_schemas.ts';

const firstCells = (heading: string): (string | undefined)[] => rowsUnder(heading).map(([first]) => first);

describe('the document and the code', () => {
  it('name the same events from client to server', () => {
    expect(firstCells('client event').sort()).toEqual([...clientEventNames].sort());
  });

  it('name the same events from server to client', () => {
    expect(firstCells('server event').sort()).toEqual([...serverEventNames].sort());
  });

  it.each(rowsUnder('client event'))('give %s the same fields', (event = '', payload = '', answer = '') => {
    if (!isClientEventName(event)) throw new Error(`no event ${event}`);
    expect(formsIn(payload)).toEqual(formsOf(clientEvents[event].payload));
    expect(formsIn(answer)).toEqual(formsOf(clientEvents[event].answer));
  });

  it.each(rowsUnder('server event'))('give %s the same fields and class', (event = '', payload = '', deliveryClass = '') => {
    if (!isServerEventName(event)) throw new Error(`no event ${event}`);
    expect(formsIn(payload)).toEqual(formsOf(serverEvents[event].schema));
    expect(deliveryClass).toBe(serverEvents[event].class);
  });

  it('name the same backend events with the same fields', () => {
    const written = rowsUnder('backend event').map(([event = '', data = '']) => [event, formsIn(data)]);
    expect(written.sort()).toEqual(backendEventNames.map((event): [string, string[][]] => [event, formsOf(backendEvents[event])]).sort());
  });

  it('[REF1] have the same refusals', () => {
    const inCode = refusalCodes.map((code) => {
      const { retry, retryAfterMs, closes, status, message } = refusals[code];
      return [code, retry, String(retryAfterMs ?? ''), closes ? 'yes' : '', String(status), message];
    });
    expect(rowsUnder('code').sort()).toEqual(inCode.sort());
  });

  it('speak of no refusal that is not in the catalogue', () => {
    const feature = '(?:auth|client|server|session|payload|event|http|user|rate|room|chat|character|zone|combat|party|guild)';
    const spoken = [...document.matchAll(new RegExp(`\`(${feature}/[a-z-]+)\``, 'g'))].map((match) => match[1] ?? '');
    expect(spoken.filter((code) => !refusalCodes.includes(code as never))).toEqual([]);
  });

  it('have the same limits', () => {
    const inCode = Object.entries(limits).map(([name, value]) => [name, value.toLocaleString('en')]);
    expect(rowsUnder('limit').sort()).toEqual(inCode.sort());
  });

  it('[RAT1] [RAT3] have the same rates', () => {
    const written = new Map(rowsUnder('rate of').map(([event = '', ...rate]) => [event, rate]));
    const rowOf = (event: string): string => [event, `${event.split(':')[0] ?? ''}:*`, 'everything else'].find((name) => written.has(name)) ?? '';
    for (const event of clientEventNames) {
      const { ratePerSecond, burst, scope } = defaultRateOf(event);
      const perSecond = ratePerSecond < 1 ? `1/${Math.round(1 / ratePerSecond)}` : String(ratePerSecond);
      expect([event, perSecond, String(burst), scope]).toEqual([event, ...(written.get(rowOf(event)) ?? [])]);
    }
    expect([...written.keys()].filter((name) => !clientEventNames.map(rowOf).includes(name))).toEqual([]);
  });

  it('[LIM1] name the same events that are counted over all gateways', () => {
    expect(['chat:send', ...valuesOf('LIM1')].sort()).toEqual(clientEventNames.filter((event) => defaultRateOf(event).cluster).sort());
  });

  it('have the same lists of values', () => {
    expect(valuesOf('CHR6')).toEqual(characterStatuses);
    expect(valuesOf('CHR7')).toEqual(emotes);
    expect(valuesOf('CMB2').slice(-combatActionKinds.length)).toEqual(combatActionKinds);
    expect(valuesOf('CMB9')).toEqual(combatEndedSchema.entries.outcome.options);
    expect(disconnectReasons.filter((reason) => !valuesOf('BCK5').includes(reason))).toEqual([]);
    expect(valuesOf('MOD1').slice(0, sanctionKinds.length)).toEqual(sanctionKinds);
    expect(valuesOf('PRS2').slice(-presenceSchema.entries.status.options.length)).toEqual(presenceSchema.entries.status.options);
  });

  it('number every rule once, without holes', () => {
    const byPrefix = Map.groupBy(ruleIds, (id) => id.replace(/[0-9]+$/, ''));
    for (const [prefix, ids] of byPrefix) expect(ids).toEqual(ids.map((_, index) => `${prefix}${index + 1}`));
    expect(ruleIds.length).toBeGreaterThan(70);
  });
});

describe('the samples and the code', () => {
  it('know the same events', () => {
    expect(eventsWithSamples('valid')).toEqual([...clientEventNames].sort());
    expect(eventsWithSamples('invalid')).toEqual([...clientEventNames].sort());
    expect(eventsWithSamples('answers')).toEqual([...clientEventNames].sort());
    expect(eventsWithSamples('received')).toEqual([...serverEventNames].sort());
    expect(eventsWithSamples('backend')).toEqual([...backendEventNames].sort());
  });

  it.each(samplesOf('valid'))('[PAY1] $file is accepted as it is', ({ event, content }) => {
    if (!isClientEventName(event)) throw new Error(`no event ${event}`);
    expect(parseClientPayload(event, content)).toEqual(content);
  });

  it.each(samplesOf('invalid'))('[ACK5] $file is refused', ({ event, content }) => {
    if (!isClientEventName(event)) throw new Error(`no event ${event}`);
    const { payload, refusal } = content as { payload: unknown; refusal: { code: string; path?: string } };
    expect(refusalOf(() => parseClientPayload(event, payload))).toEqual(refusal);
  });

  it.each(samplesOf('answers'))('$file is an answer as it is', ({ event, content }) => {
    if (!isClientEventName(event)) throw new Error(`no event ${event}`);
    expect(v.parse(clientEvents[event].answer, content)).toEqual(content);
  });

  it.each(samplesOf('received'))('$file is an event as it is', ({ event, content }) => {
    if (!isServerEventName(event)) throw new Error(`no event ${event}`);
    expect(parseServerPayload(event, content)).toEqual(content);
  });

  it.each(samplesOf('backend'))('[BCK1] $file is a record as it is, and not without one of its fields', ({ event, content }) => {
    const record = content as { type: BackendEventName; data: Record<string, unknown> };
    expect(record.type).toBe(event);
    expect(parseBackendRecord(content)).toEqual(content);
    for (const field of Object.keys(record).concat('data')) expect(parseBackendRecord({ ...record, [field]: undefined })).toBeNull();
    for (const field of Object.keys(record.data).filter((name) => name !== 'untilMs')) {
      expect(parseBackendRecord({ ...record, data: { ...record.data, [field]: undefined } })).toBeNull();
    }
  });
});

function refusalOf(parse: () => unknown): { code: string; path?: string } {
  try {
    parse();
  } catch (error) {
    if (!(error instanceof Rejection)) throw error;
    return { code: error.code, ...(error.path === undefined ? {} : { path: error.path }) };
  }
  throw new Error('the payload was accepted');
}
