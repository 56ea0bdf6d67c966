import type { FunctionReference } from '../catalogue/mod.ts';

/** The function itself, for operations that have no use for a qualifier. */
export function withoutQualifier(reference: FunctionReference): FunctionReference {
  return { ...reference, qualifier: undefined };
}
