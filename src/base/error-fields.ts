import { type ErrorData, SluiceError } from './errors.ts';

/** An error as plain values, for a log line. */
export interface ErrorFields {
  readonly message: string;
  /** Ours, or the system's (`ENOENT`). */
  readonly code?: string;
  readonly data?: ErrorData;
  /** Of errors that are not ours: one of ours is told by its code and its message. */
  readonly stack?: string;
  readonly cause?: ErrorFields;
}

/** Deeper causes are left out. */
const CAUSES_MOST = 3;

/** What JSON would lose of anything thrown: an `Error` has no enumerable message, stack or cause. */
export function errorFields(error: unknown, depth = 0): ErrorFields {
  if (!(error instanceof Error)) return { message: String(error) };
  const { message, stack, cause } = error;
  const below =
    cause === undefined || depth >= CAUSES_MOST ? {} : { cause: errorFields(cause, depth + 1) };
  if (error instanceof SluiceError) {
    return { message, code: error.code, data: error.data, ...below };
  }
  const code = 'code' in error && typeof error.code === 'string' ? { code: error.code } : {};
  return { message, ...code, ...(stack === undefined ? {} : { stack }), ...below };
}
