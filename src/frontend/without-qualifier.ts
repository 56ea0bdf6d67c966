import type { FunctionReference } from './function-name.ts';

/** The function itself, for operations that have no use for a qualifier. */
export function withoutQualifier(reference: FunctionReference): FunctionReference {
  return { ...reference, qualifier: undefined };
}
