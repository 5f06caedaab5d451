import { type ConversionConfig, type JsonSchema, toJsonSchema } from '@valibot/to-json-schema';
import type * as v from 'valibot';
import { anyObject } from './service-schemas.ts';

export type { JsonSchema };

/**
 * A schema of the contract as JSON Schema 2020-12. `input`: what may be sent; `output` is not needed, as nothing on the wire is transformed
 * beyond negative zero. Checks that JSON Schema cannot say (graphemes, parseable names) are left out: the document promises no less.
 */
export function jsonSchemaOf(schema: v.GenericSchema): JsonSchema {
  const { $schema: _dialect, ...rest } = toJsonSchema(schema, options);
  return rest;
}

const options: ConversionConfig = { target: 'draft-2020-12', typeMode: 'input', errorMode: 'ignore', overrideSchema: ({ valibotSchema }) => override(valibotSchema) };

interface Pipe {
  readonly type: string;
  readonly pipe?: readonly { readonly kind: string; readonly type: string; readonly requirement?: unknown; readonly item?: v.GenericSchema }[];
}

function override(schema: unknown): JsonSchema | null {
  if (schema === anyObject) return { type: 'object' };
  const { type, pipe } = schema as Pipe;
  if (type !== 'custom' || !pipe) return null;
  // `listOf` of the contract: the length is checked before any item.
  const list = pipe.find((part) => part.type === 'array');
  if (!list?.item) return null;
  const lengthMax = pipe.find((part) => part.type === 'max_length')?.requirement;
  return { type: 'array', items: jsonSchemaOf(list.item), ...(typeof lengthMax === 'number' ? { maxItems: lengthMax } : {}) };
}
