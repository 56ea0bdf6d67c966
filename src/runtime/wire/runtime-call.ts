import type { Socket } from 'node:net';
import { BodyDecoder } from './body-decoder.ts';
import type { CallHead } from './call-head.ts';

const REASONS: Readonly<Record<number, string>> = {
  200: 'OK',
  202: 'Accepted',
  400: 'Bad Request',
  403: 'Forbidden',
  404: 'Not Found',
  413: 'Payload Too Large',
  417: 'Expectation Failed',
  431: 'Request Header Fields Too Large',
  500: 'Internal Server Error',
  501: 'Not Implemented',
  505: 'HTTP Version Not Supported',
};
/** A body up to this size is copied beside its head, for one write of one piece is the cheapest. */
const ONE_PIECE_BYTES_MAX = 16 * 1024;

/** What receives a request's body. */
export interface BodyReader {
  part(part: Buffer): void;
  /** All of it has come. */
  end(): void;
  /** The rest of it never comes. */
  cut(): void;
}

/** One header field, `Name: value` and its line end. */
export const field = (name: string, value: string) => `${name}: ${value}\r\n`;

/** The head of an answer, its empty line included. */
export function answerHead(status: number, fields: string, bodyBytes: number): string {
  return `HTTP/1.1 ${status} ${REASONS[status] ?? ''}\r\n${fields}Content-Length: ${bodyBytes}\r\n`;
}

/** One request to the Runtime API, and its answer. */
export class RuntimeCall {
  readonly method: string;
  readonly path: string;
  readonly #head: CallHead;
  readonly #socket: Socket;
  readonly #body: BodyDecoder;
  /** Called when there may be something to read, and when the answer is out. */
  readonly #onMove: () => void;
  #reader: BodyReader | undefined;
  #paused = false;
  #ended = false;
  #answered = false;
  #gone = false;
  #onGone: (() => void) | undefined;

  constructor(head: CallHead, socket: Socket, onMove: () => void) {
    this.method = head.method;
    this.path = head.path;
    this.#head = head;
    this.#socket = socket;
    this.#body = new BodyDecoder(head.bodyBytes);
    this.#onMove = onMove;
  }

  /** Nobody is there to be answered. */
  get isGone(): boolean {
    return this.#gone;
  }

  get isAnswered(): boolean {
    return this.#answered;
  }

  /** All of the request has come. */
  get isWhole(): boolean {
    return this.#body.isDone;
  }

  /** What came as its body is none. */
  get isBroken(): boolean {
    return this.#body.isBroken;
  }

  /** Whether what has come of the body can be taken now. */
  get isReading(): boolean {
    return this.#reader !== undefined && !this.#paused;
  }

  get closes(): boolean {
    return this.#head.closes;
  }

  /** By its name in lower case. */
  header(name: string): string | undefined {
    return this.#head.headers.get(name);
  }

  /** A header that came behind a chunked body. */
  trailer(name: string): string | undefined {
    return this.#body.trailers.get(name);
  }

  /** Has the body, from its beginning, handed to `reader`; to be called once. */
  read(reader: BodyReader): void {
    this.#reader = reader;
    if (this.#gone) reader.cut();
    else this.#onMove();
  }

  /** No part of the body comes until `resume`, and its sender waits. */
  pause(): void {
    this.#paused = true;
    this.#socket.pause();
  }

  resume(): void {
    this.#paused = false;
    this.#onMove();
  }

  /** Calls back if the connection goes before the answer. */
  onGone(callback: () => void): void {
    this.#onGone = callback;
  }

  /** Breaks the connection off. */
  destroy(): void {
    this.#socket.destroy();
  }

  /** To be called once; `fields` as `field` makes them. Does nothing for one who has gone. */
  answer(status: number, fields: string, body: Buffer): void {
    if (this.#gone || this.#answered) return;
    this.#answered = true;
    const socket = this.#socket;
    const close = this.closes ? 'Connection: close\r\n' : '';
    const head = `${answerHead(status, fields, body.length)}${close}\r\n`;
    if (this.method === 'HEAD') socket.write(head, 'latin1');
    else if (body.length <= ONE_PIECE_BYTES_MAX)
      socket.write(head + body.toString('latin1'), 'latin1');
    else {
      socket.cork();
      socket.write(head, 'latin1');
      socket.write(body);
      socket.uncork();
    }
    this.#onMove();
  }

  /** For its connection: hands on what of `bytes` belongs to the body; answers where that ends. */
  take(bytes: Buffer, from: number): number {
    const reader = this.#reader;
    if (!reader) return from;
    let at = from;
    while (!this.#paused && !this.#body.isDone) {
      const before = at;
      at = this.#body.read(bytes, at, (part) => reader.part(part));
      if (this.#body.isBroken || at === before) return at;
    }
    if (this.#body.isDone && !this.#paused && !this.#ended) {
      this.#ended = true;
      reader.end();
    }
    return at;
  }

  /** For its connection, which is no more. */
  gone(): void {
    this.#gone = true;
    if (!this.#ended) this.#reader?.cut();
    if (!this.#answered) this.#onGone?.();
  }
}
