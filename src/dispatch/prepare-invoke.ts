import {
  allowanceOf,
  type Catalogue,
  functionArn,
  servingVersion,
  type Target,
} from '../catalogue/mod.ts';
import type { Invocation } from '../runtime/mod.ts';
import type { InvokeCall } from './invoker.ts';

/** What the bringer of an event knows of it. */
export type EventFacts = Pick<Invocation, 'requestId' | 'payload' | 'traceId'> &
  Partial<Pick<Invocation, 'clientContext' | 'logTail' | 'sink' | 'tenantId'>>;

/**
 * The call that runs an event on its target: the one place where one is made, whoever brings the
 * event. Rejects with `FUNCTION_NOT_READY` while there is nothing to run, and with
 * `CONCURRENCY_LIMIT_EXCEEDED` where the function is switched off.
 */
export async function prepareInvoke(
  catalogue: Catalogue,
  target: Target,
  event: EventFacts,
  signal: AbortSignal,
): Promise<InvokeCall> {
  const { region } = catalogue;
  const { reference } = target;
  const version = servingVersion(region, target);
  const allowance = await allowanceOf(catalogue, target);
  const { requestId, payload, traceId, clientContext, tenantId, logTail = false, sink } = event;
  const invokedFunctionArn = functionArn(region, reference, reference.qualifier);
  return {
    version,
    allowance,
    invocation: {
      requestId,
      payload,
      invokedFunctionArn,
      traceId,
      clientContext,
      tenantId,
      logTail,
      sink,
    },
    signal,
  };
}
