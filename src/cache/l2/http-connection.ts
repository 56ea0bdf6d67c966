import type { Socket } from 'node:net';
import { type Clock, limits } from '../../base/mod.ts';
import { parseRequestHead, type RequestHead } from './request-head.ts';

const HEAD_END = Buffer.from('\r\n\r\n');
const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  201: 'Created',
  204: 'No Content',
  400: 'Bad Request',
  401: 'Unauthorized',
  404: 'Not Found',
  405: 'Method Not Allowed',
  413: 'Content Too Large',
  422: 'Unprocessable Content',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  503: 'Service Unavailable',
};

export interface HttpAnswer {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body?: Buffer;
  /** Called once, when the last byte has been handed on or never will be. */
  readonly sent?: () => void;
}

export interface HttpRequest extends RequestHead {
  /** Receives the body into one buffer; undefined when the client breaks off. */
  body(): Promise<Buffer | undefined>;
  /** To be called once. Ends the connection when a body was announced and not asked for. */
  answer(answer: HttpAnswer): void;
}

interface Body {
  readonly bytes: Buffer;
  filled: number;
  readonly resolve: (bytes: Buffer | undefined) => void;
}

/**
 * The node's end of an HTTP/1.1 connection: one request at a time, and the next one is read only
 * when the answer before it has gone out, so that a connection holds one stripe at most.
 */
export class HttpConnection {
  readonly #socket: Socket;
  readonly #clock: Clock;
  readonly #onRequest: (request: HttpRequest) => void;
  #received: Buffer = Buffer.alloc(0);
  #body: Body | undefined;
  #bodyLeft = false;
  #answering: (() => void) | undefined;
  #busy = false;
  #closing = false;
  /** When what is being waited for began: a head, a body, an answer's end. */
  #sinceMs: number | undefined;

  constructor(socket: Socket, clock: Clock, onRequest: (request: HttpRequest) => void) {
    this.#socket = socket;
    this.#clock = clock;
    this.#onRequest = onRequest;
    this.#sinceMs = clock.monotonicMs();
    socket.on('data', (bytes: Buffer) => this.#receive(bytes));
    socket.on('end', () => this.destroy());
    socket.on('error', () => this.destroy());
    socket.on('close', () => this.#gone());
  }

  /** Breaks off a client that keeps it waiting. */
  checkTime(nowMs: number): void {
    const { nodeHeadersMs, nodeRequestMs } = limits.l2;
    if (this.#sinceMs === undefined) return;
    if (nowMs - this.#sinceMs > (this.#busy ? nodeRequestMs : nodeHeadersMs)) this.destroy();
  }

  /** Closes it when the request that runs is answered; at once if none does. */
  close(): void {
    this.#closing = true;
    if (!this.#busy) this.destroy();
  }

  destroy(): void {
    this.#socket.destroy();
  }

  #gone(): void {
    this.#body?.resolve(undefined);
    this.#body = undefined;
    this.#answering?.();
    this.#answering = undefined;
  }

  #receive(bytes: Buffer): void {
    if (this.#body) this.#fill(bytes);
    else
      this.#received = this.#received.length === 0 ? bytes : Buffer.concat([this.#received, bytes]);
    if (!this.#busy) this.#next();
    // What comes before its turn waits in the kernel; this much may already be here.
    else if (this.#received.length > limits.http.headerBytes) this.#socket.pause();
  }

  #next(): void {
    if (this.#received.length === 0) return;
    this.#sinceMs ??= this.#clock.monotonicMs();
    const end = this.#received.indexOf(HEAD_END);
    if (end < 0 || end > limits.http.headerBytes) {
      if (end > 0 || this.#received.length > limits.http.headerBytes) this.#refuse(431);
      return;
    }
    const head = parseRequestHead(this.#received.toString('latin1', 0, end));
    this.#received = this.#received.subarray(end + HEAD_END.length);
    if (!head) {
      this.#refuse(400);
      return;
    }
    this.#busy = true;
    this.#bodyLeft = head.bodyBytes > 0;
    this.#onRequest({
      ...head,
      body: () => this.#readBody(head.bodyBytes),
      answer: (answer) => this.#answer(head, answer),
    });
  }

  #readBody(bodyBytes: number): Promise<Buffer | undefined> {
    const { promise, resolve } = Promise.withResolvers<Buffer | undefined>();
    this.#body = { bytes: Buffer.allocUnsafeSlow(bodyBytes), filled: 0, resolve };
    const early = this.#received;
    this.#received = Buffer.alloc(0);
    this.#fill(early);
    this.#socket.resume();
    return promise;
  }

  #fill(bytes: Buffer): void {
    const body = this.#body;
    if (!body) return;
    const taken = bytes.copy(body.bytes, body.filled);
    body.filled += taken;
    if (body.filled < body.bytes.length) return;
    this.#body = undefined;
    this.#bodyLeft = false;
    this.#received = bytes.subarray(taken);
    body.resolve(body.bytes);
  }

  #answer(head: RequestHead, { status, headers = {}, body, sent }: HttpAnswer): void {
    const closes = head.closes || this.#closing || this.#bodyLeft;
    let text = `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\ncontent-length: ${body?.length ?? 0}\r\n`;
    for (const name in headers) text += `${name}: ${headers[name]}\r\n`;
    if (closes) text += 'connection: close\r\n';
    this.#answering = sent;
    const done = () => {
      this.#answering?.();
      this.#answering = undefined;
      if (closes) this.#socket.destroySoon();
      else this.#ready();
    };
    if (!body || head.method === 'HEAD') {
      this.#socket.write(`${text}\r\n`, 'latin1', done);
      return;
    }
    this.#socket.cork();
    this.#socket.write(`${text}\r\n`, 'latin1');
    this.#socket.write(body, done);
    this.#socket.uncork();
  }

  #ready(): void {
    this.#busy = false;
    this.#sinceMs = undefined;
    if (this.#closing) this.destroy();
    else this.#next();
    if (!this.#busy) this.#socket.resume();
  }

  /** Answers what is no request, and ends the connection. */
  #refuse(status: number): void {
    this.#busy = true;
    this.#received = Buffer.alloc(0);
    const head = `HTTP/1.1 ${status} ${REASONS[status]}\r\ncontent-length: 0\r\n`;
    this.#socket.end(`${head}connection: close\r\n\r\n`, 'latin1');
  }
}
