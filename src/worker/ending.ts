import type { RuntimeOutcome } from '../runtime/mod.ts';
import type { FunctionFailure } from './function-error.ts';

/** How one invoke ended: with the runtime's response, or with a failure of the function's own. */
export type Ending = { readonly body: Buffer } | { readonly failure: FunctionFailure };

const noBody = Buffer.alloc(0);

/** What the runtime's outcome means for the invoke; `undefined` if its end has to say that. */
export function endingOf(outcome: RuntimeOutcome): Ending | undefined {
  switch (outcome.kind) {
    case 'response':
      return { body: outcome.body };
    case 'streamed':
      return { body: noBody };
    case 'error':
    case 'fatal':
      return { failure: { ...outcome, kind: 'posted' } };
    case 'broken':
      return { failure: { ...outcome, kind: 'invalid' } };
    case 'oversize':
      return { failure: outcome };
    case 'closed':
      return undefined;
  }
}
