import { limits } from '../../base/mod.ts';
import type { Target } from '../../catalogue/mod.ts';
import type { QueuedEvent } from '../../delivery/mod.ts';
import { type InvokeOutcome, prepareInvoke, traceIdOf } from '../../dispatch/mod.ts';
import { ApiError, invalidParameter } from '../api-error.ts';
import { tooLargeMessage } from '../http/api-handler.ts';
import { type InvokeOptions, readEvent, readInvokeOptions } from '../invoke-request.ts';
import { type ApiRequest, type ApiResponse, noContent, type Operation } from '../operation.ts';
import { invokeTarget } from '../request-target.ts';
import type { Services } from '../services.ts';
import { requireTenancy } from '../tenancy.ts';

/**
 * `Invoke`. Checks go in Lambda's order: name, existence, size, JSON, state; what is left is the
 * invoker's: concurrency, then the function itself.
 */
export function invoke(services: Services): Operation {
  return {
    name: 'Invoke',
    method: 'POST',
    path: '/2015-03-31/functions/:FunctionName/invocations',
    maxBodyBytes: (headers) =>
      headers['x-amz-invocation-type'] === 'Event'
        ? limits.lambda.asyncPayloadBytes
        : limits.lambda.syncPayloadBytes,
    async tooLarge(request, maxBytes) {
      await invokeTarget(services, request);
      return new ApiError('RequestTooLargeException', tooLargeMessage('Invoke', maxBytes));
    },
    async handle(request) {
      const options = readInvokeOptions(request);
      const target = await invokeTarget(services, request);
      requireTenancy(target, options.tenantId);
      const payload = readEvent(request.body);
      if (options.type === 'DryRun') return noContent;
      const traceId = traceIdOf(request, services.random, services.clock.nowMs());
      if (options.type === 'Event') {
        return enqueue(services, request, target, { payload, traceId, tenantId: options.tenantId });
      }
      return run(services, request, target, options, payload, traceId);
    },
  };
}

async function run(
  services: Services,
  request: ApiRequest,
  target: Target,
  options: InvokeOptions,
  payload: Buffer,
  traceId: string,
): Promise<ApiResponse> {
  const { logTail, clientContext, tenantId } = options;
  const facts = { clientContext, logTail, tenantId };
  const event = { requestId: request.requestId, payload, traceId, ...facts };
  const call = await prepareInvoke(services, target, event, request.signal);
  const outcome = await services.invoker.invoke(call);
  return renderOutcome(outcome, logTail, traceId);
}

/** A failed function answers 200 too; only the header tells. */
function renderOutcome(outcome: InvokeOutcome, logTail: boolean, traceId: string): ApiResponse {
  const headers: Record<string, string> = {
    'X-Amz-Executed-Version': outcome.executedVersion,
    'X-Amzn-Trace-Id': traceId,
    'X-Amzn-Remapped-Content-Length': '0',
  };
  if (outcome.status === 'function-error') {
    headers['X-Amz-Function-Error'] = outcome.functionError ?? 'Unhandled';
  }
  if (logTail && outcome.logTail) {
    headers['X-Amz-Log-Result'] = outcome.logTail.toString('base64');
  }
  return { status: 200, headers, body: outcome.payload };
}

/** `InvokeAsync`, the deprecated form of an `Event` invoke. */
export function invokeAsync(services: Services): Operation {
  return {
    name: 'InvokeAsync',
    method: 'POST',
    path: '/2014-11-13/functions/:FunctionName/invoke-async',
    maxBodyBytes: () => limits.lambda.asyncPayloadBytes,
    async handle(request) {
      const target = await invokeTarget(services, request);
      requireTenancy(target, undefined);
      const payload = readEvent(request.body);
      const traceId = traceIdOf(request, services.random, services.clock.nowMs());
      const { headers } = await enqueue(services, request, target, { payload, traceId });
      return { status: 202, ...(headers ? { headers } : {}), body: '{"Status":202}' };
    },
  };
}

async function enqueue(
  services: Services,
  request: ApiRequest,
  { reference, record }: Target,
  event: Pick<QueuedEvent, 'payload' | 'traceId' | 'tenantId'>,
): Promise<ApiResponse> {
  if (!services.events) throw invalidParameter('Event invokes are not enabled in this region.');
  await services.events.enqueue({
    accountId: record.accountId,
    functionName: record.name,
    qualifier: reference.qualifier,
    requestId: request.requestId,
    ...event,
    receivedMs: services.clock.nowMs(),
  });
  return { status: 202, headers: { 'X-Amzn-Trace-Id': event.traceId } };
}
