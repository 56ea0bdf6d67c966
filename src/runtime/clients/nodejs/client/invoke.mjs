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
    // A handler that never answers and waits for nothing has nothing to say.
    let whenIdle = () => resolve(null);
    const idle = () => whenIdle();
    process.once('beforeExit', idle);
    const done = (error, result) => {
      process.removeListener('beforeExit', idle);
      if (error) reject(error);
      else resolve(result);
    };
    const callback = (error, result) => {
      if (error || !context.callbackWaitsForEmptyEventLoop) done(error, result);
      else whenIdle = () => resolve(result);
    };
    context.done = done;
    context.succeed = (result) => done(null, result);
    context.fail = (error) => done(error ?? 'handled');
    const failed = (error) => {
      process.removeListener('beforeExit', idle);
      reject(error);
    };
    try {
      const returned = handler(event, context, callback);
      if (isThenable(returned)) returned.then((result) => done(null, result), failed);
      else if (returned !== undefined && handler.length < 3) done(null, returned);
    } catch (error) {
      failed(error);
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
