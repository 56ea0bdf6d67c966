import { isUtf8 } from 'node:buffer';
import { limits } from '../base/mod.ts';
import { ApiError, invalidParameter } from './api-error.ts';
import type { ApiRequest } from './operation.ts';
import { throwBreaches } from './shape-errors.ts';
import { string, validate } from './shapes.ts';

export type InvocationType = 'RequestResponse' | 'Event' | 'DryRun';

/** What the headers of an invoke ask for. */
export interface InvokeOptions {
  readonly type: InvocationType;
  readonly logTail: boolean;
  /** JSON text. */
  readonly clientContext: string | undefined;
  readonly tenantId: string | undefined;
}

const typeShape = string({ values: ['Event', 'RequestResponse', 'DryRun'] });
const logTypeShape = string({ values: ['None', 'Tail'] });
const emptyEvent = Buffer.from('{}');

function badContent(message: string, cause?: unknown): ApiError {
  return new ApiError('InvalidRequestContentException', message, { cause });
}

export function readInvokeOptions(request: ApiRequest): InvokeOptions {
  if (request.headers['x-amz-durable-execution-name'] !== undefined) {
    throw invalidParameter(
      'DurableExecutionName is not supported: this region has no durable executions.',
    );
  }
  const type = request.headers['x-amz-invocation-type'] ?? 'RequestResponse';
  const logType = request.headers['x-amz-log-type'] ?? 'None';
  if (typeof type !== 'string' || typeof logType !== 'string') {
    throw badContent('X-Amz-Invocation-Type and X-Amz-Log-Type may each be given once');
  }
  const breaches: string[] = [];
  typeShape.check(type as InvocationType, 'invocationType', breaches);
  logTypeShape.check(logType as 'None' | 'Tail', 'logType', breaches);
  throwBreaches(breaches);
  return {
    type: type as InvocationType,
    logTail: logType === 'Tail',
    clientContext: readClientContext(request.headers['x-amz-client-context']),
    tenantId: readTenantId(request.headers['x-amz-tenant-id']),
  };
}

const tenantShape = string({ max: 256, min: 1, pattern: '[a-zA-Z0-9\\._:\\/=+\\-@ ]+' });

function readTenantId(given: string | string[] | undefined): string | undefined {
  if (given === undefined) return undefined;
  return validate(tenantShape, String(given), 'tenantId');
}

/** The header is base64 of a JSON object; the runtime gets the JSON. */
function readClientContext(given: string | string[] | undefined): string | undefined {
  if (given === undefined || given === '') return undefined;
  const invalid = 'Client context must be a valid Base64-encoded JSON object.';
  if (typeof given !== 'string') throw badContent(invalid);
  if (given.length > limits.lambda.clientContextBytes) {
    const limit = limits.lambda.clientContextBytes;
    throw badContent(`Client context must be no more than ${limit} bytes when base64-encoded.`);
  }
  const bytes = Buffer.from(given, 'base64');
  if (!isUtf8(bytes)) throw badContent(invalid);
  const text = bytes.toString('utf8');
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value === 'object' && value !== null) return JSON.stringify(value);
  } catch (cause) {
    throw badContent(invalid, cause);
  }
  throw badContent(invalid);
}

/** The event, which has to be JSON; none at all is an empty object. */
export function readEvent(body: Buffer): Buffer {
  if (body.length === 0) return emptyEvent;
  const lead = 'Could not parse request body into json: Could not parse payload into json:';
  if (!isUtf8(body)) throw badContent(`${lead} Invalid UTF-8`);
  try {
    JSON.parse(body.toString('utf8'));
  } catch (cause) {
    throw badContent(`${lead} ${(cause as Error).message}`, cause);
  }
  return body;
}
