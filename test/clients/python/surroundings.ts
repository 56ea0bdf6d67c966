import { alone, type ClientCase, sharing } from '../case.ts';

/** What handlers see of their context. */
const seen: Readonly<Record<string, string>> = {
  context:
    'return [context.function_name, context.function_version, context.memory_limit_in_mb, context.invoked_function_arn, context.log_group_name, context.log_stream_name, context.aws_request_id]',
  contextKeys: 'return sorted(name for name in vars(context) if not name.startswith("_"))',
  contextTime:
    'left = context.get_remaining_time_in_millis()\nreturn [type(left).__name__, left > 1000]',
  contextTrace: 'return [context.w3c(), hasattr(context.client_context, "w3c")]',
  contextTenant: 'return context.tenant_id',
  contextIdentity:
    'return [context.identity.cognito_identity_id, context.identity.cognito_identity_pool_id]',
  contextClient:
    'c = context.client_context\nreturn [c.custom, c.env, c.client.app_title, c.client.installation_id]',
  contextClass: 'return [type(context).__name__, type(context.identity).__name__]',
  contextShown: 'return str(context.identity)',
  contextClientShown: 'return repr(context.client_context)',
  contextOpen: 'context.mine = 1\nreturn context.mine',
  contextLog: 'context.log("by context")',
  contextLogLines: 'context.log("one\\ntwo")\nreturn "logged"',
  contextLogNumber: 'context.log(5)',
  traceId: 'return os.environ["_X_AMZN_TRACE_ID"]',
  task: 'return [os.environ["_HANDLER"], os.environ["LAMBDA_TASK_ROOT"] == os.getcwd()]',
  paths: 'return sys.path[0] == os.getcwd()',
  moduleName: 'return __name__',
  rootLogger:
    'root = logging.getLogger()\nreturn [root.level, [type(h).__name__ for h in root.handlers]]',
};

/** What is printed and logged. */
const printed: Readonly<Record<string, string>> = {
  print: 'print("printed")',
  printLines: 'print("one\\ntwo")',
  printPart: 'print("a", end=" ")\nprint("b")',
  logWarning: 'logging.warning("warned")',
  logInfo: 'logging.getLogger().info("hidden unless")',
  logDebug: 'logging.getLogger().debug("hidden")',
  logError: 'logging.error("erred %s", "so")',
  logCritical: 'logger.critical("named")',
  logNamed: 'logger.warning("named %d", 7)',
  logAccents: 'logging.warning("é 😀")',
  logExtra: 'logger.warning("more", extra={"order": 5, "tags": ["a"]})',
  logObject: 'logging.warning({"a": 1})',
  logPercent: 'logging.warning("100%")',
  logLevelOwn: 'logger.log(35, "between")',
};

const traced: Readonly<Record<string, string>> = {
  logException: 'try:\n  1 / 0\nexcept ZeroDivisionError:\n  logger.exception("failed")',
  logInfoStack:
    'try:\n  1 / 0\nexcept ZeroDivisionError:\n  logging.error("failed", exc_info=True)',
};

/** What cannot be logged as it is. */
const odd: Readonly<Record<string, string>> = {
  logBadArguments:
    'try:\n  logging.warning("%d", "x")\nexcept TypeError as error:\n  return str(error)',
  logExtraOfFailures:
    'logger.warning("odd", extra={"errorType": "mine", "location": 1, "order": 2})',
};

/** What only a log of format JSON makes anything of. */
const structured: Readonly<Record<string, string>> = {
  logExtraObject:
    'try:\n  logging.warning("x", extra={"object": object()})\nexcept TypeError as error:\n  return str(error)',
  logNoException:
    'try:\n  logging.error("none", exc_info=True)\nexcept AttributeError as error:\n  return str(error)',
};

const renamed = (handlers: Readonly<Record<string, string>>) =>
  Object.fromEntries(Object.entries(handlers).map(([name, text]) => [`json ${name}`, text]));

const words = {
  parts: ['log'],
  reason: 'Lambda’s client first warns in many words that a failure of init may come of an update',
} as const;
const inside = { parts: ['log'], reason: 'the stack is the client’s own' } as const;
const broken = (name: string, entry: string, files: Record<string, string>) =>
  alone(name, entry, files, words);

