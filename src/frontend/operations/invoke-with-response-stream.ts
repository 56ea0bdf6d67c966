import { limits } from '../../base/mod.ts';
import { versionName } from '../../catalogue/mod.ts';
import { type InvokeOutcome, prepareInvoke, traceIdOf } from '../../dispatch/mod.ts';
import { ApiError, toApiError } from '../api-error.ts';
import { invokeComplete, payloadChunk } from '../event-stream.ts';
import { tooLargeMessage } from '../http/api-handler.ts';
import { readEvent, readInvokeOptions } from '../invoke-request.ts';
import { noContent, type Operation } from '../operation.ts';
import { invokeTarget } from '../request-target.ts';
import type { Services } from '../services.ts';
import { invokeStreaming, type StreamingInvoke, type StreamWriter } from '../stream-relay.ts';

const CHUNK_BYTES = 64 * 1024;

import { requireTenancy } from '../tenancy.ts';

/**
 * `InvokeWithResponseStream`: the response as events of a stream. Its head says 200 before the
 * function is done, so how that ended stands in the last event.
 */
export function invokeWithResponseStream(services: Services): Operation {
  return {
    name: 'InvokeWithResponseStream',
    method: 'POST',
    path: '/2021-11-15/functions/:FunctionName/response-streaming-invocations',
    maxBodyBytes: () => limits.lambda.syncPayloadBytes,
    async tooLarge(request, maxBytes) {
      await invokeTarget(services, request);
      const message = tooLargeMessage('InvokeWithResponseStream', maxBytes);
      return new ApiError('RequestTooLargeException', message);
    },
    async handle(request) {
      const options = readInvokeOptions(request);
      const target = await invokeTarget(services, request);
      requireTenancy(target, options.tenantId);
      const payload = readEvent(request.body);
      if (options.type === 'DryRun') return noContent;
      if (options.type === 'Event') {
        throw new ApiError(
          'InvalidParameterValueException',
          'InvokeWithResponseStream takes the invocation types RequestResponse and DryRun.',
        );
      }
      const traceId = traceIdOf(request, services.random, services.clock.nowMs());
      const { logTail, clientContext, tenantId } = options;
      const facts = { clientContext, logTail, tenantId };
      const event = { requestId: request.requestId, payload, traceId, ...facts };
      const streaming = await invokeStreaming(services.invoker, (sink) =>
        prepareInvoke(services, target, { ...event, sink }, request.signal),
      );
      return {
        status: 200,
        headers: {
          'Content-Type': 'application/vnd.amazon.eventstream',
          'X-Amz-Executed-Version': versionName(target.version.version),
          'X-Amzn-Trace-Id': traceId,
        },
        stream: (write) => sendEvents(streaming, logTail, write),
      };
    },
  };
}

async function sendEvents(
  streaming: StreamingInvoke,
  logTail: boolean,
  write: StreamWriter,
): Promise<void> {
  try {
    const outcome = await streaming.forward((chunk) => write(payloadChunk(chunk)));
    await sendEnd(outcome, logTail, write);
  } catch (error) {
    const { exception, message } = toApiError(error);
    await write(invokeComplete({ ErrorCode: exception, ErrorDetails: message }));
  }
}

async function sendEnd(
  { status, functionError = 'Unhandled', payload, logTail }: InvokeOutcome,
  wantsLog: boolean,
  write: StreamWriter,
): Promise<void> {
  const log = wantsLog && logTail ? { LogResult: logTail.toString('base64') } : {};
  if (status === 'function-error') {
    const ErrorDetails = payload.toString('utf8');
    await write(invokeComplete({ ErrorCode: functionError, ErrorDetails, ...log }));
    return;
  }
  // A function that did not stream has its whole response here.
  for (let at = 0; at < payload.length; at += CHUNK_BYTES) {
    await write(payloadChunk(payload.subarray(at, at + CHUNK_BYTES)));
  }
  await write(invokeComplete(log));
}
