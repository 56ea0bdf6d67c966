import { SluiceError, systemErrorCode, toSluiceError } from '../../base/mod.ts';
import type { RegistryResponse } from './registry-client.ts';
import { discard } from './response-body.ts';
import { retryAfterMs } from './token.ts';

/** What a status that serves no bytes means; the connection is freed. */
export function statusError(
  response: RegistryResponse,
  name: string,
  path: string,
  nowMs: number,
): SluiceError {
  discard(response.body);
  const { status } = response;
  const what = `${name}: ${path}: HTTP ${status}`;
  const data = { status, repository: name };
  if (status === 401 || status === 403) {
    return new SluiceError('REGISTRY_DENIED', `${what}; check the credentials`, { data });
  }
  if (status === 404) {
    return new SluiceError('IMAGE_NOT_FOUND', `${what}; check the name and the tag`, { data });
  }
  if (!isTransient(status)) {
    return new SluiceError('IMAGE_NOT_FOUND', `${what}; it does not serve images`, { data });
  }
  const waitMs = retryAfterMs(response.header('retry-after'), nowMs);
  if (waitMs === undefined) return new SluiceError('REGISTRY_UNAVAILABLE', what, { data });
  const text = `${what}; it asks for ${Math.ceil(waitMs / 1000)} s of patience`;
  return new SluiceError('REGISTRY_UNAVAILABLE', text, { data: { ...data, retryAfterMs: waitMs } });
}

function isTransient(status: number): boolean {
  return status === 408 || status === 429 || status >= 500;
}

const UNKNOWN_SIGNER = new Set([
  'DEPTH_ZERO_SELF_SIGNED_CERT',
  'SELF_SIGNED_CERT_IN_CHAIN',
  'UNABLE_TO_GET_ISSUER_CERT',
  'UNABLE_TO_GET_ISSUER_CERT_LOCALLY',
  'UNABLE_TO_VERIFY_LEAF_SIGNATURE',
]);

/** A registry that gave no answer. */
export function unreachable(endpoint: string, error: unknown): SluiceError {
  // A connection that was refused on this side says so wrapped.
  for (const each of [error, (error as Error | undefined)?.cause]) {
    if (each instanceof SluiceError && each.code !== 'DEADLINE_EXCEEDED') return each;
  }
  const data = { endpoint };
  if (UNKNOWN_SIGNER.has(systemErrorCode(error) ?? '')) {
    const what =
      'its certificate is signed by nobody known here; an operator can set registries.ca';
    return new SluiceError('REGISTRY_DENIED', `${endpoint}: ${what}`, { data, cause: error });
  }
  const cause = toSluiceError(error);
  const what = `no answer (${cause.message || String(error)})`;
  return new SluiceError('REGISTRY_UNAVAILABLE', `${endpoint}: ${what}`, { data, cause: error });
}
