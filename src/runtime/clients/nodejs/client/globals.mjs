import { STREAMING } from './load-handler.mjs';
import { HttpResponseStream } from './streaming.mjs';

const HIGH_WATER_MARK = Symbol.for('aws.lambda.runtime.handler.streaming.highWaterMark');
/** The keys that `@aws/lambda-invoke-store` gives what every invoke has. */
const keys = {
  REQUEST_ID: Symbol.for('_AWS_LAMBDA_REQUEST_ID'),
  X_RAY_TRACE_ID: Symbol.for('_AWS_LAMBDA_X_RAY_TRACE_ID'),
  TENANT_ID: Symbol.for('_AWS_LAMBDA_TENANT_ID'),
};
const ours = new Set(Object.values(keys));

/** What AWS's libraries ask for the invoke that runs. One runs at a time, so one variable holds it. */
class InvokeStore {
  #context;

  getContext() {
    return this.#context;
  }

  hasContext() {
    return this.#context !== undefined;
  }

  get(key) {
    return this.#context?.[key];
  }

  set(key, value) {
    if (ours.has(key)) throw new Error(`${String(key)}: only the runtime sets this`);
    this.#context ??= {};
    this.#context[key] = value;
  }

  run(context, callback) {
    this.#context = context;
    return callback();
  }

  isProtectedKey(key) {
    return ours.has(key);
  }

  getRequestId() {
    return this.get(keys.REQUEST_ID) ?? '-';
  }

  getXRayTraceId() {
    return this.get(keys.X_RAY_TRACE_ID);
  }

  getTenantId() {
    return this.get(keys.TENANT_ID);
  }
}

const store = new InvokeStore();

/** Tells AWS's libraries which invoke runs from now on. */
export function currentInvoke({ requestId, traceId, tenantId }) {
  const context = { [keys.REQUEST_ID]: requestId, [keys.X_RAY_TRACE_ID]: traceId };
  if (tenantId !== undefined) context[keys.TENANT_ID] = tenantId;
  store.run(context, () => {});
}

function streamifyResponse(handler, options) {
  handler[STREAMING] = 'response';
  if (typeof options?.highWaterMark === 'number') {
    handler[HIGH_WATER_MARK] = Math.trunc(options.highWaterMark);
  }
  return handler;
}

/** What handlers know as `awslambda`, unless the function wants none. */
export function installGlobals({ AWS_LAMBDA_NODEJS_NO_GLOBAL_AWSLAMBDA: without }, isModern) {
  if (without === '1' || without === 'true') return;
  globalThis.awslambda = { streamifyResponse, HttpResponseStream };
  if (isModern) globalThis.awslambda.InvokeStore = store;
}
