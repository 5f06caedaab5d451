/**
 * What may stand in a log line. Only plain objects, arrays and simple values pass; anything else is named, not opened, so a
 * request, a socket or a schema issue that is logged by mistake does not spill what it holds.
 */

const depthMax = 4;
const entriesMax = 50;
const textLengthMax = 2_000;
const stackLengthMax = 8_000;
const causesMax = 3;

/** What stands in place of a value that must not be logged. */
export const redacted = '[redacted]';

const sensitiveKey = /^(?:.*(?:tokens?|passwords?|passwd|secrets?|jwt)|authorization|(?:set-?)?cookies?|auth|text|sid|private-?id|query)$/i;
// Terminals act on C1 controls and on changes of writing direction, which JSON leaves as they are; tested before replaced because most texts have none.
const disguise = /[\u007f-\u009f\u2028-\u202e\u2066-\u2069]/;
const disguises = new RegExp(disguise, 'g');
const credentials = /\/\/([^\s:/@]{0,100}):\S{0,300}@/g;

/** A copy of `fields` that is safe to write: sensitive keys replaced, errors reduced to an allow-list, everything bounded. */
export function loggable(fields: Record<string, unknown>): Record<string, unknown> {
  try {
    return copyObject(fields, 0);
  } catch {
    // A getter or a proxy threw: a line without its fields is better than a caller that fails because it logged.
    return { unloggable: true };
  }
}

function copyObject(source: object, depth: number): Record<string, unknown> {
  const copy: Record<string, unknown> = {};
  let count = 0;
  for (const [key, value] of Object.entries(source)) {
    count += 1;
    if (count > entriesMax) {
      copy['…'] = 'more entries were left out';
      break;
    }
    copy[key] = sensitiveKey.test(key) ? redacted : (edgeObject(key, value) ?? copyValue(value, depth));
  }
  return copy;
}

function copyValue(value: unknown, depth: number): unknown {
  if (typeof value === 'string') return safeText(value, textLengthMax);
  if (typeof value === 'bigint') return value.toString();
  if (typeof value === 'function' || typeof value === 'symbol') return `[${typeof value}]`;
  if (typeof value !== 'object' || value === null) return value;
  if (value instanceof Error) return copyError(value, 0);
  if (value instanceof Date) return Number.isNaN(value.getTime()) ? '[invalid date]' : value.toISOString();
  const plain = Array.isArray(value) || isPlain(value);
  if (!plain) return `[${nameOfClass(value)}]`;
  if (depth >= depthMax) return '[deeper]';
  if (!Array.isArray(value)) return copyObject(value, depth + 1);
  const items = value.slice(0, entriesMax).map((item: unknown) => copyValue(item, depth + 1));
  return value.length > entriesMax ? [...items, `… ${value.length - entriesMax} more`] : items;
}

/** Requests and responses of node:http and express under their usual keys: method, route and status, never URL, headers or body. */
function edgeObject(key: string, value: unknown): Record<string, unknown> | undefined {
  if ((key !== 'req' && key !== 'res') || typeof value !== 'object' || value === null) return undefined;
  if (key === 'res') return { status: 'statusCode' in value ? copyValue(value.statusCode, depthMax) : undefined };
  const route = 'route' in value && typeof value.route === 'object' && value.route !== null && 'path' in value.route ? value.route.path : undefined;
  return {
    method: 'method' in value ? copyValue(value.method, depthMax) : undefined,
    route: copyValue(route, depthMax),
    requestId: 'id' in value ? copyValue(value.id, depthMax) : undefined,
  };
}

function copyError(error: Error, depth: number): Record<string, unknown> {
  const { cause } = error;
  const code: unknown = 'code' in error ? error.code : undefined;
  const errors: unknown[] = error instanceof AggregateError ? error.errors.slice(0, causesMax) : [];
  const deeper = depth < causesMax;
  return {
    type: nameOfClass(error),
    message: safeText(error.message, textLengthMax),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(typeof error.stack === 'string' ? { stack: safeText(error.stack, stackLengthMax) } : {}),
    ...(cause instanceof Error && deeper ? { cause: copyError(cause, depth + 1) } : {}),
    ...(errors.length > 0 && deeper ? { errors: errors.map((one) => (one instanceof Error ? copyError(one, depth + 1) : copyValue(one, depthMax))) } : {}),
  };
}

function safeText(text: string, lengthMax: number): string {
  const short = text.length > lengthMax ? `${text.slice(0, lengthMax)}… ${text.length - lengthMax} more characters` : text;
  const plain = disguise.test(short) ? short.replaceAll(disguises, '?') : short;
  return plain.includes('://') ? plain.replaceAll(credentials, `//$1:${redacted}@`) : plain;
}

function isPlain(value: object): boolean {
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === null || prototype === Object.prototype;
}

function nameOfClass(value: object): string {
  const { constructor } = value as { constructor?: unknown };
  return typeof constructor === 'function' && constructor.name !== '' ? constructor.name : 'object';
}