/** How handlers are named and found, and how processes end. */
const loading: readonly ClientCase[] = [
  alone('module', 'app.handler', { 'app.py': 'def handler(e, c): return "ok"' }),
  alone('package', 'pkg.app.handler', {
    'pkg/__init__.py': '',
    'pkg/app.py': 'def handler(e, c): return __name__',
  }),
  alone('directory', 'pkg/app.handler', { 'pkg/app.py': 'def handler(e, c): return __name__' }),
  alone('imported beside', 'app.handler', {
    'app.py': 'import other\ndef handler(e, c): return other.n',
    'other.py': 'n = 4',
  }),
  alone('class', 'app.Handler', {
    'app.py': 'class Handler:\n  def __new__(cls, e, c): return "made"',
  }),
  alone('callable', 'app.handler', {
    'app.py': 'class H:\n  def __call__(self, e, c): return "called"\nhandler = H()',
  }),
  alone('lambda', 'app.handler', { 'app.py': 'handler = lambda e, c: "lambda"' }),
  alone('one argument', 'app.handler', { 'app.py': 'def handler(e): return 1' }, inside),
  alone('not callable', 'app.handler', { 'app.py': 'handler = 5' }, inside),
  alone('none as a handler', 'app.handler', { 'app.py': 'handler = None' }, inside),
  alone('shadows a module of the library', 'csv.handler', {
    'csv.py': 'def handler(e, c): return "own csv"',
  }),
  alone('prints at init', 'app.handler', {
    'app.py': 'print("at init")\ndef handler(e, c): return 1',
  }),
  broken('no module', 'app.handler', {}),
  broken('no function', 'app.handler', { 'app.py': '' }),
  broken('no dot', 'app', { 'app.py': '' }),
  broken('built-in module', 'time.handler', { 'time.py': 'def handler(e, c): return 1' }),
  broken('built-in package', 'sys.app.handler', { 'sys/app.py': 'def handler(e, c): return 1' }),
  broken('imports what is missing', 'app.handler', { 'app.py': 'import nil_module' }),
  broken('imports a missing name', 'app.handler', { 'app.py': 'from json import nil' }),
  broken('syntax error', 'app.handler', { 'app.py': 'def handler(e, c):\n    return (' }),
  broken('indentation', 'app.handler', { 'app.py': 'def handler(e, c):\nreturn 1' }),
  broken('raises at init', 'app.handler', { 'app.py': '1 / 0' }),
  broken('raises deep at init', 'app.handler', {
    'app.py': 'def f(): raise KeyError("k")\nf()',
  }),
  alone('exits at init', 'app.handler', { 'app.py': 'import sys; sys.exit(4)' }),
  alone('exits', 'app.handler', { 'app.py': 'import sys\ndef handler(e, c): sys.exit(7)' }),
  alone('exits well', 'app.handler', { 'app.py': 'def handler(e, c): exit()' }),
  alone('exits hard', 'app.handler', { 'app.py': 'import os\ndef handler(e, c): os._exit(9)' }),
  alone('is killed', 'app.handler', {
    'app.py': 'import os\ndef handler(e, c): os.kill(os.getpid(), 9)',
  }),
  alone(
    'interrupts',
    'app.handler',
    {
      'app.py': 'def handler(e, c): raise KeyboardInterrupt',
    },
    { parts: ['log'], reason: 'Python prints where it was, and that is in the client' },
  ),
];

export const pythonSurroundings: readonly ClientCase[] = [
  ...sharing('seen', seen, {
    contextLogLines: {
      parts: ['log'],
      reason: 'one call is one entry of the log, whose lines end in a carriage return',
    },
  }),
  ...sharing(
    'text log',
    { ...printed, ...traced, ...odd },
    {
      logException: { parts: ['log'], reason: 'one call is one entry of the log' },
      logInfoStack: { parts: ['log'], reason: 'one call is one entry of the log' },
    },
  ),
  ...sharing('json log', renamed({ ...printed, ...traced, ...odd, ...structured })),
  ...loading,
];
