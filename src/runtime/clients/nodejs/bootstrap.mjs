// The runtime client of Node functions: loads the handler, then runs one event after another.
import { RuntimeApi } from './client/api.mjs';
import { v8 } from './client/builtins.mjs';
import { patchConsole } from './client/console.mjs';
import { describeError, unhandledRejection } from './client/errors.mjs';
import { currentInvoke, installGlobals } from './client/globals.mjs';
import { resolveFromLayers } from './client/layers.mjs';
import { loadHandler } from './client/load-handler.mjs';
import { Portability } from './client/portability.mjs';
import { Runner } from './client/runner.mjs';

const { env } = process;
const HEAP_SHARE = 0.9;
const EXIT_UNHANDLED_REJECTION = 128;
const EXIT_UNCAUGHT_EXCEPTION = 129;
/** From here on Lambda knows no callbacks, and loads every module with `import`. */
const FIRST_WITHOUT_CALLBACKS = 24;

// Node sees the host's memory; without this it would collect too late and be killed for it.
v8.setFlagsFromString(
  `--max-old-space-size=${Math.floor(Number(env.AWS_LAMBDA_FUNCTION_MEMORY_SIZE) * HEAP_SHARE)}`,
);

const named = Number(/^AWS_Lambda_nodejs(\d+)/.exec(env.AWS_EXECUTION_ENV)?.[1] ?? 0);
const isModern = named >= FIRST_WITHOUT_CALLBACKS;
const api = new RuntimeApi(env.AWS_LAMBDA_RUNTIME_API);
const log = patchConsole(env, isModern ? '-' : undefined);
installGlobals(env, isModern);
resolveFromLayers(env.NODE_PATH);

/** The request that is being run; none during init. */
let running;

async function die(title, error, exitCode) {
  const described = describeError(error);
  log.failure(title, error);
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
  const major = Number.parseInt(process.versions.node, 10);
  if (named > 0 && named !== major) {
    log.warn(`The function is of nodejs${named}.x and runs on Node.js ${process.versions.node}`);
  }
  let handler;
  try {
    handler = await loadHandler(env.LAMBDA_TASK_ROOT, env._HANDLER, isModern);
  } catch (error) {
    if (isModern) await die('Init Error', error, 1);
    await die('Uncaught Exception', error, EXIT_UNCAUGHT_EXCEPTION);
  }
  const portability = new Portability(log, env.SLUICE_STRICT === '1');
  const runner = new Runner({ api, log, handler, isModern, portability, exit: process.exit });
  for (;;) {
    const invoke = await api.next();
    running = invoke.requestId;
    log.begin(running, invoke.tenantId);
    if (invoke.traceId) env._X_AMZN_TRACE_ID = invoke.traceId;
    else delete env._X_AMZN_TRACE_ID;
    currentInvoke(invoke);
    await runner.run(invoke);
  }
}

await main();
