import { createHash } from 'node:crypto';
import { assert, limits, SluiceError } from '../base/mod.ts';

/** A few queues of many, always the same ones for the same function. */
export function queuesOf(functionKey: string, queues: number, perFunction: number): number[] {
  assert(perFunction <= queues, 'a function has no more queues than there are');
  const digest = createHash('sha256').update(functionKey).digest();
  // A random step that is odd, over a power of two, never visits a queue twice.
  assert((queues & (queues - 1)) === 0, 'the number of queues is a power of two');
  const first = digest.readUInt32LE(0);
  const stride = (digest.readUInt32LE(4) | 1) >>> 0;
  return Array.from({ length: perFunction }, (_, i) => (first + i * stride) % queues);
}

/** The shortest of a function's queues; among equals the first. */
export function shortest(
  candidates: readonly number[],
  depthOf: (queue: number) => number,
): number {
  let best = candidates[0] ?? 0;
  for (const queue of candidates) if (depthOf(queue) < depthOf(best)) best = queue;
  return best;
}

/**
 * Throws `OVERLOADED` unless a function's shortest queue, of `depth` events, takes one more beside
 * the `events` that all hold: who fills its own queues leaves the others room.
 */
export function requireRoom(
  functionName: string,
  { depth, events, eventsMax }: { depth: number; events: number; eventsMax: number },
): void {
  const depthMax = Math.ceil(eventsMax * limits.queue.eventsPartPerQueue);
  if (events < eventsMax && depth < depthMax) return;
  const ownQueues = events < eventsMax;
  throw new SluiceError(
    'OVERLOADED',
    ownQueues
      ? `${functionName}: its queues hold their limit of ${depthMax} events each`
      : `${functionName}: the queue holds its limit of ${eventsMax} events`,
    { data: { functionName, limit: ownQueues ? depthMax : eventsMax } },
  );
}
