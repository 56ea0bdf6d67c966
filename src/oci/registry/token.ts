import { limits } from '../../base/mod.ts';
import type { RegistryReference } from '../reference.ts';
import type { Challenge } from './challenge.ts';
import { basicAuthorization, type Credentials } from './credentials.ts';

/** A request to a token server. */
export interface TokenRequest {
  readonly realm: URL;
  readonly authorization?: string;
  /** The body of a POST; a GET without one. */
  readonly form?: string;
}

/**
 * The request that answers a bearer challenge (distribution's "Token Authentication Specification").
 * `realm` is one that the credentials may go to.
 */
export function tokenRequest(
  realm: URL,
  { parameters }: Challenge,
  reference: RegistryReference,
  credentials: Credentials | undefined,
): TokenRequest {
  const scope = parameters.get('scope') ?? `repository:${reference.repository}:pull`;
  const service = parameters.get('service');
  const fields = new URLSearchParams({ scope, ...(service !== undefined && { service }) });
  if (credentials !== undefined && 'identityToken' in credentials) {
    fields.set('grant_type', 'refresh_token');
    fields.set('refresh_token', credentials.identityToken);
    fields.set('client_id', 'sluice');
    return { realm, form: `${fields}` };
  }
  const asked = new URL(realm);
  for (const [name, value] of fields) asked.searchParams.append(name, value);
  if (credentials === undefined) return { realm: asked };
  return { realm: asked, authorization: basicAuthorization(credentials) };
}

/** What `Retry-After` asks for (RFC 9110 section 10.2.3): seconds, or a date. */
export function retryAfterMs(header: string | undefined, nowMs: number): number | undefined {
  if (header === undefined) return undefined;
  if (/^\s*\d{1,9}\s*$/.test(header)) return Number(header) * 1000;
  const date = Date.parse(header);
  return Number.isNaN(date) ? undefined : Math.max(0, date - nowMs);
}

/** How long to wait before the attempt after `attempt`; undefined when that is too long. */
export function pauseMs(attempt: number, askedMs: number | undefined): number | undefined {
  const own = limits.registry.retryDelayMs * 2 ** (attempt - 1);
  if (askedMs === undefined) return own;
  return askedMs > limits.registry.retryAfterMs ? undefined : Math.max(own, askedMs);
}
