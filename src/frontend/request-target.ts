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
  if (own) authorizeOwnInvoke(services, request.caller, reference, record);
  else authorizeForeignInvoke(services, request, reference, record);
  return findTarget(services, reference, (alias) => pickVersion(alias, services.random));
}

/** What an alias may be called (service model). */
const aliasName = /^(?!\d+$)[a-zA-Z0-9-_]+$/;

/** Whether the reference's qualifier, if any, names something. */
export function hasQualifier(record: FunctionRecord, { qualifier }: FunctionReference): boolean {
  const number = versionNumber(record, qualifier);
  return number !== undefined && versionExists(record, number);
}

/** Throws the API's error unless the reference's qualifier, if any, names something. */
export function requireQualifier(
  services: Services,
  record: FunctionRecord,
  reference: FunctionReference,
): void {
  const { qualifier } = reference;
  if (hasQualifier(record, reference)) return;
  if (!aliasName.test(qualifier ?? '')) throw functionNotFound(services.region, reference);
  throw notFound(`Cannot find alias arn: ${functionArn(services.region, reference, qualifier)}`);
}
