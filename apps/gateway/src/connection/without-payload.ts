/** What stands in the place of a text that a client sent. */
const hidden = '[payload]';
/** Names that the code itself speaks of; everything else is what people wrote, or a secret. */
const nameKeys = /^(?:.*Ids?|id|kind|event|status|emote|realm)$/;
/** Shorter texts stand in any message by chance. */
const lengthMin = 3;
const depthMax = 6;
const causesMax = 4;

/**
 * An error without the texts of the payload that it failed over, for the log: parsers and drivers quote what they could not
 * take, and chat and tokens must not be logged. Ids stay. Type, code and stack are those of the error; it itself is not changed.
 */
export function withoutPayload(error: unknown, payload: unknown): unknown {
  const texts = [...textsOf(payload, 0)].flatMap((text) => [text, JSON.stringify(text).slice(1, -1)]);
  if (texts.length === 0) return error;
  texts.sort((a, b) => b.length - a.length);
  return cleaned(error, (text) => texts.reduce((rest, each) => rest.replaceAll(each, hidden), text), 0);
}

function* textsOf(value: unknown, depth: number): Generator<string> {
  if (typeof value === 'string' && value.length >= lengthMin) yield value;
  if (typeof value !== 'object' || value === null || ArrayBuffer.isView(value) || depth === depthMax) return;
  for (const [key, inner] of Object.entries(value)) {
    if (!nameKeys.test(key)) yield* textsOf(inner, depth + 1);
  }
}

function cleaned(error: unknown, hide: (text: string) => string, depth: number): unknown {
  if (typeof error === 'string') return hide(error);
  if (typeof error !== 'object' || error === null) return error;
  // What is not looked at is not passed on.
  if (!(error instanceof Error) || depth === causesMax) return '[thrown object]';
  const { message, stack, cause } = error;
  const { code } = error as { code?: unknown };
  const deeper = (inner: unknown): unknown => cleaned(inner, hide, depth + 1);
  // Not by its constructor, which may want anything; what has the prototype is logged under its name.
  return Object.assign(Object.create(Object.getPrototypeOf(error) as object) as object, {
    message: hide(message),
    ...(stack === undefined ? {} : { stack: hide(stack) }),
    ...(cause === undefined ? {} : { cause: deeper(cause) }),
    ...(typeof code === 'string' || typeof code === 'number' ? { code } : {}),
    ...(error instanceof AggregateError ? { errors: error.errors.slice(0, causesMax).map(deeper) } : {}),
  });
}
