import type { RealtimeService } from '@skirmish/emitter';
import type { RefusalCode, UserId } from '@skirmish/protocol';
import type * as v from 'valibot';
import type { Guilds } from '../guild/guilds.ts';
import type { Sanctions } from '../moderation/sanctions.ts';

/** What an operation may use, on behalf of its caller. */
export interface ServiceCall {
  /** In the realm that the caller named; writes the audit log itself. */
  readonly realtime: RealtimeService;
  /** Of users, so in all realms. */
  readonly sanctions: Sanctions;
  readonly guilds: Guilds;
  /** Subject of the caller's token. */
  readonly by: UserId;
  /** Writes down what is about to be done to all realms; rejects when it cannot, or when the caller's token is for one realm among several. */
  readonly audit: (action: string, target: string, details?: Readonly<Record<string, unknown>>) => Promise<void>;
}

type Fields = v.GenericSchema<unknown, object>;

/** One operation of the service API, as it is served and as it is documented. */
export interface ServiceRoute {
  readonly method: 'get' | 'post' | 'put' | 'delete';
  /** As Express has it: `/v1/users/:id/online`. */
  readonly path: `/v1/${string}`;
  /** Unique; the name of the same function in TypeScript where there is one. */
  readonly operation: string;
  readonly summary: string;
  readonly params: Fields;
  readonly query: Fields;
  /** null: takes no body. */
  readonly body: Fields | null;
  readonly answer: v.GenericSchema;
  readonly status: 200 | 202;
  /** Beyond those that every operation has. */
  readonly refusals: readonly RefusalCode[];
  /** Asked after everything was parsed. */
  readonly handle: (call: ServiceCall, input: { readonly params: never; readonly query: never; readonly body: never }) => Promise<unknown>;
}

type Typed<Params extends Fields, Query extends Fields, Body extends Fields | null, Answer extends v.GenericSchema> = Omit<ServiceRoute, 'handle'> & {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly answer: Answer;
  readonly handle: (
    call: ServiceCall,
    input: { readonly params: v.InferOutput<Params>; readonly query: v.InferOutput<Query>; readonly body: Body extends Fields ? v.InferOutput<Body> : null },
  ) => Promise<v.InferInput<Answer>>;
};

/** Makes a row of the table: what the handler gets and answers follows from the schemas. */
export function serviceRoute<Params extends Fields, Query extends Fields, Body extends Fields | null, Answer extends v.GenericSchema>(
  row: Typed<Params, Query, Body, Answer>,
): ServiceRoute {
  return row;
}
