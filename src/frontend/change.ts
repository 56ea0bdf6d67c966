import { isSluiceError } from '../base/mod.ts';
import { type FunctionReference, functionArn, functionNotFound } from '../catalogue/mod.ts';
import type { AccountTotals, FunctionChange, FunctionRecord } from '../records/mod.ts';
import { ApiError, conflict } from './api-error.ts';
import type { Services } from './services.ts';

/** Which call gets a caller the latest revision id, in the words of a 412. */
export type RevisionSource = 'GetFunction/GetAlias' | 'GetPolicy' | 'GetLayerPolicy';

export function staleRevision(source: RevisionSource, cause?: unknown): ApiError {
  return new ApiError(
    'PreconditionFailedException',
    'The Revision Id provided does not match the latest Revision Id. Call the ' +
      `${source} API to retrieve the latest Revision Id`,
    { cause },
  );
}

/** Changes a function's record, with refusals in the API's words. */
export async function changeFunction(
  services: Services,
  reference: FunctionReference,
  change: (record: FunctionRecord, totals: AccountTotals) => FunctionChange,
): Promise<FunctionRecord> {
  try {
    return await services.store.change(reference, change);
  } catch (error) {
    throw changeError(services, reference, error);
  }
}

/** The API's words for what a change of a function can be refused for. */
export function changeError(
  services: Services,
  reference: FunctionReference,
  error: unknown,
): unknown {
  // One that names an ARN already speaks of a version or an alias.
  if (isSluiceError(error, 'FUNCTION_NOT_FOUND') && error.data['arn'] === undefined) {
    return functionNotFound(services.region, reference);
  }
  if (isSluiceError(error, 'REVISION_MISMATCH')) {
    return staleRevision('GetFunction/GetAlias', error);
  }
  if (isSluiceError(error, 'FUNCTION_BUSY')) {
    const lead = 'The operation cannot be performed at this time.';
    const arn = functionArn(services.region, reference);
    return error.data['state'] === 'InProgress'
      ? conflict(`${lead} An update is in progress for resource: ${arn}`)
      : conflict(`${lead} The function is currently in the following state: Pending`);
  }
  return error;
}
