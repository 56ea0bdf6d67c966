import { once } from 'node:events';
import { contextOf } from './context.mjs';
import { describeError } from './errors.mjs';
import { isStreaming, ResponseStream } from './streaming.mjs';

const isThenable = (value) => typeof value?.then === 'function';

/** Runs one event to its answer, whatever the handler does. */
export async function runInvoke(api, log, handler, invoke) {
  const context = contextOf(invoke, process.env);
  const failed = (error) => {
    const described = describeError(error);
    log.failure('Invoke Error', error, described);
    return described;
  };
  if (isStreaming(handler)) {
    await runStreaming(api, handler, invoke, context, failed);
    return;
  }
  let body;
  try {
    const result = await runBuffered(handler, JSON.parse(invoke.body), context);
    body = JSON.stringify(result === undefined ? null : result) ?? 'null';
  } catch (error) {
    await api.fail(invoke.requestId, failed(error));
    return;
  }
  await api.respond(invoke.requestId, body);
}

/** The handler's result: returned, promised, or given to its callback. */
function runBuffered(handler, event, context) {
  return new Promise((resolve, reject) => {
    const atIdle = (settle) => process.once('beforeExit', settle);
    const settled = (settle) => {
      process.removeAllListeners('beforeExit');
      settle();
    };
    const callback = (error, result) => {
      const settle = () => (error ? reject(error) : resolve(result));
      if (error || !context.callbackWaitsForEmptyEventLoop) settled(settle);
      else {
        process.removeAllListeners('beforeExit');
        atIdle(settle);
      }
    };
    const done = (error, result) => settled(() => (error ? reject(error) : resolve(result)));
    context.done = done;
    context.succeed = (result) => done(null, result);
    context.fail = (error) => done(error ?? 'handled');
    // A handler that never answers and waits for nothing has nothing to say.
    atIdle(() => resolve(null));
    try {
      const returned = handler(event, context, callback);
      if (isThenable(returned)) {
        returned.then(
          (result) => settled(() => resolve(result)),
          (error) => settled(() => reject(error)),
        );
      } else if (returned !== undefined && handler.length < 3) {
        settled(() => resolve(returned));
      }
    } catch (error) {
      settled(() => reject(error));
    }
  });
}

async function runStreaming(api, handler, invoke, context, failed) {
  const stream = new ResponseStream((contentType) => api.stream(invoke.requestId, contentType));
  const finished = once(stream, 'finish');
  finished.catch(() => {});
  try {
    await handler(JSON.parse(invoke.body), stream, context);
    // What a handler has piped may go on after it returned; else there is no more to come.
    if (!stream.writableEnded && stream.listenerCount('unpipe') === 0) stream.end();
    await finished;
  } catch (error) {
    const described = failed(error);
    if (stream.hasBegun) await stream.fail(described).catch(() => {});
    else await api.fail(invoke.requestId, described);
  }
}
