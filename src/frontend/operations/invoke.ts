import { limits } from '../../base/mod.ts';
import type { FunctionVersion, VersionRecord } from '../../functions/mod.ts';
import { ApiError, conflict, invalidParameter } from '../api-error.ts';
import { functionArn } from '../function-name.ts';
import { tooLargeMessage } from '../http/api-handler.ts';
import { type InvokeOptions, readEvent, readInvokeOptions, traceIdOf } from '../invoke-request.ts';
import { invokeTarget, type Target } from '../lookup.ts';
import { type ApiRequest, type ApiResponse, noContent, type Operation } from '../operation.ts';
import { versionName } from '../rendering.ts';
import type { ConcurrencyAllowance, InvokeOutcome } from '../seams.ts';
import type { Services } from '../services.ts';

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
      const payload = readEvent(request.body);
      if (options.type === 'DryRun') return noContent;
      const traceId = traceIdOf(request, services.random, services.clock.nowMs());
      if (options.type === 'Event') return enqueue(services, request, target, payload, traceId);
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
  const { reference } = target;
  const { region, invoker } = services;
  const version = servingVersion(region, target);
  const outcome = await invoker.invoke({
    version,
    concurrency: await allowanceOf(services, target),
    invokedFunctionArn: functionArn(region, reference, reference.qualifier),
    requestId: request.requestId,
    payload,
    ...(options.clientContext === undefined ? {} : { clientContext: options.clientContext }),
    traceId,
    logTail: options.logTail,
    signal: request.signal,
  });
  return renderOutcome(outcome, options.logTail, traceId);
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

async function enqueue(
  services: Services,
  request: ApiRequest,
  { reference, record }: Target,
  payload: Buffer,
  traceId: string,
): Promise<ApiResponse> {
  if (!services.events) throw invalidParameter('Event invokes are not enabled in this region.');
  await services.events.enqueue({
    accountId: record.accountId,
    functionName: record.name,
    qualifier: reference.qualifier,
    requestId: request.requestId,
    traceId,
    payload,
    receivedMs: services.clock.nowMs(),
  });
  return { status: 202, headers: { 'X-Amzn-Trace-Id': traceId } };
}

/** The concurrency in force for a target. Throws where the function is switched off. */
export async function allowanceOf(
  services: Services,
  { record }: Target,
): Promise<ConcurrencyAllowance> {
  const { reservedConcurrency: reserved } = record;
  if (reserved === 0) {
    throw new ApiError('TooManyRequestsException', 'Rate Exceeded.', {
      reason: 'ReservedFunctionConcurrentInvocationLimitExceeded',
    });
  }
  const { reservedConcurrency: reservedTotal } = await services.cache.totals(record.accountId);
  const account = limits.lambda.accountConcurrency;
  return reserved === undefined ? { account, reservedTotal } : { account, reservedTotal, reserved };
}

const known = new WeakMap<VersionRecord, FunctionVersion>();

/** What a sandbox is made of for this target; throws while the function has nothing to run. */
export function servingVersion(region: string, { record, version }: Target): FunctionVersion {
  const cached = known.get(version);
  if (cached) return cached;
  const { serving } = version;
  if (!serving) {
    throw conflict(
      'The operation cannot be performed at this time. The function is currently in the ' +
        `following state: ${version.state}`,
    );
  }
  const name = versionName(version.version);
  const built: FunctionVersion = {
    accountId: record.accountId,
    functionName: record.name,
    version: name,
    arn: functionArn(region, record, name),
    servingId: serving.servingId,
    configuration: serving.configuration,
    code: serving.code,
  };
  known.set(version, built);
  return built;
}
