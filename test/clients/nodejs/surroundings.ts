import { type ClientCase, sharing } from '../case.ts';

/** What handlers see: their context, environment, globals and console. */
const seen: Readonly<Record<string, string>> = {
  contextKeys: 'async (e, c) => Object.keys(c).sort()',
  contextValues:
    'async (e, c) => [c.functionName, c.functionVersion, c.memoryLimitInMB, c.invokedFunctionArn, c.logGroupName, c.logStreamName]',
  contextId: 'async (e, c) => c.awsRequestId',
  contextTime:
    'async (e, c) => [typeof c.getRemainingTimeInMillis(), c.getRemainingTimeInMillis() > 1000]',
  contextClient: 'async (e, c) => c.clientContext',
  contextIdentity: 'async (e, c) => c.identity',
  contextTenant: 'async (e, c) => c.tenantId',
  contextOpen: 'async (e, c) => { c.mine = 1; return [c.mine, Object.isFrozen(c)]; }',
  traceId: 'async () => process.env._X_AMZN_TRACE_ID',
  task: 'async () => [process.env._HANDLER, process.env.LAMBDA_TASK_ROOT === process.cwd()]',
  awslambda: 'async () => Object.keys(awslambda).filter((name) => name !== "InvokeStore").sort()',
  invokeStore:
    'async () => awslambda.InvokeStore && [awslambda.InvokeStore.getRequestId(), awslambda.InvokeStore.getXRayTraceId()]',
  invokeStoreOwn:
    'async () => { const s = awslambda.InvokeStore; if (!s) return; s.set("k", 1); return [s.get("k"), s.hasContext(), Object.keys(s.getContext())]; }',
  invokeStoreGuards:
    'async () => { try { awslambda.InvokeStore?.set(Symbol.for("_AWS_LAMBDA_REQUEST_ID"), 1); } catch { return "refused"; } }',
  streamifyResponse: 'async () => typeof awslambda.streamifyResponse(() => {})',
  require: 'async () => [typeof require, typeof module, typeof __dirname]',
  listeners: 'async () => process.listenerCount("SIGTERM")',
};

/** What `console` makes of its arguments. */
const printed: Readonly<Record<string, string>> = {
  logText: 'async () => { console.log("hello"); }',
  logLines: 'async () => { console.log("a\\nb\\r\\nc"); }',
  logObject: 'async () => { console.log({ n: 1, deep: { er: { and: { deeper: 1 } } } }); }',
  logTextObject: 'async () => { console.log("text", { n: 1 }, [1]); }',
  logFormat: 'async () => { console.log("%s is %d", "x", 7, "more"); }',
  logNothing: 'async () => { console.log(); }',
  logUndefined: 'async () => { console.log(undefined); }',
  logNumber: 'async () => { console.log(5); }',
  logBigInt: 'async () => { console.log(5n); }',
  logSymbol: 'async () => { console.log(Symbol("s")); }',
  logCircular: 'async () => { const a = { name: "a" }; a.a = a; console.log(a); }',
  logLevels:
    'async () => { for (const l of ["trace", "debug", "info", "warn", "error", "fatal"]) console[l](l); }',
  logTab: 'async () => { console.info("a\\tb"); }',
  logTwice: 'async () => { console.log(1); console.log(2); return "logged"; }',
  logStdout: 'async () => { process.stdout.write("raw\\n"); }',
  logErrorText: 'async () => { console.error("problem", "details"); }',
};

export const surroundings: readonly ClientCase[] = [
  ...sharing('seen', seen),
  ...sharing('text log', printed),
  ...sharing(
    'json log',
    Object.fromEntries(Object.entries(printed).map(([name, text]) => [`json ${name}`, text])),
  ),
  ...sharing('json log', {
    'json logError':
      'async () => { const e = new TypeError("t"); delete e.stack; console.error(e); }',
    'json logTextError':
      'async () => { const e = new TypeError("t"); e.stack = "S\\n at x"; console.error("text", e); }',
    'json logCoded':
      'async () => { const e = new RangeError("t"); e.stack = "S"; e.code = 3; console.warn(e); }',
    'json logNested':
      'async () => { const e = new RangeError("t"); e.stack = "S"; console.warn({ why: e }); }',
  }),
];
