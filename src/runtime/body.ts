import { limits, type WorkBudget } from '../base/mod.ts';
import type { ResponseSink } from './types.ts';
import type { RuntimeCall } from './wire/runtime-call.ts';

export type CollectedBody =
  | { readonly kind: 'whole'; readonly body: Buffer }
  | { readonly kind: 'oversize' }
  | { readonly kind: 'truncated' };

const unitsOf = (part: Buffer) =>
  limits.runtime.bodyPartUnits + part.length / limits.runtime.bodyUnitBytes;

/**
 * Reads a request's body into memory, no faster than the budget allows. One over the limit is read to its end and dropped, so that
 * the connection stays usable and the answer can be sent.
 */
export function collectBody(
  call: RuntimeCall,
  limitBytes: number,
  budget: WorkBudget,
): Promise<CollectedBody> {
  return new Promise((resolve) => {
    const parts: Buffer[] = [];
    let sizeBytes = 0;
    call.read({
      part(part) {
        sizeBytes += part.length;
        if (sizeBytes <= limitBytes) parts.push(part);
        else parts.length = 0;
        budget.spend(unitsOf(part));
        if (!budget.isSpent) return;
        call.pause();
        budget.whenLeft(() => call.resume());
      },
      end() {
        if (sizeBytes > limitBytes) return resolve({ kind: 'oversize' });
        const only = parts.length === 1 ? parts[0] : undefined;
        resolve({ kind: 'whole', body: only ?? Buffer.concat(parts, sizeBytes) });
      },
      cut: () => resolve({ kind: 'truncated' }),
    });
  });
}

/** Reads a body that nobody wants to its end, so that its connection stays usable. */
export function discardBody(call: RuntimeCall, budget: WorkBudget): void {
  void collectBody(call, 0, budget);
}

export type StreamedBody =
  | { readonly kind: 'whole'; readonly sizeBytes: number }
  | { readonly kind: 'oversize' }
  | { readonly kind: 'truncated' };

/** Passes a request's body on to `sink` as it comes, no faster than the sink takes it. */
export function streamBody(
  call: RuntimeCall,
  sink: ResponseSink,
  limitBytes: number,
  budget: WorkBudget,
): Promise<StreamedBody> {
  return new Promise((resolve) => {
    let sizeBytes = 0;
    const broken = () => {
      resolve({ kind: 'truncated' });
      call.destroy();
    };
    const taken = async (writing: Promise<void> | undefined) => {
      await writing;
      if (budget.isSpent) await budget.left();
      call.resume();
    };
    call.read({
      part(part) {
        sizeBytes += part.length;
        const writing = sizeBytes <= limitBytes ? sink.write(part) : undefined;
        budget.spend(unitsOf(part));
        if (writing === undefined && !budget.isSpent) return;
        call.pause();
        taken(writing).catch(broken);
      },
      end: () =>
        resolve(sizeBytes > limitBytes ? { kind: 'oversize' } : { kind: 'whole', sizeBytes }),
      cut: () => resolve({ kind: 'truncated' }),
    });
  });
}
