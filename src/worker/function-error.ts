import { unreachable } from '../base/mod.ts';
import type { SandboxExit } from '../isolation/mod.ts';

/** How an invoke failed by the function's own fault. */
export type FunctionFailure =
  /** The runtime said so itself; its words are passed on as they are. */
  | { readonly kind: 'posted'; readonly body: Buffer; readonly errorType: string }
  | { readonly kind: 'oversize'; readonly limitBytes: number }
  | { readonly kind: 'timeout'; readonly timeoutMs: number }
  | { readonly kind: 'exit'; readonly exit: SandboxExit }
  /** The image names a program or a directory that cannot be used, or an extension has ended. */
  | { readonly kind: 'invalid'; readonly errorType: string; readonly message: string };

/** What Go's `os.Signal` prints, which is what Lambda's answers hold. */
const signalTexts: Readonly<Record<string, string>> = {
  SIGHUP: 'hangup',
  SIGINT: 'interrupt',
  SIGQUIT: 'quit',
  SIGILL: 'illegal instruction',
  SIGTRAP: 'trace/breakpoint trap',
  SIGABRT: 'aborted',
  SIGBUS: 'bus error',
  SIGFPE: 'floating point exception',
  SIGKILL: 'killed',
  SIGSEGV: 'segmentation fault',
  SIGPIPE: 'broken pipe',
  SIGALRM: 'alarm clock',
  SIGTERM: 'terminated',
  SIGSYS: 'bad system call',
};

export function signalText(signal: string): string {
  return `signal: ${signalTexts[signal] ?? signal.toLowerCase()}`;
}

function exitText({ exitCode, signal }: SandboxExit): string {
  if (signal !== null) {
    return `Runtime exited with error: ${signalText(signal)}`;
  }
  if (exitCode === null || exitCode === 0) return 'Runtime exited without providing a reason';
  return `Runtime exited with error: exit status ${exitCode}`;
}

/** `Sandbox.Timedout`, `Runtime.ExitError`, …, as recorded from AWS (contract 2.3). */
export function failureType(failure: FunctionFailure): string {
  switch (failure.kind) {
    case 'posted':
    case 'invalid':
      return failure.errorType;
    case 'oversize':
      return 'Function.ResponseSizeTooLarge';
    case 'timeout':
      return 'Sandbox.Timedout';
    case 'exit':
      return 'Runtime.ExitError';
    default:
      return unreachable(failure);
  }
}

function failureMessage(failure: Exclude<FunctionFailure, { kind: 'posted' }>, requestId: string) {
  switch (failure.kind) {
    case 'oversize':
      return (
        'Response payload size exceeded maximum allowed payload size ' +
        `(${failure.limitBytes} bytes).`
      );
    case 'timeout': {
      const seconds = (failure.timeoutMs / 1000).toFixed(2);
      return `RequestId: ${requestId} Error: Task timed out after ${seconds} seconds`;
    }
    case 'exit':
      return `RequestId: ${requestId} Error: ${exitText(failure.exit)}`;
    case 'invalid':
      return `RequestId: ${requestId} Error: ${failure.message}`;
    default:
      return unreachable(failure);
  }
}

/** The body that the caller gets, byte by byte what AWS sends. */
export function failureBody(failure: FunctionFailure, requestId: string): Buffer {
  if (failure.kind === 'posted') return failure.body;
  const errorType = failureType(failure);
  return Buffer.from(
    JSON.stringify({ errorType, errorMessage: failureMessage(failure, requestId) }),
  );
}

/** What Lambda writes to the log of a failure that the runtime did not report itself. */
export function failureLines(failure: FunctionFailure, requestId: string): string[] {
  if (failure.kind === 'posted') return [];
  return [failureMessage(failure, requestId), failureType(failure)];
}
