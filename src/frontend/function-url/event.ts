import { isUtf8 } from 'node:buffer';
import type { IncomingHttpHeaders } from 'node:http';
import type { Credential } from '../../accounts/mod.ts';
import { principalOf } from '../authorization.ts';
import type { UrlRequest } from './url-request.ts';

export interface UrlEventFacts {
  readonly url: UrlRequest;
  readonly method: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: Buffer;
  readonly sourceIp: string;
  /** What the connection is secured with; undefined over plain HTTP. */
  readonly tls: { readonly version: string; readonly cipherSuite: string } | undefined;
  readonly port: number;
  readonly requestId: string;
  readonly traceId: string;
  readonly nowMs: number;
  /** Who signed the request; undefined where nobody had to. */
  readonly caller: Credential | undefined;
}

const textual = /^(text\/|application\/(json|javascript|xml)\b|[^;]*\+(json|xml)\b)/i;
/** Of one connection and none of the function's business (RFC 9110, section 7.6.1). */
const hopByHop = new Set([
  'connection',
  'keep-alive',
  'proxy-authenticate',
  'proxy-authorization',
  'proxy-connection',
  'te',
  'trailer',
  'transfer-encoding',
  'upgrade',
]);
const months = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** `12/Mar/2020:19:03:58 +0000`. */
function accessLogTime(ms: number): string {
  const iso = new Date(ms).toISOString();
  const month = months[Number(iso.slice(5, 7)) - 1];
  return `${iso.slice(8, 10)}/${month}/${iso.slice(0, 4)}:${iso.slice(11, 19)} +0000`;
}

function headersOf(facts: UrlEventFacts): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(facts.headers)) {
    // What only this server can know is not taken from a client.
    if (name === 'cookie' || name.startsWith('x-amzn-tls-') || hopByHop.has(name)) continue;
    if (value !== undefined) headers[name] = String(value);
  }
  const { tls } = facts;
  return {
    ...headers,
    ...(tls && {
      'x-amzn-tls-version': tls.version,
      'x-amzn-tls-cipher-suite': tls.cipherSuite,
    }),
    'x-amzn-trace-id': facts.traceId,
    'x-forwarded-for': facts.sourceIp,
    'x-forwarded-port': String(facts.port),
    'x-forwarded-proto': tls ? 'https' : 'http',
  };
}

/** Repeated names are joined by commas, in the order in which they came. */
function queryOf(rawQuery: string): Record<string, string> | undefined {
  if (rawQuery === '') return undefined;
  const values = new Map<string, string>();
  for (const [name, value] of new URLSearchParams(rawQuery)) {
    const before = values.get(name);
    values.set(name, before === undefined ? value : `${before},${value}`);
  }
  return Object.fromEntries(values);
}

function bodyOf({ body, headers }: UrlEventFacts): object {
  if (body.length === 0) return { isBase64Encoded: false };
  const type = headers['content-type'];
  const asText = (type === undefined || textual.test(type)) && isUtf8(body);
  return { body: body.toString(asText ? 'utf8' : 'base64'), isBase64Encoded: !asText };
}

function authorizerOf(caller: Credential): object {
  return {
    iam: {
      accessKey: caller.accessKeyId,
      accountId: caller.accountId,
      callerId: caller.accessKeyId,
      cognitoIdentity: null,
      principalOrgId: null,
      userArn: principalOf(caller),
      userId: caller.accessKeyId,
    },
  };
}

/** The event of a function URL (payload format version 2.0 of HTTP APIs). */
export function urlEvent(facts: UrlEventFacts): Buffer {
  const { url, method, headers, caller } = facts;
  const query = queryOf(url.rawQuery);
  const event = {
    version: '2.0',
    routeKey: '$default',
    rawPath: url.rawPath,
    rawQueryString: url.rawQuery,
    ...(headers.cookie ? { cookies: headers.cookie.split(/; */) } : {}),
    headers: headersOf(facts),
    ...(query ? { queryStringParameters: query } : {}),
    requestContext: {
      accountId: caller?.accountId ?? 'anonymous',
      apiId: url.urlId,
      ...(caller ? { authorizer: authorizerOf(caller) } : {}),
      domainName: headers.host ?? '',
      domainPrefix: url.urlId,
      http: {
        method,
        path: url.rawPath,
        protocol: 'HTTP/1.1',
        sourceIp: facts.sourceIp,
        userAgent: headers['user-agent'] ?? null,
      },
      requestId: facts.requestId,
      routeKey: '$default',
      stage: '$default',
      time: accessLogTime(facts.nowMs),
      timeEpoch: facts.nowMs,
    },
    ...bodyOf(facts),
  };
  return Buffer.from(JSON.stringify(event));
}
