class RuntimeError extends Error {
  constructor(name, message, stack) {
    super(message);
    this.name = name;
    if (stack) this.stack = `${name}: ${message}\n${stack}`;
  }
}

export const malformedHandler = (message) =>
  new RuntimeError('Runtime.MalformedHandlerName', message);
export const handlerNotFound = (message) => new RuntimeError('Runtime.HandlerNotFound', message);

/** A module that was not found, or did not parse, under Lambda's name for it; else as it was. */
export function importError(error) {
  const isMissing = ['MODULE_NOT_FOUND', 'ERR_MODULE_NOT_FOUND'].includes(error?.code);
  const frames = String(error?.stack ?? '').replace(/^.*?\n(?= {4}at )/s, '');
  if (isMissing) {
    return new RuntimeError('Runtime.ImportModuleError', `Error: ${error.message}`, frames);
  }
  if (error instanceof SyntaxError) {
    return new RuntimeError('Runtime.UserCodeSyntaxError', String(error), error.stack);
  }
  return error;
}

export function unhandledRejection(reason) {
  const error = new RuntimeError('Runtime.UnhandledPromiseRejection', String(reason));
  error.reason = reason;
  if (reason?.stack) error.stack = `${error.name}: ${error.message}\n${reason.stack}`;
  return error;
}

/** Errors of another realm count as well. */
const isError = (value) => Object.prototype.toString.call(value) === '[object Error]';

/** The body that the Runtime API is given, and the caller. */
export function describeError(error) {
  if (isError(error) || error instanceof Error) {
    return {
      errorType: error.name,
      errorMessage: error.message,
      trace: String(error.stack ?? '').split('\n'),
    };
  }
  return { errorType: typeof error, errorMessage: String(error), trace: [] };
}
