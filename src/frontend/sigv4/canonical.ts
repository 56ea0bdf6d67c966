import { hash } from 'node:crypto';
import type { IncomingHttpHeaders } from 'node:http';

/** What of a request is signed, as it came over the wire. */
export interface SignedRequest {
  readonly method: string;
  /** The path before any decoding, without the query. */
  readonly rawPath: string;
  /** The query without its question mark. */
  readonly rawQuery: string;
  readonly headers: IncomingHttpHeaders;
}

const unreservedExceptions = /[!'()*]/g;

/** RFC 3986 percent-encoding: everything but letters, digits and `-_.~`. */
function encode(text: string): string {
  return encodeURIComponent(text).replace(
    unreservedExceptions,
    (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
  );
}

/** A plus is a space, as whoever reads the query has it: what is signed is what is read. */
function decode(text: string): string {
  try {
    return decodeURIComponent(text.replaceAll('+', ' '));
  } catch {
    return text;
  }
}

/** Every service but S3 signs the path with its percent-encoding encoded once more. */
function canonicalPath(rawPath: string): string {
  const segments: string[] = [];
  for (const segment of rawPath.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..') segments.pop();
    else segments.push(encode(segment));
  }
  const path = `/${segments.join('/')}`;
  return path !== '/' && rawPath.endsWith('/') ? `${path}/` : path;
}

/** Sorted by encoded name, then value; the signature itself is not part of what it signs. */
function canonicalQuery(rawQuery: string): string {
  if (rawQuery === '') return '';
  const pairs: [string, string][] = [];
  for (const part of rawQuery.split('&')) {
    if (part === '') continue;
    const at = part.indexOf('=');
    const name = decode(at < 0 ? part : part.slice(0, at));
    if (name === 'X-Amz-Signature') continue;
    pairs.push([encode(name), encode(decode(at < 0 ? '' : part.slice(at + 1)))]);
  }
  const order = (a: string, b: string) => (a < b ? -1 : a > b ? 1 : 0);
  pairs.sort((a, b) => order(a[0], b[0]) || order(a[1], b[1]));
  return pairs.map(([name, value]) => `${name}=${value}`).join('&');
}

function headerText(value: string | string[] | undefined): string {
  const text = Array.isArray(value) ? value.join(',') : (value ?? '');
  return text.trim().replace(/\s+/g, ' ');
}

/** The canonical request of Signature Version 4 (AWS IAM guide, “Create a signed request”). */
export function canonicalRequest(
  request: SignedRequest,
  signedHeaders: readonly string[],
  payloadHash: string,
): string {
  let headers = '';
  for (const name of signedHeaders) headers += `${name}:${headerText(request.headers[name])}\n`;
  return [
    request.method,
    canonicalPath(request.rawPath),
    canonicalQuery(request.rawQuery),
    headers,
    signedHeaders.join(';'),
    payloadHash,
  ].join('\n');
}

export function sha256Hex(data: string | Buffer): string {
  return hash('sha256', data, 'hex');
}
