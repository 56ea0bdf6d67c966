import { isSluiceError } from '../base/mod.ts';
import type { FunctionReference } from '../catalogue/mod.ts';
import type { EventInvokeRecord, FunctionConfiguration } from '../records/mod.ts';
import { invalidParameter } from './api-error.ts';
import { authorizeAction, authorizeOwnInvoke, principalOf } from './authorization.ts';
import {
  isDeliverable,
  isFunctionArn,
  isQueueArn,
  isTopicArn,
  sendingAction,
} from './destinations.ts';
import { parseFunctionReference } from './function-name.ts';
import type { ApiRequest } from './operation.ts';
import type { Services } from './services.ts';

/** Throws unless events can be sent to what the configuration names. */
export async function requireDestinations(
  services: Services,
  request: ApiRequest,
  reference: FunctionReference,
  config: EventInvokeRecord,
): Promise<void> {
  const shown = (arn: string | undefined, name: string) =>
    arn ? `${name}(destination=${arn})` : 'null';
  for (const arn of [config.onSuccess, config.onFailure]) {
    if (!arn) continue;
    if (isFunctionArn(arn)) {
      await requireDestinationFunction(services, request, reference, arn);
    } else if (isQueueArn(arn)) {
      await requireDestinationQueue(services, request, arn);
    } else if (isTopicArn(arn)) {
      await requireDestinationTopic(services, request, arn);
    } else if (!isDeliverable(arn)) {
      const onSuccess = shown(config.onSuccess, 'OnSuccess');
      const onFailure = shown(config.onFailure, 'OnFailure');
      throw invalidParameter(
        `The provided destination config DestinationConfig(onSuccess=${onSuccess}, ` +
          `onFailure=${onFailure}) is invalid.`,
      );
    }
  }
}

async function requireDestinationFunction(
  services: Services,
  request: ApiRequest,
  reference: FunctionReference,
  arn: string,
): Promise<void> {
  const caller = { accountId: request.caller.accountId, region: services.region };
  const target = parseFunctionReference(arn, undefined, caller);
  if (target.accountId === reference.accountId && target.name === reference.name) {
    throw invalidParameter("You can't specify the function as a destination for itself.");
  }
  const own = target.accountId === request.caller.accountId;
  const record = own ? await services.cache.read(target) : undefined;
  if (!record) throw invalidParameter(`The destination ARN ${arn} is invalid.`);
  // The region invokes it later in the caller's stead, who must not get by it what is not his.
  authorizeOwnInvoke(services, request.caller, target, record);
}

/**
 * Throws unless the caller may invoke the function that a dead letter queue's place names, or may send
 * to the queue or topic, which is there and the account's.
 */
export async function requireDeadLetter(
  services: Services,
  request: ApiRequest,
  arn: string | undefined,
): Promise<void> {
  if (arn !== undefined && isTopicArn(arn)) {
    return requireDestinationTopic(services, request, arn);
  }
  if (arn !== undefined && isQueueArn(arn)) {
    return requireDestinationQueue(services, request, arn);
  }
  if (arn === undefined || !isFunctionArn(arn)) return;
  const caller = { accountId: request.caller.accountId, region: services.region };
  const target = parseFunctionReference(arn, undefined, caller);
  const own = target.accountId === request.caller.accountId;
  if (own) authorizeOwnInvoke(services, request.caller, target, await services.cache.read(target));
}

/** The configuration with who answers for its dead letter queue, where the input says which it is. */
export function withConfigurer(
  configuration: FunctionConfiguration,
  { DeadLetterConfig }: { readonly DeadLetterConfig?: object | undefined },
  request: ApiRequest,
): FunctionConfiguration {
  if (!DeadLetterConfig) return configuration;
  const { deadLetterConfiguredBy: _, ...rest } = configuration;
  if (rest.deadLetterTargetArn === undefined) return rest;
  return { ...rest, deadLetterConfiguredBy: principalOf(request.caller) };
}

/** The queue has to be there, and the account's; the caller has to be one who may send to it. */
async function requireDestinationQueue(
  services: Services,
  request: ApiRequest,
  eventSourceArn: string,
): Promise<void> {
  const { accountId } = request.caller;
  authorizeAction(services, request.caller, sendingAction(eventSourceArn), eventSourceArn);
  const { queues } = services.eventSources;
  await requireThere(eventSourceArn, queues?.describe({ eventSourceArn, accountId }));
}

async function requireDestinationTopic(
  services: Services,
  request: ApiRequest,
  topicArn: string,
): Promise<void> {
  const { accountId } = request.caller;
  authorizeAction(services, request.caller, sendingAction(topicArn), topicArn);
  await requireThere(topicArn, services.topics?.describe({ topicArn, accountId }));
}

/** `found` is what the service says of it; nothing where the region has no such service. */
async function requireThere(arn: string, found: Promise<unknown> | undefined): Promise<void> {
  const invalid = () => invalidParameter(`The destination ARN ${arn} is invalid.`);
  if (!found) throw invalid();
  try {
    await found;
  } catch (error) {
    const unavailable = isSluiceError(error, 'QUEUE_SERVICE_UNAVAILABLE');
    throw isSluiceError(error) && !unavailable ? invalid() : error;
  }
}
