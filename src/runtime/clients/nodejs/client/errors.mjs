import { util } from './builtins.mjs';

const { isNativeError } = util.types;

export class RuntimeError extends Error {
  constructor(name, message, stack) {
    super(message);
    this.name = name;
    this.stack = `${name}: ${message}${stack === undefined ? '' : `\n${stack}`}`;
  }
}

export const malformedHandler = (message) =>
  new RuntimeError('Runtime.MalformedHandlerName', message);
export const handlerNotFound = (message) => new RuntimeError('Runtime.HandlerNotFound', message);

/** A module that was not found, or did not parse, under Lambda's name for it; else as it was. */
export function importError(error) {
  const frames = String(error?.stack ?? '').replace(/^.*?\n(?= {4}at )/s, '');
  if (error instanceof SyntaxError) {
    return new RuntimeError('Runtime.UserCodeSyntaxError', String(error), error.stack);
  }
  if (error?.code === 'MODULE_NOT_FOUND') {
    return new RuntimeError('Runtime.ImportModuleError', String(error), frames);
  }
  return error;
}

export function unhandledRejection(reason) {
  const error = new RuntimeError(
    'Runtime.UnhandledPromiseRejection',
    textOf(reason),
    reason?.stack ?? undefined,
  );
  error.reason = reason;
  return error;
}

function textOf(value) {
  try {
    return String(value);
  } catch {
    return Object.prototype.toString.call(value);
  }
}

/** Whether Node has no more to do although the handler's promise is pending. */
export const nodeExit = () =>
  new RuntimeError(
    'Runtime.NodeJsExit',
    'Nothing is left to run, and the promise of the handler has not settled: it waits for what never comes',
  );

/** Errors of another realm count as well, and what only looks like one. */
function isError(value) {
  if (isNativeError(value) || value instanceof Error) return true;
  const { name, message, stack } = value ?? {};
  return [name, message, stack].every((each) => typeof each === 'string' && each !== '');
}

/** Lambda's headers do not carry DEL. */
const clean = (text) => text?.replaceAll('\x7f', '%7F');

/** The body that the Runtime API is given, and the caller. */
export function describeError(error) {
  try {
    if (!isError(error)) return { errorType: typeof error, errorMessage: String(error), trace: [] };
    return {
      errorType: clean(error.name),
      errorMessage: clean(error.message),
      trace: clean(error.stack ?? '').split('\n'),
    };
  } catch {
    const errorMessage = 'An error whose name, message or stack cannot be read';
    return { errorType: 'handled', errorMessage, trace: [] };
  }
}
