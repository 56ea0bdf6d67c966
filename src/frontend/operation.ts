import type { IncomingHttpHeaders } from 'node:http';
import type { Credential } from '../accounts/mod.ts';
import { ApiError } from './api-error.ts';
import { type Shape, validate } from './shapes.ts';
import type { StreamWriter } from './stream-relay.ts';

/** A request whose caller is known and whose body has arrived. */
export interface ApiRequest {
  readonly requestId: string;
  readonly caller: Credential;
  /** Path labels, percent-decoded. */
  readonly labels: Readonly<Record<string, string | undefined>>;
  readonly query: URLSearchParams;
  readonly headers: IncomingHttpHeaders;
  /** Whether it came over TLS. */
  readonly secure: boolean;
  readonly body: Buffer;
  /** Aborts when the server is forced to close. */
  readonly signal: AbortSignal;
}

export interface ApiResponse {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: string | Buffer;
  /** Instead of a body: writes it as it comes; may not reject. */
  readonly stream?: (write: StreamWriter) => Promise<void>;
}

/** One operation of the API: where it is found, how much it may send, what it does. */
export interface Operation {
  /** As in the service model; also the action that policies name, with `lambda:` before it. */
  readonly name: string;
  readonly method: 'GET' | 'POST' | 'PUT' | 'DELETE';
  /** find-my-way syntax; labels have the model's names. */
  readonly path: string;
  readonly maxBodyBytes?: (headers: IncomingHttpHeaders) => number;
  /** The answer to a larger body; called before the body has arrived. */
  readonly tooLarge?: (request: ApiRequest, maxBytes: number) => Promise<ApiError>;
  handle(request: ApiRequest): Promise<ApiResponse>;
}

export function json(status: number, body: object): ApiResponse {
  return { status, body: JSON.stringify(body) };
}

export const noContent: ApiResponse = { status: 204 };

/** A label that the router guarantees. */
export function label(request: ApiRequest, name: string): string {
  return request.labels[name] ?? '';
}

/** The body as the shape's type; an empty body is an empty structure. */
export function readInput<T>(request: ApiRequest, shape: Shape<T>): T {
  if (request.body.length === 0) return validate(shape, {});
  let value: unknown;
  try {
    value = JSON.parse(request.body.toString('utf8'));
  } catch (cause) {
    const message = `Could not parse request body into json: ${(cause as Error).message}`;
    throw new ApiError('InvalidRequestContentException', message, { cause });
  }
  return validate(shape, value);
}
