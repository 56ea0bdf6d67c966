import type { IncomingMessage, OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { type Clock, limits } from '../../base/mod.ts';
import type { ApiError } from '../api-error.ts';
import type { ApiResponse } from '../operation.ts';

const RETRY_AFTER_SECONDS = '1';
const ONE_WRITE_BYTES_MAX = 64 * 1024;

export function errorResponse(error: ApiError): ApiResponse {
  return {
    status: error.status,
    headers: {
      'x-amzn-ErrorType': error.exception,
      ...(error.status === 429 ? { 'Retry-After': RETRY_AFTER_SECONDS } : {}),
    },
    body: error.body(),
  };
}

/** Sends the answer of an operation. */
export async function send(
  request: IncomingMessage,
  response: ServerResponse,
  requestId: string,
  answer: ApiResponse,
  clock: Clock,
): Promise<void> {
  if (response.headersSent || response.destroyed) return;
  const headers: OutgoingHttpHeaders = { 'x-amzn-RequestId': requestId };
  const body = answer.body ?? '';
  if (answer.status !== 204 && !answer.stream) {
    headers['Content-Type'] = 'application/json';
    headers['Content-Length'] = Buffer.byteLength(body);
  }
  Object.assign(headers, answer.headers);
  if (!answer.stream) {
    finish(request, response, answer.status, headers, body, clock);
    return;
  }
  response.writeHead(answer.status, headers);
  await answer.stream((chunk) => writeChunk(response, chunk));
  response.end();
}

/** A 204 has no body, and so no length of one (RFC 9110 section 8.6). */
export function headersOf(status: number, headers: OutgoingHttpHeaders): OutgoingHttpHeaders {
  if (status !== 204) return headers;
  const none = ['content-length', 'transfer-encoding'];
  const kept = Object.entries(headers).filter(([name]) => !none.includes(name.toLowerCase()));
  return Object.fromEntries(kept);
}

/**
 * Ends an answer. When the client is still sending a body that nobody will read, the connection
 * ends with it, but not at once: closing a socket with unread input resets it, and the client
 * would never see the answer.
 */
export function finish(
  request: IncomingMessage,
  response: ServerResponse,
  status: number,
  given: OutgoingHttpHeaders,
  whole: string | Buffer,
  clock: Clock,
): void {
  const headers = headersOf(status, given);
  const body = status === 204 ? '' : whole;
  const unread = !request.complete && !request.readableEnded && hasBody(request);
  if (!unread) {
    response.writeHead(status, headers);
    if (typeof body === 'string' || body.length > ONE_WRITE_BYTES_MAX) response.end(body);
    // As a string of the same bytes Node sends it together with the head, in one system call.
    else response.end(body.toString('latin1'), 'latin1');
    return;
  }
  response.writeHead(status, { ...headers, Connection: 'close' });
  response.write(body);
  const timer = clock.setTimer(limits.http.lingerMs, () => response.end());
  const done = () => {
    timer.cancel();
    response.end();
  };
  request.once('end', done).once('close', done).resume();
}

/** A promise when the client reads slower than the function writes. */
export function writeChunk(response: ServerResponse, chunk: Buffer): Promise<void> | undefined {
  if (response.destroyed || response.write(chunk)) return undefined;
  return new Promise((resolve) => {
    const done = () => {
      response.off('drain', done).off('close', done);
      resolve();
    };
    response.on('drain', done).on('close', done);
  });
}

/** Whether more than one host is named: who stands in between might go by the other. */
export function namesHosts({ rawHeaders }: IncomingMessage): boolean {
  let hosts = 0;
  for (let index = 0; index < rawHeaders.length; index += 2) {
    const name = rawHeaders[index]!;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts++;
  }
  return hosts > 1;
}

function hasBody(request: IncomingMessage): boolean {
  const { 'content-length': length, 'transfer-encoding': encoding } = request.headers;
  return encoding !== undefined || Number(length ?? 0) > 0;
}

/** Answers what is not HTTP, or too much of it, on the bare socket, and ends it. */
export function refuseConnection(error: Error, socket: Socket, requestId: string): void {
  if (!socket.writable) {
    socket.destroy();
    return;
  }
  const overflow = 'code' in error && error.code === 'HPE_HEADER_OVERFLOW';
  const status = overflow ? '431 Request Header Fields Too Large' : '400 Bad Request';
  const message = overflow
    ? 'The request headers are too large.'
    : 'The request is not valid HTTP.';
  const body = JSON.stringify({ Type: 'User', Message: message, message });
  socket.end(
    `HTTP/1.1 ${status}\r\nx-amzn-RequestId: ${requestId}\r\n` +
      'x-amzn-ErrorType: InvalidRequestContentException\r\nContent-Type: application/json\r\n' +
      `Content-Length: ${Buffer.byteLength(body)}\r\nConnection: close\r\n\r\n${body}`,
  );
}
