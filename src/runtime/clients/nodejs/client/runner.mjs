import { events } from './builtins.mjs';
import { contextOf } from './context.mjs';
import { describeError, nodeExit, RuntimeError } from './errors.mjs';
import { STREAMING } from './load-handler.mjs';
import { ResponseStream } from './streaming.mjs';

/** Node's own status for a promise that never settles. */
const EXIT_UNSETTLED = 13;

const isThenable = (value) => typeof value?.then === 'function';
const isNothing = (value) => value === undefined || value === null;

/** `call`, whose error goes to `reject`. */
const attempt = (call, reject) => () => {
  try {
    call();
  } catch (error) {
    reject(error);
  }
};

/** The answer's body. Throws the error that Lambda's client of this version throws. */
function bodyOf(result, isModern) {
  let body;
  try {
    body = JSON.stringify(result === undefined ? null : result);
  } catch {
    const message = 'Unable to stringify response body';
    if (isModern) throw new RuntimeError('Runtime.JSONStringifyError', message);
    throw new Error(message);
  }
  if (body === undefined) throw new TypeError(`a ${typeof result} is no answer: JSON has none`);
  return body;
}

/** Runs events to their answers, whatever the handler does. */
export class Runner {
  #options;
  /** What to do when nothing is left to run, although an invoke waits. */
  #whenIdle;

  /** `portability` tells what fails on Lambda; `exit` ends the process. */
  constructor(options) {
    this.#options = options;
    process.on('beforeExit', () => {
      const whenIdle = this.#whenIdle;
      this.#whenIdle = undefined;
      whenIdle?.();
    });
  }

  async run(invoke) {
    const { api, handler, isModern } = this.#options;
    if (handler[STREAMING]) return this.#stream(invoke);
    let body;
    try {
      body = await (isModern ? this.#modern(invoke) : this.#classic(invoke));
    } catch (thrown) {
      await api.fail(invoke.requestId, this.#failed(thrown));
      return this.#exitIfUnsettled(thrown);
    } finally {
      this.#whenIdle = undefined;
    }
    await api.respond(invoke.requestId, body);
  }

  #failed(thrown) {
    this.#options.log.failure('Invoke Error', thrown);
    return describeError(thrown);
  }

  /** Where Lambda's Node has ended, this one ends as well, when its answer has been taken. */
  #exitIfUnsettled(error) {
    if (error?.name === 'Runtime.NodeJsExit') this.#options.exit(EXIT_UNSETTLED);
  }

  #unsettled() {
    return new Promise((_resolve, reject) => {
      this.#whenIdle = () => reject(nodeExit());
    });
  }

  /** From Node 24 on: what the handler returns, awaited. */
  async #modern(invoke) {
    const { handler, portability } = this.#options;
    const context = Object.assign(contextOf(invoke, process.env), { xRayTraceId: invoke.traceId });
    portability.begin();
    const returned = handler(JSON.parse(invoke.body), context);
    const result = isThenable(returned)
      ? await Promise.race([returned, this.#unsettled()])
      : returned;
    portability.end();
    return bodyOf(result, true);
  }

  /** Up to Node 22: a promise, or the first call of the callback or of its kin in the context. */
  #classic(invoke) {
    return new Promise((resolve, reject) => {
      let waits = true;
      let isAnswered = false;
      // A call that throws, since its result is no JSON, is none: an error may follow it.
      const first = (call) => (error, result) => {
        if (isAnswered) return;
        call(error, result);
        isAnswered = true;
      };
      const answer = (error, result) => {
        if (isNothing(error)) resolve(bodyOf(result, false));
        else reject(error);
      };
      const callback = first((error, result) => {
        if (!isNothing(error) || !waits) answer(error, result);
        else this.#whenIdle = attempt(() => answer(null, result), reject);
      });
      const context = {
        get callbackWaitsForEmptyEventLoop() {
          return waits;
        },
        set callbackWaitsForEmptyEventLoop(value) {
          waits = value;
        },
        succeed: first((result) => answer(null, result)),
        fail: first((error) => answer(error ?? 'handled')),
        done: first(answer),
      };
      try {
        this.#callClassic(invoke, context, callback);
      } catch (thrown) {
        callback(thrown);
      }
    });
  }

  #callClassic(invoke, context, callback) {
    const { handler, portability } = this.#options;
    const { succeed, fail } = context;
    const isSilent = () => succeed(null);
    this.#whenIdle = isSilent;
    Object.assign(context, contextOf(invoke, process.env));
    portability.begin();
    const returned = handler(JSON.parse(invoke.body), context, callback);
    if (isThenable(returned)) {
      if (this.#whenIdle === isSilent) this.#whenIdle = () => fail(nodeExit());
      const settled = (result) => {
        portability.end();
        succeed(result);
      };
      Promise.resolve(returned).then(settled).then(undefined, fail);
    } else if (returned !== undefined && handler.length < 3 && this.#whenIdle === isSilent) {
      this.#whenIdle = () => this.#takeReturned(returned, context);
    }
  }

  /** Nothing has called back and nothing will: Lambda says null, and we what the handler returned. */
  #takeReturned(returned, { succeed, fail }) {
    try {
      this.#options.portability.differs(
        'The handler returned a value and is not async: up to Node.js 22 Lambda answers null instead',
      );
      succeed(returned);
    } catch (error) {
      fail(error);
    }
  }

  async #stream(invoke) {
    const { api } = this.#options;
    const stream = new ResponseStream((contentType) => api.stream(invoke.requestId, contentType));
    try {
      await Promise.race([this.#callStreaming(invoke, stream), this.#unsettled()]);
    } catch (thrown) {
      const described = this.#failed(thrown);
      if (stream.hasBegun) await stream.fail(described).catch(() => {});
      else await api.fail(invoke.requestId, described);
      this.#exitIfUnsettled(thrown);
    } finally {
      this.#whenIdle = undefined;
    }
  }

  async #callStreaming(invoke, stream) {
    const { handler, isModern, log, portability } = this.#options;
    const context = contextOf(invoke, process.env);
    if (isModern) context.xRayTraceId = invoke.traceId;
    else context.callbackWaitsForEmptyEventLoop = true;
    const finished = events.once(stream, 'finish');
    finished.catch(() => {});
    portability.begin();
    const returned = handler(JSON.parse(invoke.body), stream, context);
    if (!isThenable(returned)) {
      portability.differs('The streaming handler is not async: Lambda answers with an error');
      await finished;
      return;
    }
    if ((await returned) !== undefined) log.warn('What a streaming handler returns is not sent');
    // What a handler has piped may go on after it returned; else there is no more to come.
    if (!stream.writableEnded && stream.listenerCount('unpipe') === 0) {
      portability.differs(
        'The streaming handler did not end its stream: Lambda waits until the function times out',
      );
      stream.end();
    }
    await finished;
    portability.end();
  }
}
