import type { ConcurrencyAllowance } from '../assignment/mod.ts';
import type { FunctionVersion } from '../records/mod.ts';
import type { Invocation } from '../runtime/mod.ts';
import type { InvokeOutcome } from '../worker/mod.ts';

/** An event and where it goes; `prepareInvoke` makes it. */
export interface InvokeCall {
  readonly version: FunctionVersion;
  /** What the store says now; at no moment may more run than it allows. */
  readonly allowance: ConcurrencyAllowance;
  readonly invocation: Invocation;
  /**
   * Ends the wait for a sandbox: when the server is forced to close. A caller who hangs up does not
   * end the invoke, and an event that a sandbox already has runs on.
   */
  readonly signal: AbortSignal;
}

/**
 * Runs one event in a sandbox. A function that fails is an outcome; it rejects only when no answer
 * of the function came to be: `CONCURRENCY_LIMIT_EXCEEDED` and `START_LIMIT_EXCEEDED` (their
 * `data.reason` goes to the caller), `INVOKE_LOST` where the event may have run, or another fault
 * of ours, and then it has not.
 */
export interface Invoker {
  invoke(call: InvokeCall): Promise<InvokeOutcome>;
  /** Ends the sandboxes of a version that stopped serving: idle ones now, lent ones afterwards. */
  drain(functionVersionArn: string): Promise<void>;
}
