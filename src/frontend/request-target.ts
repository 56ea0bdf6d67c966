import {
  type FunctionReference,
  findTarget,
  functionArn,
  functionNotFound,
  pickVersion,
  type Target,
  versionNumber,
} from '../catalogue/mod.ts';
import { type FunctionRecord, versionExists } from '../records/mod.ts';
import { notFound } from './api-error.ts';
import { authorizeForeignInvoke, authorizeFunction, authorizeOwnInvoke } from './authorization.ts';
import { parseFunctionReference } from './function-name.ts';
import { type ApiRequest, label } from './operation.ts';
import type { Services } from './services.ts';

/** Reads `FunctionName` and `Qualifier`; a function of another account stays unseen. */
export function referenceOf(
  services: Services,
  request: ApiRequest,
  operation: string,
): FunctionReference {
  const reference = parseRequest(services, request);
  authorizeFunction(services, request, operation, reference);
  return reference;
}

function parseRequest({ region }: Services, request: ApiRequest): FunctionReference {
  const { accountId } = request.caller;
  const name = label(request, 'FunctionName');
  const qualifier = request.query.get('Qualifier');
  return parseFunctionReference(name, qualifier, { accountId, region });
}

/** What an invoke points to: of the caller's account, or of another whose policy allows it. */
export async function invokeTarget(services: Services, request: ApiRequest): Promise<Target> {
  const reference = parseRequest(services, request);
  const record = await services.cache.read(reference);
  const own = reference.accountId === request.caller.accountId;
  const authorizeInvoke = own ? authorizeOwnInvoke : authorizeForeignInvoke;
  authorizeInvoke(services, request, reference, record);
  return findTarget(services, reference, (alias) => pickVersion(alias, services.random));
}

/** Throws the API's error unless the reference's qualifier, if any, names something. */
export function requireQualifier(
  services: Services,
  record: FunctionRecord,
  reference: FunctionReference,
): void {
  const { qualifier } = reference;
  const number = versionNumber(record, qualifier);
  if (number !== undefined && versionExists(record, number)) return;
  if (number !== undefined) throw functionNotFound(services.region, reference);
  throw notFound(`Cannot find alias arn: ${functionArn(services.region, reference, qualifier)}`);
}
