import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import type { Credential } from '../../accounts/mod.ts';
import { limits } from '../../base/mod.ts';
import { findTarget, pickVersion } from '../../catalogue/mod.ts';
import {
  type InvokeCall,
  prepareInvoke,
  type ResponseSink,
  traceIdOf,
} from '../../dispatch/mod.ts';
import type { FunctionRecord, UrlRecord } from '../../records/mod.ts';
import { ApiError, toApiError } from '../api-error.ts';
import { authorizeUrlInvoke } from '../authorization.ts';
import { type ByteBudget, receiveBody } from '../http/body.ts';
import type { Services } from '../services.ts';
import type { Authenticator } from '../sigv4/authenticator.ts';
import { corsHeaders, isPreflight } from './cors.ts';
import { urlEvent } from './event.ts';
import {
  badGateway,
  errorAnswer,
  forbidden,
  inferResponse,
  UnusableAnswer,
  type UrlResponse,
} from './response.ts';
import { sendStreamed, sendWhole } from './send.ts';
import type { UrlRequest } from './url-request.ts';

interface Call {
  readonly request: IncomingMessage;
  readonly response: ServerResponse;
  readonly url: UrlRequest;
  readonly requestId: string;
  readonly signal: AbortSignal;
}

interface UrlFunction {
  readonly record: FunctionRecord;
  readonly config: UrlRecord;
  /** The alias that the URL is of; undefined for the function itself. */
  readonly qualifier: string | undefined;
}

/** Answers requests to function URLs: HTTP in, an event to the function, HTTP out. */
export class FunctionUrlHandler {
  readonly #services: Services;
  readonly #authenticator: Authenticator;
  readonly #budget: ByteBudget;

  constructor(services: Services, authenticator: Authenticator, budget: ByteBudget) {
    this.#services = services;
    this.#authenticator = authenticator;
    this.#budget = budget;
  }

  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    url: UrlRequest,
    signal: AbortSignal,
  ): Promise<void> {
    const { random, clock, logger } = this.#services;
    const call = { request, response, url, requestId: random.uuid(), signal };
    const found = await this.#find(url.urlId);
    const preflight = isPreflight(request.method ?? '', request.headers);
    const extra = {
      'x-amzn-RequestId': call.requestId,
      ...corsHeaders(found?.config.cors, request.headers, preflight),
    };
    const finish = (answer: UrlResponse) => sendWhole(request, response, answer, extra, clock);
    if (!found) return finish(forbidden());
    if (preflight && found.config.cors) {
      return finish({ status: 200, headers: {}, body: Buffer.alloc(0) });
    }
    try {
      const answer = await this.#answer(call, found, extra);
      if (answer) finish(answer);
    } catch (error) {
      const shown = toApiError(error);
      const fields = { requestId: call.requestId, function: found.record.name, error };
      if (shown.status >= 500) logger.error(fields, 'a request to a function URL failed');
      if (response.headersSent) response.destroy();
      else finish(error instanceof UnusableAnswer ? badGateway() : errorAnswer(shown));
    }
  }

  async #find(urlId: string): Promise<UrlFunction | undefined> {
    const target = await this.#services.store.findUrl(urlId);
    const record = target && (await this.#services.cache.read(target));
    const config = record?.urls[target?.qualifier ?? ''];
    if (!target || !record || config?.urlId !== urlId) return undefined;
    const qualifier = target.qualifier === '$LATEST' ? undefined : target.qualifier;
    return { record, config, qualifier };
  }

  /** Undefined when the answer was streamed and is out already. */
  async #answer(
    call: Call,
    found: UrlFunction,
    extra: OutgoingHttpHeaders,
  ): Promise<UrlResponse | undefined> {
    const { request } = call;
    const signed = found.config.authType === 'AWS_IAM';
    const pending = signed ? await this.#authenticate(request) : undefined;
    const maxBytes = limits.lambda.syncPayloadBytes;
    const { accountId } = pending?.credential ?? found.record;
    const peer = request.socket.remoteAddress ?? '';
    const owner = { accountId, peer, proven: pending?.verified ?? false };
    const body = await receiveBody(request, maxBytes, this.#budget, owner);
    if (!body) throw new ApiError('RequestTooLargeException', 'Request Entity Too Large');
    try {
      pending?.finish(body.bytes);
      const caller = pending?.credential;
      const allowed = authorizeUrlInvoke(this.#services, caller, found);
      if (!allowed) return forbidden();
      const { invoker } = this.#services;
      const prepare = (sink?: ResponseSink) => this.#prepare(call, found, caller, body.bytes, sink);
      if (found.config.invokeMode === 'RESPONSE_STREAM') {
        return await sendStreamed(call.response, invoker, prepare, extra);
      }
      const outcome = await invoker.invoke(await prepare());
      return outcome.status === 'ok' ? inferResponse(outcome.payload) : badGateway();
    } finally {
      body.release();
    }
  }

  #authenticate(request: IncomingMessage) {
    const [rawPath = '', rawQuery = ''] = (request.url ?? '/').split(/\?(.*)/s);
    const { method = '', headers } = request;
    return this.#authenticator.begin({ method, rawPath, rawQuery, headers });
  }

  async #prepare(
    { request, url, requestId, signal }: Call,
    { record, qualifier }: UrlFunction,
    caller: Credential | undefined,
    body: Buffer,
    sink: ResponseSink | undefined,
  ): Promise<InvokeCall> {
    const { clock, random } = this.#services;
    const reference = { accountId: record.accountId, name: record.name, qualifier };
    const target = await findTarget(this.#services, reference, (alias) =>
      pickVersion(alias, random),
    );
    const nowMs = clock.nowMs();
    const traceId = traceIdOf(request, random, nowMs);
    const { headers, method = '', socket } = request;
    const payload = urlEvent({
      ...{ url, method, headers, body, requestId, traceId, nowMs, caller },
      sourceIp: socket.remoteAddress ?? '',
      tls: securityOf(socket),
      port: socket.localPort ?? 0,
    });
    const event = { requestId, payload, traceId, sink };
    return prepareInvoke(this.#services, target, event, signal);
  }
}

function securityOf(socket: Socket): { version: string; cipherSuite: string } | undefined {
  if (!('encrypted' in socket)) return undefined;
  const secured = socket as TLSSocket;
  return { version: secured.getProtocol() ?? '', cipherSuite: secured.getCipher().standardName };
}
