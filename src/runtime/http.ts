import type { IncomingMessage, ServerResponse } from 'node:http';
import type { Invocation } from './types.ts';

const accepted = Buffer.from('{"status":"OK"}');
const acceptedHeaders = ['Content-Type', 'application/json', 'Content-Length', '15'];

/** 202, the answer to every post that is taken. */
export function sendAccepted(response: ServerResponse): void {
  response.writeHead(202, acceptedHeaders);
  response.end(accepted);
}

export function sendError(
  response: ServerResponse,
  status: number,
  errorType: string,
  errorMessage: string,
): void {
  sendJson(response, status, { errorMessage, errorType });
}

export function sendJson(
  response: ServerResponse,
  status: number,
  value: unknown,
  headers: readonly string[] = [],
): void {
  const body = Buffer.from(JSON.stringify(value));
  const length = String(body.length);
  response.writeHead(status, [
    'Content-Type',
    'application/json',
    'Content-Length',
    length,
    ...headers,
  ]);
  response.end(body);
}

export function sendText(response: ServerResponse, status: number, text: string): void {
  const length = String(Buffer.byteLength(text));
  response.writeHead(status, ['Content-Type', 'text/plain', 'Content-Length', length]);
  response.end(text);
}

/** One header's value, the first if it was sent more than once. */
export function headerText(request: IncomingMessage, name: string): string | undefined {
  const value = request.headers[name];
  return Array.isArray(value) ? value[0] : value;
}

const printable = /^[\x20-\x7e]*$/;

/**
 * Text as a header's value: UTF-8 bytes, which HTTP/1.1 passes through, with control characters
 * (line ends of pretty-printed JSON, above all) turned into spaces.
 */
function headerValue(text: string): string {
  if (printable.test(text)) return text;
  const bytes = Buffer.from(text, 'utf8').toString('latin1');
  return Array.from(bytes, (char) => (char < ' ' || char === '\x7f' ? ' ' : char)).join('');
}

/** The headers of a delivered event, as flat name and value pairs. */
export function nextHeaders(invocation: Invocation, deadlineEpochMs: number): string[] {
  const headers = [
    'Content-Type',
    'application/json',
    'Content-Length',
    String(invocation.payload.length),
    'Lambda-Runtime-Aws-Request-Id',
    invocation.requestId,
    'Lambda-Runtime-Deadline-Ms',
    String(Math.round(deadlineEpochMs)),
    'Lambda-Runtime-Invoked-Function-Arn',
    invocation.invokedFunctionArn,
  ];
  const optional = (name: string, value: string | undefined) => {
    if (value !== undefined) headers.push(name, headerValue(value));
  };
  optional('Lambda-Runtime-Trace-Id', invocation.traceId);
  optional('Lambda-Runtime-Client-Context', invocation.clientContext);
  optional('Lambda-Runtime-Cognito-Identity', invocation.cognitoIdentity);
  optional('Lambda-Runtime-Aws-Tenant-Id', invocation.tenantId);
  return headers;
}
