import { Writable } from 'node:stream';
import { errorTypeHeader } from './api.mjs';

const STREAMS = Symbol.for('aws.lambda.runtime.handler.streaming');
const HTTP_INTEGRATION = 'application/vnd.awslambda.http-integration-response';
/** Between what a response is (status, headers) and its body. */
const PRELUDE_END = Buffer.alloc(8);

export const isStreaming = (handler) => handler[STREAMS] === 'response';

/** What handlers know as `awslambda`. */
export function installStreaming() {
  globalThis.awslambda = {
    streamifyResponse(handler) {
      handler[STREAMS] = 'response';
      return handler;
    },
    HttpResponseStream: {
      from(stream, prelude) {
        stream.setContentType(HTTP_INTEGRATION);
        stream.write(Buffer.concat([Buffer.from(JSON.stringify(prelude)), PRELUDE_END]));
        return stream;
      },
    },
  };
}

/** The response as a handler writes it: nothing is sent before the first byte or the end. */
export class ResponseStream extends Writable {
  #open;
  #contentType = 'application/octet-stream';
  #sending;

  /** `open(contentType)` begins the request. */
  constructor(open) {
    super();
    this.#open = open;
  }

  get hasBegun() {
    return this.#sending !== undefined;
  }

  setContentType(contentType) {
    this.#contentType = contentType;
  }

  /** What is neither text nor bytes goes as JSON. */
  write(chunk, ...rest) {
    const isBytes = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return super.write(isBytes ? chunk : JSON.stringify(chunk), ...rest);
  }

  _write(chunk, _encoding, callback) {
    this.#begin().request.write(chunk, callback);
  }

  _final(callback) {
    const { request, done } = this.#begin();
    request.end();
    done.then(() => callback(), callback);
  }

  /** Ends a response that has begun with an error behind it. */
  async fail(described) {
    const { request, done } = this.#begin();
    request.addTrailers({
      'Lambda-Runtime-Function-Error-Type': errorTypeHeader(described),
      'Lambda-Runtime-Function-Error-Body': Buffer.from(JSON.stringify(described)).toString(
        'base64',
      ),
    });
    request.end();
    await done;
  }

  #begin() {
    if (!this.#sending) {
      this.#sending = this.#open(this.#contentType);
      this.#sending.done.catch((error) => this.destroy(error));
    }
    return this.#sending;
  }
}
