import type { Invocation } from './types.ts';
import { field, type RuntimeCall } from './wire/runtime-call.ts';

const accepted = Buffer.from('{"status":"OK"}');
const jsonType = field('Content-Type', 'application/json');
const textType = field('Content-Type', 'text/plain');

/** 202, the answer to every post that is taken. */
export function sendAccepted(call: RuntimeCall): void {
  call.answer(202, jsonType, accepted);
}

export function sendError(
  call: RuntimeCall,
  status: number,
  errorType: string,
  errorMessage: string,
): void {
  sendJson(call, status, { errorMessage, errorType });
}

/** `fields`: more headers, as `field` makes them. */
export function sendJson(call: RuntimeCall, status: number, value: unknown, fields = ''): void {
  call.answer(status, jsonType + fields, Buffer.from(JSON.stringify(value)));
}

export function sendText(call: RuntimeCall, status: number, text: string): void {
  call.answer(status, textType, Buffer.from(text));
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

/** 200 with an event, the answer to `next`. */
export function sendEvent(
  call: RuntimeCall,
  invocation: Invocation,
  deadlineEpochMs: number,
): void {
  const { requestId, invokedFunctionArn, payload } = invocation;
  const optional = (name: string, value: string | undefined) =>
    value === undefined ? '' : field(name, headerValue(value));
  const fields =
    jsonType +
    field('Lambda-Runtime-Aws-Request-Id', requestId) +
    field('Lambda-Runtime-Deadline-Ms', String(Math.round(deadlineEpochMs))) +
    field('Lambda-Runtime-Invoked-Function-Arn', invokedFunctionArn) +
    optional('Lambda-Runtime-Trace-Id', invocation.traceId) +
    optional('Lambda-Runtime-Client-Context', invocation.clientContext) +
    optional('Lambda-Runtime-Cognito-Identity', invocation.cognitoIdentity) +
    optional('Lambda-Runtime-Aws-Tenant-Id', invocation.tenantId);
  call.answer(200, fields, payload);
}
