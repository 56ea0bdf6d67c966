// The runtime client of Node functions: loads the handler, then runs one event after another.
import v8 from 'node:v8';
import { RuntimeApi } from './client/api.mjs';
import { patchConsole } from './client/console.mjs';
import { describeError, unhandledRejection } from './client/errors.mjs';
import { runInvoke } from './client/invoke.mjs';
import { loadHandler } from './client/load-handler.mjs';
import { installStreaming } from './client/streaming.mjs';

const { AWS_LAMBDA_RUNTIME_API, LAMBDA_TASK_ROOT, AWS_LAMBDA_FUNCTION_MEMORY_SIZE, _HANDLER } =
  process.env;
const HEAP_SHARE = 0.9;
const EXIT_UNHANDLED_REJECTION = 128;
const EXIT_UNCAUGHT_EXCEPTION = 129;

// Node sees the host's memory; without this it would collect too late and be killed for it.
v8.setFlagsFromString(
  `--max-old-space-size=${Math.floor(Number(AWS_LAMBDA_FUNCTION_MEMORY_SIZE) * HEAP_SHARE)}`,
);

const api = new RuntimeApi(AWS_LAMBDA_RUNTIME_API);
const log = patchConsole(process.env);
installStreaming();

/** The request that is being run; none during init. */
let running;

async function die(title, error, exitCode) {
  const described = describeError(error);
  log.failure(title, error, described);
  await (running ? api.fail(running, described) : api.failInit(described));
  process.exit(exitCode);
}

process.on('uncaughtException', (error) =>
  die('Uncaught Exception', error, EXIT_UNCAUGHT_EXCEPTION),
);
process.on('unhandledRejection', (reason) =>
  die('Unhandled Promise Rejection', unhandledRejection(reason), EXIT_UNHANDLED_REJECTION),
);

async function main() {
  let handler;
  try {
    handler = await loadHandler(LAMBDA_TASK_ROOT, _HANDLER);
  } catch (error) {
    await die('Uncaught Exception', error, 1);
  }
  for (;;) {
    const invoke = await api.next();
    running = invoke.requestId;
    log.begin(running);
    process.env._X_AMZN_TRACE_ID = invoke.traceId ?? '';
    await runInvoke(api, log, handler, invoke);
  }
}

await main();
