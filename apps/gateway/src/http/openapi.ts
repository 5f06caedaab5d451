import { type RefusalCode, refusals } from '@skirmish/protocol';
import { type JsonSchema, jsonSchemaOf } from './json-schema.ts';
import type { ServiceRoute } from './service-route.ts';

/** Every operation may answer these. */
const everywhere: readonly RefusalCode[] = [
  'auth/missing', 'auth/malformed', 'auth/invalid', 'auth/expired', 'auth/forbidden', 'auth/wrong-realm', 'payload/invalid', 'rate/limited', 'server/busy',
  'server/unavailable', 'server/internal',
];

type Json = Record<string, unknown>;

/** The OpenAPI 3.1 document of the service API, made from the table that is served. */
export function openApiOf(routes: readonly ServiceRoute[], version: string): Json {
  const paths: Record<string, Json> = {};
  for (const route of routes) {
    const path = route.path.replaceAll(/:([a-z]+)/gi, '{$1}');
    paths[path] = { ...paths[path], [route.method]: operationOf(route) };
  }
  return {
    openapi: '3.1.0',
    info: { title: 'Skirmish service API', version, description: 'For backends: the functions of the RealtimeService over HTTP. Every answer is the acknowledgement envelope.' },
    servers: [{ url: '/' }],
    security: [{ service: [] }],
    paths,
    components: {
      securitySchemes: {
        service: { type: 'http', scheme: 'bearer', bearerFormat: 'JWT', description: 'A token with the role `service` or `system` and the service audience.' },
      },
    },
  };
}

function operationOf({ operation, summary, params, query, body, answer, status, refusals: own }: ServiceRoute): Json {
  const codes = [...everywhere, ...own, ...(body ? (['payload/too-large'] as const) : [])];
  return {
    operationId: operation,
    summary,
    parameters: [...parametersOf('path', jsonSchemaOf(params)), ...parametersOf('query', jsonSchemaOf(query))],
    ...(body ? { requestBody: { required: true, content: { 'application/json': { schema: jsonSchemaOf(body) } } } } : {}),
    responses: {
      [status]: response('Done', { type: 'object', properties: { ok: { const: true }, data: jsonSchemaOf(answer) }, required: ['ok', 'data'], additionalProperties: false }),
      ...refusalResponses(codes),
    },
  };
}

function parametersOf(place: 'path' | 'query', { properties = {}, required = [] }: JsonSchema): Json[] {
  return Object.entries(properties).map(([name, schema]) => ({ name, in: place, required: required.includes(name), schema }));
}

function refusalResponses(codes: readonly RefusalCode[]): Record<string, Json> {
  const byStatus = Map.groupBy(codes, (code) => refusals[code].status);
  return Object.fromEntries([...byStatus].map(([status, members]) => [String(status), response(members.map((code) => `\`${code}\``).join(', '), refusalOf(members))]));
}

function refusalOf(codes: readonly RefusalCode[]): JsonSchema {
  const error: JsonSchema = {
    type: 'object',
    properties: {
      code: { enum: [...codes] },
      message: { type: 'string' },
      retry: { enum: ['never', 'later', 'now'] },
      retryAfterMs: { type: 'integer', minimum: 0 },
      path: { type: 'string' },
    },
    required: ['code', 'message', 'retry'],
    additionalProperties: false,
  };
  return { type: 'object', properties: { ok: { const: false }, error }, required: ['ok', 'error'], additionalProperties: false };
}

const response = (description: string, schema: JsonSchema): Json => ({ description, content: { 'application/json': { schema } } });
