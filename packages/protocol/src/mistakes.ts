import type * as v from 'valibot';

/** The first mistake ends the parsing: a hostile payload shall not make us look for the others. */
export const wireOptions = { abortEarly: true, abortPipeEarly: true } as const;

/** What is told of a mistake: the schema's message and the path in dots, empty for the whole payload. */
export interface Mistake {
  readonly message: string;
  readonly path: string;
}

/** Takes from valibot's issue what may be told and logged, and leaves the input that it holds behind. */
export function firstMistake(issue: v.BaseIssue<unknown>): Mistake {
  const deepest = deepestOf(issue);
  return { message: deepest.message, path: pathOf(deepest) };
}

/** Of the alternatives of a union, the mistake of the one that came furthest. */
function deepestOf(issue: v.BaseIssue<unknown>): v.BaseIssue<unknown> {
  let deepest = issue;
  for (const alternative of issue.issues ?? []) {
    const candidate = deepestOf(alternative);
    if ((candidate.path?.length ?? 0) > (deepest.path?.length ?? 0)) deepest = candidate;
  }
  return deepest;
}

const ownKey = /^[A-Za-z][A-Za-z0-9]{0,39}$/;

/** A key that no schema can have named is the client's own and is shown as `?`. */
function pathOf(issue: v.BaseIssue<unknown>): string {
  return (issue.path ?? []).map(({ key }) => (typeof key === 'number' || (typeof key === 'string' && ownKey.test(key)) ? key : '?')).join('.');
}
