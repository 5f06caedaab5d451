import type { RealtimeService } from '@skirmish/emitter';
import type { RefusalCode } from '@skirmish/protocol';
import type * as v from 'valibot';

type Fields = v.GenericSchema<unknown, object>;

/** One operation of the service API, as it is served and as it is documented. */
export interface ServiceRoute {
  readonly method: 'get' | 'post';
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
  /** Asked after everything was parsed; `realtime` acts for the caller in the realm that it named. */
  readonly handle: (realtime: RealtimeService, input: { readonly params: never; readonly query: never; readonly body: never }) => Promise<unknown>;
}

type Typed<Params extends Fields, Query extends Fields, Body extends Fields | null, Answer extends v.GenericSchema> = Omit<ServiceRoute, 'handle'> & {
  readonly params: Params;
  readonly query: Query;
  readonly body: Body;
  readonly answer: Answer;
  readonly handle: (
    realtime: RealtimeService,
    input: { readonly params: v.InferOutput<Params>; readonly query: v.InferOutput<Query>; readonly body: Body extends Fields ? v.InferOutput<Body> : null },
  ) => Promise<v.InferInput<Answer>>;
};

/** Makes a row of the table: what the handler gets and answers follows from the schemas. */
export function serviceRoute<Params extends Fields, Query extends Fields, Body extends Fields | null, Answer extends v.GenericSchema>(
  row: Typed<Params, Query, Body, Answer>,
): ServiceRoute {
  return row;
}
