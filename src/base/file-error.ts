import { SluiceError, systemErrorCode } from './errors.ts';

/**
 * What the system said of one of our own files: `DISK_FULL`, else `STORE_UNAVAILABLE`, each with the
 * path, which the system leaves out where it failed at an open file. What is a `SluiceError` stays.
 */
export function fileError(error: unknown, path: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const code = systemErrorCode(error);
  const isFull = code === 'ENOSPC' || code === 'EDQUOT';
  const what = error instanceof Error ? error.message : String(error);
  return new SluiceError(isFull ? 'DISK_FULL' : 'STORE_UNAVAILABLE', `${path}: ${what}`, {
    data: { path, systemCode: code },
    cause: error,
  });
}
