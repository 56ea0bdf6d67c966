import { util } from './builtins.mjs';
import { describeError } from './errors.mjs';

const { format } = util;
const levels = ['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL'];
const methods = {
  trace: 'TRACE',
  debug: 'DEBUG',
  log: 'INFO',
  info: 'INFO',
  warn: 'WARN',
  error: 'ERROR',
  fatal: 'FATAL',
};

const stackOf = ({ stack }) => (typeof stack === 'string' ? stack.split('\n') : stack);
const typeOf = (error) => error.constructor?.name ?? 'UnknownError';

/** Errors say nothing of themselves to `JSON.stringify`. */
const inJson = (_key, value) =>
  value instanceof Error
    ? {
        errorType: typeOf(value),
        errorMessage: value.message,
        stackTrace: stackOf(value),
        ...value,
      }
    : value;
const inText = (_key, value) =>
  value instanceof Error
    ? {
        errorType: value.name,
        errorMessage: value.message,
        code: value.code,
        ...value,
        stack: stackOf(value),
      }
    : value;

/** A line of the JSON format: one thing as it is, several put together as text. */
function jsonLine(fields, args) {
  if (args.length === 1) {
    try {
      return JSON.stringify({ ...fields, message: args[0] }, inJson);
    } catch {
      return JSON.stringify({ ...fields, message: format(args[0]) });
    }
  }
  const line = { ...fields, message: format(...args) };
  const error = args.find((each) => each instanceof Error);
  if (error) {
    line.errorType = typeOf(error);
    line.errorMessage = error.message;
    line.stackTrace = stackOf(error) ?? [];
  }
  return JSON.stringify(line);
}

/** What was thrown, as an error. */
function errorOf(thrown) {
  if (thrown instanceof Error) return thrown;
  try {
    return new Error(String(thrown));
  } catch {
    return new Error(Object.prototype.toString.call(thrown));
  }
}

/**
 * Makes `console` write lines as Lambda does: tab-separated, or JSON, with a level's filter. A line
 * end within a message becomes a carriage return, so that one call is one line of the log.
 * `idOfInit` stands where no request runs yet.
 */
export function patchConsole({ AWS_LAMBDA_LOG_FORMAT, AWS_LAMBDA_LOG_LEVEL }, idOfInit) {
  const isJson = AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON';
  const least = Math.max(0, levels.indexOf(AWS_LAMBDA_LOG_LEVEL?.toUpperCase()));
  let requestId = idOfInit;
  let tenantId;

  const write = (level, args) => {
    const timestamp = new Date().toISOString();
    const tenant = tenantId === undefined ? {} : { tenantId };
    const line = isJson
      ? jsonLine({ timestamp, level, requestId, ...tenant }, args)
      : `${timestamp}\t${requestId}\t${level}\t${format(...args)}`;
    process.stdout.write(`${line.replaceAll('\n', '\r')}\n`);
  };
  for (const [method, level] of Object.entries(methods)) {
    console[method] =
      levels.indexOf(level) < least
        ? () => {}
        : (message, ...more) => write(level, [message, ...more]);
  }
  return {
    begin(id, tenant) {
      requestId = id;
      tenantId = tenant;
    },
    warn: (message) => write('WARN', [message]),
    failure(title, thrown) {
      const error = errorOf(thrown);
      if (isJson) write('ERROR', [error]);
      else write('ERROR', [title, `\t${failureJson(error)}`]);
    },
  };
}

function failureJson(error) {
  try {
    return JSON.stringify(error, inText);
  } catch {
    const { errorType, errorMessage, trace } = describeError(error);
    return JSON.stringify({ errorType, errorMessage, stack: trace });
  }
}
