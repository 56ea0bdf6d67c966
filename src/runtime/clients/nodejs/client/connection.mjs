import { net } from './builtins.mjs';

const { Socket } = net;

const HEAD_END = Buffer.from('\r\n\r\n');
const LINE_END = Buffer.from('\r\n');
const LAST_CHUNK = '0\r\n';

/**
 * One kept connection to the Runtime API, one request at a time. HTTP is spoken here and not by
 * `node:http`: what a function or its tracer patches there must not reach the runtime's own calls,
 * and a start loads fewer modules. An idle connection does not keep the process alive.
 */
export class Connection {
  #socket = new Socket();
  #reader = new AnswerReader();
  #waiting;
  isClosed = false;

  constructor(host, port) {
    const socket = this.#socket;
    socket.setNoDelay(true);
    socket.on('data', (part) => this.#take(part));
    socket.on('error', (error) => this.#fail(error));
    socket.on('close', () => this.#fail(new Error('the Runtime API has closed its connection')));
    socket.connect(port, host);
    socket.unref();
  }

  /** Sends a whole request; `text` is ASCII save for the body. */
  send(text) {
    this.#socket.write(text);
  }

  /** One part of a chunked body. `callback` when more may come. */
  sendChunk(chunk, callback) {
    if (this.isClosed) return callback();
    this.#socket.cork();
    this.#socket.write(`${chunk.length.toString(16)}\r\n`);
    this.#socket.write(chunk);
    this.#socket.write(LINE_END, () => callback());
    this.#socket.uncork();
  }

  /** Ends a chunked body; `trailers` are whole lines. */
  endChunks(trailers = '') {
    if (!this.isClosed) this.#socket.write(`${LAST_CHUNK}${trailers}\r\n`);
  }

  /** The answer to the request that is on its way. */
  answer() {
    this.#socket.ref();
    return new Promise((resolve, reject) => {
      this.#waiting = { resolve, reject };
    });
  }

  #take(part) {
    const answer = this.#reader.take(part);
    if (answer === undefined) return;
    this.#socket.unref();
    if (answer.headers.connection === 'close') this.destroy();
    const waiting = this.#waiting;
    this.#waiting = undefined;
    waiting?.resolve(answer);
  }

  destroy() {
    this.isClosed = true;
    this.#socket.destroy();
  }

  #fail(error) {
    this.isClosed = true;
    this.#waiting?.reject(error);
    this.#waiting = undefined;
  }
}

/** Puts answers together from parts as they come. */
class AnswerReader {
  #parts = [];
  #size = 0;
  #headers;
  #bodyAt = 0;

  /** The answer if this part was its last. */
  take(part) {
    this.#parts.push(part);
    this.#size += part.length;
    if (this.#headers === undefined && !this.#readHead()) return undefined;
    const { 'content-length': length, 'transfer-encoding': coding } = this.#headers;
    let body;
    if (coding === 'chunked') body = chunked(this.#joined(), this.#bodyAt);
    else if (this.#size - this.#bodyAt >= Number(length ?? 0)) {
      body = this.#joined().subarray(this.#bodyAt, this.#bodyAt + Number(length ?? 0));
    }
    if (body === undefined) return undefined;
    const headers = this.#headers;
    this.#parts = [];
    this.#size = 0;
    this.#headers = undefined;
    return { headers, body: body.toString('utf8') };
  }

  #joined() {
    if (this.#parts.length > 1) this.#parts = [Buffer.concat(this.#parts)];
    return this.#parts[0];
  }

  #readHead() {
    const text = this.#joined();
    const end = text.indexOf(HEAD_END);
    if (end < 0) return false;
    this.#bodyAt = end + HEAD_END.length;
    this.#headers = {};
    for (const line of text.toString('latin1', 0, end).split('\r\n').slice(1)) {
      const colon = line.indexOf(':');
      this.#headers[line.slice(0, colon).toLowerCase()] = line.slice(colon + 1).trim();
    }
    return true;
  }
}

/** The body of chunks from `at` on; `undefined` as long as the last one is missing. */
function chunked(bytes, at) {
  const parts = [];
  for (let from = at; ; ) {
    const lineEnd = bytes.indexOf(LINE_END, from);
    if (lineEnd < 0) return undefined;
    const size = Number.parseInt(bytes.toString('latin1', from, lineEnd), 16);
    from = lineEnd + LINE_END.length;
    if (size === 0) {
      const hasEnded = bytes.indexOf(HEAD_END, lineEnd) >= 0;
      return hasEnded ? Buffer.concat(parts) : undefined;
    }
    if (bytes.length < from + size + LINE_END.length) return undefined;
    parts.push(bytes.subarray(from, from + size));
    from += size + LINE_END.length;
  }
}
