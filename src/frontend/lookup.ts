import { type FunctionRecord, LATEST, type VersionRecord } from '../functions/mod.ts';
import { ApiError, notFound } from './api-error.ts';
import { type FunctionReference, functionArn, parseFunctionReference } from './function-name.ts';
import { type ApiRequest, label } from './operation.ts';
import type { Services } from './services.ts';

/** The version that a request points to, and how the request named it. */
export interface Target {
  readonly reference: FunctionReference;
  readonly record: FunctionRecord;
  readonly version: VersionRecord;
}

/** Reads the request's `FunctionName` and `Qualifier`; a function of another account stays unseen. */
export function referenceOf(
  services: Services,
  request: ApiRequest,
  operation: string,
): FunctionReference {
  const { region } = services;
  const { accountId } = request.caller;
  const name = label(request, 'FunctionName');
  const qualifier = request.query.get('Qualifier');
  const reference = parseFunctionReference(name, qualifier, { accountId, region });
  requireOwnAccount(services, request, operation, reference);
  return reference;
}

/** Refuses another account's function in the same words whether there is one or not. */
export function requireOwnAccount(
  services: Services,
  request: ApiRequest,
  operation: string,
  reference: FunctionReference,
): void {
  if (reference.accountId === request.caller.accountId) return;
  const arn = functionArn(services.region, reference, reference.qualifier);
  const action = `lambda:${operation}`;
  const user = request.caller.principalArn ?? `arn:aws:iam::${request.caller.accountId}:root`;
  throw new ApiError(
    'AccessDeniedException',
    `User: ${user} is not authorized to perform: ${action} on resource: ${arn} ` +
      `because no resource-based policy allows the ${action} action`,
  );
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
): Promise<Target> {
  const record = await findFunction(services, reference);
  const number = versionNumber(record, reference.qualifier);
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
): number | undefined {
  if (qualifier === undefined || qualifier === '$LATEST') return LATEST;
  if (/^[1-9]\d{0,14}$/.test(qualifier)) return Number(qualifier);
  return Object.hasOwn(record.aliases, qualifier) ? record.aliases[qualifier]?.version : undefined;
}
