import type { IncomingMessage, ServerResponse } from 'node:http';
import {
  type Clock,
  isSluiceError,
  type Logger,
  limits,
  type Meter,
  type Random,
} from '../../base/mod.ts';
import { ApiError, toApiError } from '../api-error.ts';
import type { ApiRequest, ApiResponse, Operation } from '../operation.ts';
import type { Authenticator } from '../sigv4/authenticator.ts';
import { type ByteBudget, receiveBody } from './body.ts';
import { errorResponse, send } from './responses.ts';
import type { Route, Router } from './router.ts';

const uuid = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;
const noBody = Buffer.alloc(0);

export interface ApiHandlerOptions {
  readonly router: Router;
  readonly authenticator: Authenticator;
  readonly budget: ByteBudget;
  readonly clock: Clock;
  readonly random: Random;
  readonly logger: Logger;
  readonly meter: Meter;
  /** Told whose the connection is, once a signature was right. */
  readonly prove: (request: IncomingMessage, response: ServerResponse, accountId: string) => void;
}

/** From an HTTP request to an operation and back: identity, signature, body, answer. */
export class ApiHandler {
  readonly #options: ApiHandlerOptions;
  readonly #requests;
  readonly #seconds;

  constructor(options: ApiHandlerOptions) {
    this.#options = options;
    const { meter } = options;
    const labels = ['operation', 'status'];
    this.#requests = meter.counter('sluice_api_requests_total', 'API requests answered.', labels);
    this.#seconds = meter.histogram(
      'sluice_api_request_seconds',
      'Time from the head of an API request to its answer.',
      [0.001, 0.003, 0.01, 0.03, 0.1, 0.3, 1, 3, 10, 30, 100, 1000],
      ['operation'],
    );
  }

  async handle(
    request: IncomingMessage,
    response: ServerResponse,
    signal: AbortSignal,
  ): Promise<void> {
    const { clock, router } = this.#options;
    const startMs = clock.monotonicMs();
    const given = request.headers['x-amzn-requestid'];
    const accepted = typeof given === 'string' && uuid.test(given);
    const requestId = accepted ? given : this.#options.random.uuid();
    const [rawPath = '', rawQuery = ''] = splitUrl(request.url ?? '/');
    const route = router.find(request.method ?? '', rawPath);
    let answer: ApiResponse;
    try {
      if (given !== undefined && !accepted) {
        throw new ApiError('InvalidRequestContentException', 'x-amzn-RequestId: not a UUID');
      }
      answer = await this.#answer(request, response, {
        requestId,
        rawPath,
        rawQuery,
        route,
        signal,
      });
    } catch (error) {
      answer = this.#failed(error, requestId, route?.operation);
    }
    await send(request, response, requestId, answer, clock);
    const operation = route?.operation.name ?? 'unknown';
    this.#requests.add(1, { operation, status: String(answer.status) });
    this.#seconds.observe((clock.monotonicMs() - startMs) / 1000, { operation });
  }

  async #answer(
    request: IncomingMessage,
    response: ServerResponse,
    call: {
      requestId: string;
      rawPath: string;
      rawQuery: string;
      route: Route | undefined;
      signal: AbortSignal;
    },
  ): Promise<ApiResponse> {
    const { rawPath, rawQuery, route, requestId, signal } = call;
    const method = request.method ?? '';
    const { headers } = request;
    const { authenticator } = this.#options;
    const caller = await authenticator.begin({ method, rawPath, rawQuery, headers });
    if (!route) {
      throw new ApiError('UnknownOperationException', `${method} ${rawPath}: no such operation`);
    }
    const { operation, labels } = route;
    const api: ApiRequest = {
      ...{ requestId, labels, headers, signal, body: noBody },
      caller: caller.credential,
      secure: 'encrypted' in request.socket,
      query: new URLSearchParams(rawQuery),
    };
    const maxBytes = operation.maxBodyBytes?.(headers) ?? limits.http.smallBodyBytes;
    const { accountId } = caller.credential;
    const peer = request.socket.remoteAddress ?? '';
    const owner = { accountId, peer, proven: caller.verified };
    const body = await receiveBody(request, maxBytes, this.#options.budget, owner);
    if (!body) throw await tooLarge(operation, api, maxBytes, caller.verified);
    try {
      caller.finish(body.bytes);
      this.#options.prove(request, response, accountId);
      return await operation.handle({ ...api, body: body.bytes });
    } finally {
      body.release();
    }
  }

  #failed(error: unknown, requestId: string, operation: Operation | undefined): ApiResponse {
    const shown = toApiError(error);
    const { logger } = this.#options;
    if (shown.status >= 500) {
      const fields = { requestId, operation: operation?.name, error: shown.cause ?? error };
      logger.error(fields, 'an API request failed');
    } else if (!isSluiceError(error, 'CANCELLED')) {
      const fields = { requestId, operation: operation?.name, exception: shown.exception };
      logger.debug(fields, shown.message);
    }
    return errorResponse(shown);
  }
}

/** A caller who is not verified yet learns nothing about what exists. */
async function tooLarge(
  operation: Operation,
  request: ApiRequest,
  maxBytes: number,
  verified: boolean,
): Promise<ApiError> {
  if (verified && operation.tooLarge) return operation.tooLarge(request, maxBytes);
  const exception =
    operation.name === 'Invoke' ? 'RequestTooLargeException' : 'RequestEntityTooLargeException';
  return new ApiError(exception, tooLargeMessage(operation.name, maxBytes));
}

export function tooLargeMessage(operationName: string, maxBytes: number): string {
  const name = operationName === 'Invoke' ? 'InvokeFunction' : operationName;
  return `Request must be smaller than ${maxBytes} bytes for the ${name} operation`;
}

function splitUrl(url: string): [string, string] {
  const at = url.indexOf('?');
  return at < 0 ? [url, ''] : [url.slice(0, at), url.slice(at + 1)];
}
