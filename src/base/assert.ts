import { SluiceError } from './errors.ts';

/**
 * Checks an invariant in production. A failure is a defect of ours, never of a caller's input,
 * and ends the operation with `INTERNAL` rather than going on with a state that cannot be.
 */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new SluiceError('INTERNAL', `invariant broken: ${message}`);
}

/** Marks a branch that the types say cannot be reached. */
export function unreachable(value: never, message = 'unreachable'): never {
  throw new SluiceError('INTERNAL', `${message}: ${String(value)}`);
}
