import type { IncomingMessage } from 'node:http';
import { limits, type WorkBudget } from '../base/mod.ts';
import type { ResponseSink } from './types.ts';

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
  request: IncomingMessage,
  limitBytes: number,
  budget: WorkBudget,
): Promise<CollectedBody> {
  return new Promise((resolve) => {
    const chunks: Buffer[] = [];
    let sizeBytes = 0;
    request.on('data', (chunk: Buffer) => {
      sizeBytes += chunk.length;
      if (sizeBytes <= limitBytes) chunks.push(chunk);
      else chunks.length = 0;
      budget.spend(unitsOf(chunk));
      if (!budget.isSpent) return;
      request.pause();
      budget.whenLeft(() => request.resume());
    });
    request.on('end', () => {
      if (sizeBytes > limitBytes) return resolve({ kind: 'oversize' });
      const only = chunks.length === 1 ? chunks[0] : undefined;
      resolve({ kind: 'whole', body: only ?? Buffer.concat(chunks, sizeBytes) });
    });
    // A connection that goes away mid-body ends in `error` and `close` without `end`.
    request.on('error', () => resolve({ kind: 'truncated' }));
    request.on('close', () => resolve({ kind: 'truncated' }));
  });
}

/** Reads a body that nobody wants to its end, so that its connection stays usable. */
export function discardBody(request: IncomingMessage, budget: WorkBudget): void {
  void collectBody(request, 0, budget);
}

/** Whether a request that should have no body announces one. */
export function hasBody({ headers }: IncomingMessage): boolean {
  const length = headers['content-length'];
  return headers['transfer-encoding'] !== undefined || (length !== undefined && length !== '0');
}

export type StreamedBody =
  | { readonly kind: 'whole'; readonly sizeBytes: number }
  | { readonly kind: 'oversize' }
  | { readonly kind: 'truncated' };

/** Passes a request's body on to `sink` as it comes, no faster than the sink takes it. */
export async function streamBody(
  request: IncomingMessage,
  sink: ResponseSink,
  limitBytes: number,
  budget: WorkBudget,
): Promise<StreamedBody> {
  let sizeBytes = 0;
  try {
    for await (const chunk of request as AsyncIterable<Buffer>) {
      sizeBytes += chunk.length;
      if (sizeBytes <= limitBytes) await sink.write(chunk);
      budget.spend(unitsOf(chunk));
      if (budget.isSpent) await budget.left();
    }
  } catch {
    return { kind: 'truncated' };
  }
  return sizeBytes > limitBytes ? { kind: 'oversize' } : { kind: 'whole', sizeBytes };
}
