import { isSluiceError } from '../base/mod.ts';
import { type FunctionReference, functionArn } from '../catalogue/mod.ts';
import type { EventSourceMappingRecord } from '../records/mod.ts';
import { invalidParameter, notFound } from './api-error.ts';
import { authorize, authorizeFunction } from './authorization.ts';
import { parseFunctionReference } from './function-name.ts';
import type { ApiRequest } from './operation.ts';
import { requireQualifier } from './request-target.ts';
import type { Services } from './services.ts';
import { refuseForTenancy } from './tenancy.ts';

export const mappingArn = ({ region }: Services, accountId: string, uuid: string) =>
  `arn:aws:lambda:${region}:${accountId}:event-source-mapping:${uuid}`;

/** The ARN of the function, with the qualifier that the mapping was given. */
export function targetArn({ region }: Services, record: EventSourceMappingRecord): string {
  const { accountId, functionName: name, qualifier } = record;
  return functionArn(region, { accountId, name }, qualifier);
}

export const mappingMissing = () => notFound('The resource you requested does not exist.');

/** The mapping of the caller's account; another account's does not exist. */
export async function findMapping(
  services: Services,
  request: ApiRequest,
  operation: string,
  uuid: string,
): Promise<EventSourceMappingRecord> {
  const { accountId } = request.caller;
  const found = await services.eventSources.mappings.read(uuid);
  const own = found?.accountId === accountId ? found : undefined;
  const ofFunction = own && targetArn(services, own);
  authorize(services, request, operation, mappingArn(services, accountId, uuid), ofFunction);
  if (!own) throw mappingMissing();
  return own;
}

/** The function that a body names; one of another account is refused unseen. */
export function readFunction(
  services: Services,
  request: ApiRequest,
  operation: string,
  given: string,
): FunctionReference {
  const { accountId } = request.caller;
  const { region } = services;
  const reference = parseFunctionReference(given, undefined, { accountId, region });
  // The caller's own are asked about with the mapping, which is what policies name here.
  if (reference.accountId !== accountId) authorizeFunction(services, request, operation, reference);
  return reference;
}

export async function requireFunction(
  services: Services,
  reference: FunctionReference,
): Promise<void> {
  const record = await services.cache.read(reference);
  if (!record) throw invalidParameter('Function does not exist');
  refuseForTenancy(record, 'An event source mapping');
  requireQualifier(services, record, reference);
}

/** Throws unless the account may read the queue, and the function ends before its messages return. */
export async function requireQueue(
  services: Services,
  reference: FunctionReference,
  eventSourceArn: string,
): Promise<void> {
  const { queues } = services.eventSources;
  if (!queues) {
    throw invalidParameter('Unrecognized event source. This region has no queues: set `sqs`.');
  }
  const refused = (code: string, message: string) =>
    invalidParameter(
      `Error occurred while ReceiveMessage. SQS Error Code: ${code}. SQS Error Message: ${message}`,
    );
  try {
    const { accountId } = reference;
    const { visibilityTimeoutSeconds } = await queues.describe({ eventSourceArn, accountId });
    const record = await services.cache.read(reference);
    const timeoutSeconds = record?.latest.configuration.timeoutSeconds ?? 0;
    if (visibilityTimeoutSeconds >= timeoutSeconds) return;
    throw invalidParameter(
      `Queue visibility timeout: ${visibilityTimeoutSeconds} seconds is less than Function ` +
        `timeout: ${timeoutSeconds} seconds`,
    );
  } catch (error) {
    if (isSluiceError(error, 'QUEUE_NOT_FOUND')) {
      throw refused(
        'AWS.SimpleQueueService.NonExistentQueue',
        'The specified queue does not exist for this wsdl version.',
      );
    }
    if (isSluiceError(error, 'ACCESS_DENIED') || isSluiceError(error, 'QUEUE_DENIED')) {
      throw refused('AccessDenied', 'Access to the resource is denied.');
    }
    throw error;
  }
}
