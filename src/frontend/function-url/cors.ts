import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import type { CorsRecord } from '../../records/mod.ts';

function allowedOrigin(cors: CorsRecord, origin: string): string | undefined {
  const allowed = cors.allowOrigins ?? [];
  if (allowed.includes('*')) return cors.allowCredentials ? origin : '*';
  return allowed.includes(origin) ? origin : undefined;
}

/** What the URL's CORS settings add to an answer; nothing for an origin that is not allowed. */
export function corsHeaders(
  cors: CorsRecord | undefined,
  headers: IncomingHttpHeaders,
  preflight: boolean,
): OutgoingHttpHeaders {
  const { origin } = headers;
  const allowed = cors && origin !== undefined && allowedOrigin(cors, origin);
  if (!cors || !allowed) return {};
  return {
    'Access-Control-Allow-Origin': allowed,
    ...(allowed === '*' ? {} : { Vary: 'Origin' }),
    ...(cors.allowCredentials ? { 'Access-Control-Allow-Credentials': 'true' } : {}),
    ...(cors.exposeHeaders
      ? { 'Access-Control-Expose-Headers': cors.exposeHeaders.join(',') }
      : {}),
    ...(preflight ? preflightHeaders(cors) : {}),
  };
}

function preflightHeaders(cors: CorsRecord): OutgoingHttpHeaders {
  return {
    ...(cors.allowMethods ? { 'Access-Control-Allow-Methods': cors.allowMethods.join(',') } : {}),
    ...(cors.allowHeaders ? { 'Access-Control-Allow-Headers': cors.allowHeaders.join(',') } : {}),
    ...(cors.maxAgeSeconds === undefined
      ? {}
      : { 'Access-Control-Max-Age': String(cors.maxAgeSeconds) }),
  };
}

/** A browser asking whether it may; answered here, the function never sees it. */
export function isPreflight(method: string, headers: IncomingHttpHeaders): boolean {
  return (
    method === 'OPTIONS' &&
    headers.origin !== undefined &&
    headers['access-control-request-method'] !== undefined
  );
}
