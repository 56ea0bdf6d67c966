import type { RuntimeOutcome } from '../runtime/mod.ts';
import type { FunctionFailure } from './function-error.ts';

/** How one invoke ended: with the runtime's response, or with a failure of the function's own. */
export type Ending =
  | { readonly body: Buffer }
  /** After one that it survives, the runtime asks for its next event as if nothing had been. */
  | { readonly failure: FunctionFailure; readonly isSurvived?: true };

/** Whether the runtime serves on. */
export function isSurvived(ending: Ending): boolean {
  return 'body' in ending || ending.isSurvived === true;
}

const noBody = Buffer.alloc(0);

/** What the runtime's outcome means for the invoke; `undefined` if its end has to say that. */
export function endingOf(outcome: RuntimeOutcome): Ending | undefined {
  switch (outcome.kind) {
    case 'response':
      return { body: outcome.body };
    case 'streamed':
      return { body: noBody };
    case 'error':
      return { failure: { ...outcome, kind: 'posted' }, isSurvived: true };
    case 'fatal':
      return { failure: { ...outcome, kind: 'posted' } };
    case 'broken':
      return { failure: { ...outcome, kind: 'invalid' } };
    case 'oversize':
      return { failure: outcome, isSurvived: true };
    case 'closed':
      return undefined;
  }
}
