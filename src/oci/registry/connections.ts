import type { Dispatcher } from 'undici';
import { limits, SluiceError, toSluiceError } from '../../base/mod.ts';

/** What a request to the URL goes through; throws where none may go. */
export type DispatcherFor = (url: URL) => Dispatcher;

/** How long a registry may be silent; for whoever makes the connections. */
export const registryAgent = {
  connect: { timeout: limits.registry.connectTimeoutMs },
  headersTimeout: limits.registry.headersTimeoutMs,
  bodyTimeout: limits.registry.bodyTimeoutMs,
} as const;

/** What became of a request without an answer. */
export function unreachable(endpoint: string, error: unknown): SluiceError {
  // A connection that was refused on this side says so wrapped.
  for (const each of [error, (error as Error | undefined)?.cause]) {
    if (each instanceof SluiceError) return each;
  }
  const cause = toSluiceError(error);
  return new SluiceError(
    'REGISTRY_UNAVAILABLE',
    `${endpoint}: no answer (${cause.message || String(error)})`,
    { data: { endpoint }, cause: error },
  );
}
