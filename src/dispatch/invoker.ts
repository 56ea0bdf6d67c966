import type { ConcurrencyAllowance } from '../catalogue/mod.ts';
import type { FunctionVersion } from '../records/mod.ts';

/** Where a streamed response goes. */
export interface ResponseSink {
  begin(contentType: string): void;
  /** A promise when the receiver is slow: wait for it before the next. */
  write(chunk: Buffer): Promise<void> | undefined;
}

export interface InvokeRequest {
  readonly version: FunctionVersion;
  /** The ARN that the caller used; the handler sees it as `invoked_function_arn`. */
  readonly invokedFunctionArn: string;
  readonly requestId: string;
  readonly payload: Buffer;
  /** JSON text, decoded from the header. */
  readonly clientContext?: string;
  readonly traceId: string;
  /** Whether the end of the log is wanted with the answer. */
  readonly logTail: boolean;
  /** What the store says now; at no moment may more run than it allows. */
  readonly concurrency: ConcurrencyAllowance;
  /** Takes the response as it comes; without one it is collected into the outcome. */
  readonly sink?: ResponseSink;
  /** Aborts when the server is forced to close; a caller who hangs up does not end the invoke. */
  readonly signal: AbortSignal;
}

export interface InvokeOutcome {
  readonly status: 'ok' | 'function-error';
  readonly payload: Buffer;
  readonly functionError?: 'Unhandled';
  /** At most 4 KiB, the end of what the invoke logged. */
  readonly logTail?: Buffer;
  /** `$LATEST` or a number. */
  readonly executedVersion: string;
}

/**
 * Runs one event in a sandbox. A function that fails is an outcome; it rejects only when no answer
 * of the function came to be: `CONCURRENCY_LIMIT_EXCEEDED` and `START_LIMIT_EXCEEDED` (their
 * `data.reason` goes to the caller) or a fault of ours.
 */
export interface Invoker {
  invoke(request: InvokeRequest): Promise<InvokeOutcome>;
  /** Ends the sandboxes of a version that stopped serving: idle ones now, lent ones afterwards. */
  drain(functionVersionArn: string): Promise<void>;
}
