import type { Random } from '../base/mod.ts';
import {
  type AliasRecord,
  type FunctionRecord,
  LATEST,
  type VersionRecord,
  versionExists,
} from '../functions/mod.ts';
import { type ApiError, notFound } from './api-error.ts';
import { authorizeForeignInvoke, authorizeFunction, authorizeOwnInvoke } from './authorization.ts';
import { type FunctionReference, functionArn, parseFunctionReference } from './function-name.ts';
import { type ApiRequest, label } from './operation.ts';
import type { Services } from './services.ts';

/** The version that a request points to, and how the request named it. */
export interface Target {
  readonly reference: FunctionReference;
  readonly record: FunctionRecord;
  readonly version: VersionRecord;
}

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

/** An alias with weights sends that share of its invokes to the other version. */
export function pickVersion(alias: AliasRecord, random: Random): number {
  let at = alias.weights && Object.keys(alias.weights).length > 0 ? random.float() : 1;
  for (const [version, weight] of Object.entries(alias.weights)) {
    if (at < weight) return Number(version);
    at -= weight;
  }
  return alias.version;
}

export function functionNotFound(services: Services, reference: FunctionReference): ApiError {
  const arn = functionArn(services.region, reference, reference.qualifier);
  return notFound(`Function not found: ${arn}`);
}

/** The function, whatever the qualifier. */
export async function findFunction(
  services: Services,
  reference: FunctionReference,
): Promise<FunctionRecord> {
  const record = await services.cache.read(reference);
  if (!record) throw functionNotFound(services, reference);
  return record;
}

/** The version that the qualifier names; an alias gives its main version. */
export async function findTarget(
  services: Services,
  reference: FunctionReference,
  pick: (alias: AliasRecord) => number = (alias) => alias.version,
): Promise<Target> {
  const record = await findFunction(services, reference);
  const number = versionNumber(record, reference.qualifier, pick);
  if (number === LATEST) return { reference, record, version: record.latest };
  const version =
    number === undefined ? undefined : await services.cache.readVersion(reference, number);
  if (!version) throw functionNotFound(services, reference);
  return { reference, record, version };
}

/** The number that a qualifier stands for; undefined when it names nothing. */
export function versionNumber(
  record: FunctionRecord,
  qualifier: string | undefined,
  pick: (alias: AliasRecord) => number = (alias) => alias.version,
): number | undefined {
  if (qualifier === undefined || qualifier === '$LATEST') return LATEST;
  if (/^[1-9]\d{0,14}$/.test(qualifier)) return Number(qualifier);
  const alias = Object.hasOwn(record.aliases, qualifier) ? record.aliases[qualifier] : undefined;
  return alias && pick(alias);
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
  if (number !== undefined) throw functionNotFound(services, reference);
  throw notFound(`Cannot find alias arn: ${functionArn(services.region, reference, qualifier)}`);
}
