import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Clock } from '../../base/mod.ts';
import type { InvokeCall, InvokeOutcome, Invoker, ResponseSink } from '../../dispatch/mod.ts';
import { finish, headersOf, writeChunk } from '../http/responses.ts';
import { invokeStreaming, type StreamWriter } from '../stream-relay.ts';
import { badGateway, readPrelude, type UrlResponse } from './response.ts';

/** Type of a stream that begins with a JSON head and eight zero bytes. */
const PRELUDE_TYPE = 'application/vnd.awslambda.http-integration-response';
const PRELUDE_BYTES_MAX = 64 * 1024;
const separator = Buffer.alloc(8);

export function sendWhole(
  request: IncomingMessage,
  response: ServerResponse,
  answer: UrlResponse,
  extra: OutgoingHttpHeaders,
  clock: Clock,
): void {
  if (response.headersSent || response.destroyed) return;
  const headers = { ...answer.headers, ...extra, 'Content-Length': answer.body.length };
  finish(request, response, answer.status, headers, answer.body, clock);
}

/**
 * Sends a streamed response as it comes. Answers what is to be sent instead when the function did
 * not stream, or failed before it began.
 */
export async function sendStreamed(
  response: ServerResponse,
  invoker: Invoker,
  prepare: (sink: ResponseSink) => Promise<InvokeCall>,
  extra: OutgoingHttpHeaders,
): Promise<UrlResponse | undefined> {
  const streaming = await invokeStreaming(invoker, prepare);
  const { contentType } = streaming;
  const body: StreamWriter = (chunk) => writeChunk(response, chunk);
  if (contentType === undefined) {
    const outcome = await streaming.forward(body);
    if (outcome.status !== 'ok') return badGateway();
    // Nothing is inferred from what an ordinary handler returns: its JSON is the body.
    const headers = { 'Content-Type': 'application/json' };
    return { status: 200, headers, body: outcome.payload };
  }
  let outcome: InvokeOutcome;
  if (contentType !== PRELUDE_TYPE) {
    response.writeHead(200, { 'Content-Type': contentType, ...extra });
    outcome = await streaming.forward(body);
  } else {
    const head = new PreludeReader((status, headers) => {
      response.writeHead(status, headersOf(status, { ...headers, ...extra }));
    }, body);
    outcome = await streaming.forward((chunk) => head.write(chunk));
    // The stream ended, or went wrong, before its head was whole.
    if (!response.headersSent) return badGateway();
  }
  // Cut off, so that a client does not take a part for the whole.
  if (outcome.status === 'function-error') response.destroy();
  else response.end();
  return undefined;
}

/** Collects a stream until its head is whole, then passes the rest on. */
class PreludeReader {
  readonly #onHead: (status: number, headers: OutgoingHttpHeaders) => void;
  readonly #body: StreamWriter;
  #held = Buffer.alloc(0);
  #done = false;
  #failed = false;

  constructor(onHead: (status: number, headers: OutgoingHttpHeaders) => void, body: StreamWriter) {
    this.#onHead = onHead;
    this.#body = body;
  }

  write(chunk: Buffer): Promise<void> | undefined {
    if (this.#done) return this.#body(chunk);
    if (this.#failed) return undefined;
    this.#held = Buffer.concat([this.#held, chunk]);
    const at = this.#held.indexOf(separator);
    if (at < 0) {
      this.#failed = this.#held.length > PRELUDE_BYTES_MAX;
      return undefined;
    }
    try {
      const { status, headers } = readPrelude(this.#held.subarray(0, at));
      this.#onHead(status, headers);
    } catch {
      this.#failed = true;
      return undefined;
    }
    this.#done = true;
    const rest = this.#held.subarray(at + separator.length);
    return rest.length > 0 ? this.#body(rest) : undefined;
  }
}
