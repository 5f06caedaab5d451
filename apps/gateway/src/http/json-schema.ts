import { type ConversionConfig, type JsonSchema, toJsonSchema } from '@valibot/to-json-schema';
import type * as v from 'valibot';
import { anyObject } from './service-schemas.ts';

export type { JsonSchema };

/**
 * A schema of the contract as JSON Schema 2020-12. Checks that JSON Schema cannot say (graphemes, parseable names, binary) are left out, so what
 * passes here may still be refused, and never the other way round. Nothing on the wire is transformed beyond negative zero.
 */
export function jsonSchemaOf(schema: v.GenericSchema): JsonSchema {
  const { $schema: _dialect, ...rest } = toJsonSchema(schema, options);
  return rest;
}

const options: ConversionConfig = { target: 'draft-2020-12', typeMode: 'ignore', errorMode: 'ignore', overrideSchema: ({ valibotSchema }) => override(valibotSchema) };

function override(schema: unknown): JsonSchema | null {
  if (schema === anyObject) return { type: 'object' };
  // A list of the contract begins with a check of its own, so that the length is looked at before any item.
  const { type, check } = schema as { readonly type: string; readonly check?: unknown };
  return type === 'custom' && check === Array.isArray ? { type: 'array' } : null;
}
