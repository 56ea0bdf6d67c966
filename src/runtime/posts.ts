import { limits, type WorkBudget } from '../base/mod.ts';
import { collectBody, discardBody, streamBody } from './body.ts';
import type { ResponseSink, RuntimeOutcome } from './types.ts';
import type { RuntimeCall } from './wire/runtime-call.ts';

/** What a post means for the invoke, and, unless it is simply accepted, what the runtime hears. */
export interface ReadPost {
  readonly outcome: RuntimeOutcome;
  readonly refusal?: { readonly status: number; readonly type: string; readonly message: string };
}

const errorTypeHeader = 'lambda-runtime-function-error-type';
const errorBodyTrailer = 'lambda-runtime-function-error-body';
const modeHeader = 'lambda-runtime-function-response-mode';
const acceptedErrorType = /^(Runtime|Function)\.[A-Z][a-zA-Z]+$/;

/**
 * The type of a posted error: the header where it has Lambda's form, else the body's `errorType`
 * (the stock Node client sends no header), else `fallback`.
 */
function errorTypeOf(header: string | undefined, body: Buffer, fallback: string): string {
  if (header !== undefined && acceptedErrorType.test(header)) return header;
  try {
    const parsed: unknown = JSON.parse(body.toString('utf8'));
    if (typeof parsed === 'object' && parsed !== null && 'errorType' in parsed) {
      if (typeof parsed.errorType === 'string') return parsed.errorType;
    }
  } catch {
    // A body that is no JSON has no type; it is passed through as it is.
  }
  return fallback;
}

function runtimeError(errorType: string, errorMessage: string): RuntimeOutcome {
  const body = Buffer.from(JSON.stringify({ errorType, errorMessage }));
  return { kind: 'error', body, errorType };
}

function cutShort(kind: 'oversize' | 'truncated', limitBytes: number): ReadPost {
  if (kind === 'oversize') {
    const message = `Exceeded maximum allowed payload size (${limitBytes} bytes).`;
    return {
      outcome: { kind: 'oversize', limitBytes },
      refusal: { status: 413, type: 'RequestEntityTooLarge', message },
    };
  }
  const message = 'the body ended before its announced end';
  return {
    outcome: runtimeError('Runtime.TruncatedResponse', 'The runtime broke off its response'),
    refusal: { status: 400, type: 'TruncatedHTTPRequest', message },
  };
}

/** Reads `…/init/error`: the body, verbatim, and its type. */
export async function readInitError(
  call: RuntimeCall,
  budget: WorkBudget,
): Promise<{ body: Buffer; errorType: string }> {
  const collected = await collectBody(call, limits.runtime.errorBodyBytes, budget);
  const body = collected.kind === 'whole' ? collected.body : Buffer.from('{}');
  return {
    body,
    errorType: errorTypeOf(call.header(errorTypeHeader), body, 'Runtime.Unknown'),
  };
}

/** Reads `…/invocation/{id}/error`. */
export async function readError(call: RuntimeCall, budget: WorkBudget): Promise<ReadPost> {
  const limitBytes = limits.lambda.responsePayloadBytes;
  const collected = await collectBody(call, limitBytes, budget);
  if (collected.kind !== 'whole') return cutShort(collected.kind, limitBytes);
  const { body } = collected;
  const errorType = errorTypeOf(call.header(errorTypeHeader), body, 'Function.Unknown');
  return { outcome: { kind: 'error', body, errorType } };
}

/**
 * Reads `…/invocation/{id}/response`, buffered or streamed. A streamed response goes to `sink`
 * where there is one, and is buffered for a caller who wants it whole.
 */
export async function readResponse(
  call: RuntimeCall,
  sink: ResponseSink | undefined,
  budget: WorkBudget,
): Promise<ReadPost> {
  const mode = call.header(modeHeader);
  if (mode !== undefined && mode.toLowerCase() !== 'streaming') {
    discardBody(call, budget);
    const message = `${mode}: not a response mode`;
    return {
      outcome: runtimeError('Runtime.InvalidResponseMode', message),
      refusal: { status: 400, type: 'InvalidFunctionResponseMode', message },
    };
  }
  const contentType = call.header('content-type') ?? 'application/octet-stream';
  if (mode !== undefined && sink) return stream(call, sink, contentType, budget);
  const limitBytes = limits.lambda.responsePayloadBytes;
  const collected = await collectBody(call, limitBytes, budget);
  if (collected.kind !== 'whole') return cutShort(collected.kind, limitBytes);
  const failure = errorOfTrailers(call);
  return { outcome: failure ?? { kind: 'response', body: collected.body, contentType } };
}

async function stream(
  call: RuntimeCall,
  sink: ResponseSink,
  contentType: string,
  budget: WorkBudget,
): Promise<ReadPost> {
  sink.begin(contentType);
  const limitBytes = limits.lambda.streamedResponseBytes;
  const streamed = await streamBody(call, sink, limitBytes, budget);
  if (streamed.kind !== 'whole') return cutShort(streamed.kind, limitBytes);
  const { sizeBytes } = streamed;
  return { outcome: errorOfTrailers(call) ?? { kind: 'streamed', sizeBytes, contentType } };
}

/** A streaming function that fails midway says so in its trailers; the body is base64 there. */
function errorOfTrailers(call: RuntimeCall): RuntimeOutcome | undefined {
  const type = call.trailer(errorTypeHeader);
  const encoded = call.trailer(errorBodyTrailer);
  if (type === undefined && encoded === undefined) return undefined;
  const body = Buffer.from(encoded ?? '', 'base64');
  return { kind: 'error', body, errorType: errorTypeOf(type, body, 'Function.Unknown') };
}
