import { stream } from './builtins.mjs';
import { RuntimeError } from './errors.mjs';

const HTTP_INTEGRATION = 'application/vnd.awslambda.http-integration-response';
/** Between what a response is (status, headers) and its body. */
const PRELUDE_END = Buffer.alloc(8);

/** What makes a response one of HTTP: `prelude` goes ahead of its first byte. */
export const HttpResponseStream = {
  from(response, prelude) {
    response.setContentType(HTTP_INTEGRATION);
    const text = JSON.stringify(prelude);
    response._onBeforeFirstWrite = (write) => {
      write(text);
      write(PRELUDE_END);
    };
    return response;
  },
};

/** The response as a handler writes it: nothing is sent before the first byte or the end. */
export class ResponseStream extends stream.Writable {
  #open;
  #contentType = 'application/octet-stream';
  #sending;
  #isWritten = false;
  /** Called once, with what sends bytes, before the first are sent. Libraries set it as well. */
  _onBeforeFirstWrite;

  /** `open(contentType)` begins the request. */
  constructor(open) {
    super();
    this.#open = open;
  }

  get hasBegun() {
    return this.#sending !== undefined;
  }

  setContentType(contentType) {
    if (this.#isWritten) {
      throw new RuntimeError(
        'Runtime.InvalidStreamingOperation',
        'The content type is set before the first write, not after it',
      );
    }
    this.#contentType = contentType;
  }

  /** What is neither text nor bytes goes as JSON. */
  write(chunk, ...rest) {
    this.#isWritten = true;
    const isBytes = typeof chunk === 'string' || chunk instanceof Uint8Array;
    return super.write(isBytes ? chunk : JSON.stringify(chunk), ...rest);
  }

  _write(chunk, _encoding, callback) {
    const sending = this.#begin();
    if (chunk.length === 0) callback();
    else sending.write(chunk, callback);
  }

  _final(callback) {
    const { end, done } = this.#begin();
    end();
    done.then(() => callback(), callback);
  }

  /** Ends a response that has begun with an error behind it. */
  async fail(described) {
    const { end, done } = this.#begin();
    end(described);
    await done;
  }

  #begin() {
    if (!this.#sending) {
      this.#sending = this.#open(this.#contentType);
      this.#sending.done.catch((error) => this.destroy(error));
      this._onBeforeFirstWrite?.((bytes) => this.#sending.write(Buffer.from(bytes), () => {}));
    }
    return this.#sending;
  }
}
