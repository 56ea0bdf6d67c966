import { type OutgoingHttpHeaders, validateHeaderName, validateHeaderValue } from 'node:http';
import type { ApiError } from '../api-error.ts';

/** What goes back to the client of a function URL. */
export interface UrlResponse {
  readonly status: number;
  readonly headers: OutgoingHttpHeaders;
  readonly body: Buffer;
}

/** Headers that belong to the connection and not to the function. */
const connectionHeaders = new Set([
  'connection',
  'content-length',
  'keep-alive',
  'transfer-encoding',
  'upgrade',
]);

/** The function answered, but with nothing that HTTP can carry. */
export class UnusableAnswer extends Error {}

function headersOf(given: unknown, cookies: unknown): OutgoingHttpHeaders {
  const headers: OutgoingHttpHeaders = {};
  if (typeof given === 'object' && given !== null) {
    for (const [name, value] of Object.entries(given)) {
      if (connectionHeaders.has(name.toLowerCase())) continue;
      headers[name] = requireHeader(name, String(value));
    }
  }
  if (Array.isArray(cookies)) {
    headers['Set-Cookie'] = cookies.map((each) => requireHeader('Set-Cookie', String(each)));
  }
  return headers;
}

function requireHeader(name: string, value: string): string {
  try {
    validateHeaderName(name);
    validateHeaderValue(name, value);
    return value;
  } catch (cause) {
    throw new UnusableAnswer(`header ${name}`, { cause });
  }
}

function statusOf(given: unknown): number {
  const status = Number(given);
  if (Number.isInteger(status) && status >= 200 && status <= 599) return status;
  throw new UnusableAnswer(`statusCode ${String(given)}`);
}

function hasContentType(headers: OutgoingHttpHeaders): boolean {
  return Object.keys(headers).some((name) => name.toLowerCase() === 'content-type');
}

/**
 * An object with `statusCode` describes the response; anything else is the body itself, a string
 * without its quotes (developer guide, “Invoking Lambda function URLs”).
 */
export function inferResponse(payload: Buffer): UrlResponse {
  const json = { 'Content-Type': 'application/json' };
  let value: unknown;
  try {
    value = JSON.parse(payload.toString('utf8'));
  } catch {
    return { status: 200, headers: json, body: payload };
  }
  if (typeof value === 'string') return { status: 200, headers: json, body: Buffer.from(value) };
  if (typeof value !== 'object' || value === null || !('statusCode' in value)) {
    // Parsed and printed again: objects and lists come without the handler's white space.
    return { status: 200, headers: json, body: Buffer.from(JSON.stringify(value)) };
  }
  const described = value as Record<string, unknown>;
  const headers = headersOf(described['headers'], described['cookies']);
  const { body = '' } = described;
  const text = typeof body === 'string' ? body : JSON.stringify(body);
  return {
    status: statusOf(described['statusCode']),
    headers: hasContentType(headers) ? headers : { ...json, ...headers },
    body: Buffer.from(text, described['isBase64Encoded'] === true ? 'base64' : 'utf8'),
  };
}

/** The head of a streamed response, as the runtime's `HttpResponseStream.from` writes it. */
export function readPrelude(json: Buffer): { status: number; headers: OutgoingHttpHeaders } {
  let value: unknown;
  try {
    value = JSON.parse(json.toString('utf8'));
  } catch (cause) {
    throw new UnusableAnswer('prelude', { cause });
  }
  const described = (typeof value === 'object' && value !== null ? value : {}) as Record<
    string,
    unknown
  >;
  const headers = headersOf(described['headers'], described['cookies']);
  const bytes = { 'Content-Type': 'application/octet-stream' };
  return {
    status: statusOf(described['statusCode'] ?? 200),
    headers: hasContentType(headers) ? headers : { ...bytes, ...headers },
  };
}

function plainResponse(
  status: number,
  message: string,
  headers: OutgoingHttpHeaders = {},
): UrlResponse {
  const body = Buffer.from(JSON.stringify({ Message: message }));
  return { status, headers: { 'Content-Type': 'application/json', ...headers }, body };
}

export const forbidden = (): UrlResponse =>
  plainResponse(
    403,
    'Forbidden. For troubleshooting Function URL authorization issues, see: ' +
      'https://docs.aws.amazon.com/lambda/latest/dg/urls-auth.html',
    { 'x-amzn-ErrorType': 'AccessDeniedException' },
  );

export const badGateway = (): UrlResponse => ({
  status: 502,
  headers: { 'Content-Type': 'application/json' },
  body: Buffer.from('Internal Server Error'),
});

/** The status of an API error with no more than a word about it. */
export function errorAnswer(error: ApiError): UrlResponse {
  const words: Record<number, string> = { 403: 'Forbidden', 413: 'Request Entity Too Large' };
  const status = error.status === 409 ? 502 : error.status;
  if (status === 429) return plainResponse(429, 'Rate Exceeded.', { 'Retry-After': '1' });
  if (status >= 500) return { ...badGateway(), status };
  return plainResponse(status, words[status] ?? error.message, {
    'x-amzn-ErrorType': error.exception,
  });
}
