import { format } from 'node:util';

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

const describe = (error) => ({
  errorType: error.name ?? 'Error',
  errorMessage: error.message,
  stackTrace: String(error.stack ?? '').split('\n'),
});

/** Errors say nothing of themselves to `JSON.stringify`. */
const replacer = (_key, value) => (value instanceof Error ? describe(value) : value);

function message(args) {
  if (args.length !== 1 || typeof args[0] !== 'object') return format(...args);
  try {
    return JSON.parse(JSON.stringify(args[0], replacer));
  } catch {
    return format(...args);
  }
}

/**
 * Makes `console` write lines as Lambda does: tab-separated, or JSON with a level's filter. A line
 * end within a message becomes a carriage return, so that one call is one line of the log.
 */
export function patchConsole({ AWS_LAMBDA_LOG_FORMAT, AWS_LAMBDA_LOG_LEVEL }) {
  const isJson = AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === 'JSON';
  const least = isJson ? Math.max(0, levels.indexOf(AWS_LAMBDA_LOG_LEVEL?.toUpperCase())) : 0;
  let requestId;

  const write = (level, args) => {
    const timestamp = new Date().toISOString();
    if (isJson) {
      const error = args.find((each) => each instanceof Error);
      const line = { timestamp, level, requestId, message: message(args) };
      if (error) Object.assign(line, describe(error));
      process.stdout.write(`${JSON.stringify(line)}\n`);
    } else {
      const text = format(...args).replaceAll('\n', '\r');
      process.stdout.write(`${timestamp}\t${requestId}\t${level}\t${text}\n`);
    }
  };
  for (const [method, level] of Object.entries(methods)) {
    console[method] = (...args) => {
      if (levels.indexOf(level) >= least) write(level, args);
    };
  }
  return {
    begin(id) {
      requestId = id;
    },
    failure(title, error, { errorType, errorMessage, trace }) {
      if (isJson) return write('ERROR', [error]);
      const own = typeof error === 'object' && error !== null ? { ...error } : {};
      const shown = { errorType, errorMessage, ...own, stack: trace };
      write('ERROR', [`${title} \t${safeJson(shown)}`]);
    },
  };
}

function safeJson(value) {
  try {
    return JSON.stringify(value, replacer);
  } catch {
    return format(value);
  }
}
