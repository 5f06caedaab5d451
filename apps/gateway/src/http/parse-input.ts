import { Rejection } from '@skirmish/protocol';
import * as v from 'valibot';

/** A name that a schema can have; anything else in a path is the caller's own and is shown as `?`. */
const ownKey = /^[A-Za-z][A-Za-z0-9]{0,39}$/;

/** A part of a request as a valid value; throws `payload/invalid` with the path of the first mistake, which names nothing that only the caller knows. */
export function parseInput<const Schema extends v.GenericSchema>(schema: Schema, input: unknown): v.InferOutput<Schema> {
  const result = v.safeParse(schema, input, { abortEarly: true, abortPipeEarly: true });
  if (result.success) return result.output;
  const path = (result.issues[0].path ?? []).map(({ key }) => (typeof key === 'number' || (typeof key === 'string' && ownKey.test(key)) ? key : '?')).join('.');
  throw new Rejection('payload/invalid', path === '' ? {} : { path });
}
