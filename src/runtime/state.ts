/**
 * Where the runtime of one sandbox stands:
 *
 *     starting ──next──▶ idle ──invoke──▶ invoking ──POST──▶ responding ──end──▶ responded ─┐
 *        │                 ▲                                                               │
 *        └─init/error─▶ init-failed          └──────────────────── next ◀─────────────────┘
 */
export type RuntimePhase =
  | 'starting'
  | 'idle'
  | 'invoking'
  | 'responding'
  | 'responded'
  | 'init-failed'
  | 'closed';

export interface RuntimeState {
  readonly phase: RuntimePhase;
  /** Of the invoke that runs or ran last. */
  readonly requestId: string | undefined;
  /** A `next` is open and waits for an event. */
  readonly parked: boolean;
  /** An event waits for the runtime to ask. */
  readonly queued: boolean;
}

export type RuntimeEvent =
  | { readonly type: 'invoke'; readonly requestId: string }
  | { readonly type: 'next' }
  /** The connection of the open `next` went away. */
  | { readonly type: 'next-gone' }
  /** `…/response` or `…/error` begins. */
  | { readonly type: 'post'; readonly target: PostTarget; readonly requestId: string }
  /** The body of that post is read, or never will be. */
  | { readonly type: 'post-ended' }
  | { readonly type: 'init-error' }
  | { readonly type: 'close' };

export type PostTarget = 'response' | 'error';

export type RuntimeEffect =
  /** Init is over. */
  | { readonly type: 'ready' }
  | { readonly type: 'init-failed' }
  /** Hold this `next` open. */
  | { readonly type: 'park' }
  /** Answer the open `next` with the event. */
  | { readonly type: 'deliver' }
  /** Read this post's body. */
  | { readonly type: 'accept' }
  /** The runtime has done with the invoke and asks for another. */
  | { readonly type: 'settled' }
  | {
      readonly type: 'refuse';
      readonly status: number;
      readonly errorType: string;
      readonly message: string;
    };

export interface RuntimeStep {
  readonly state: RuntimeState;
  readonly effects: readonly RuntimeEffect[];
}

export const initialRuntimeState: RuntimeState = {
  phase: 'starting',
  requestId: undefined,
  parked: false,
  queued: false,
};

/** The names that Lambda's own emulator gives the phases in its error messages. */
const phaseNames: Record<RuntimePhase, string> = {
  starting: 'RuntimeStarted',
  idle: 'RuntimeReady',
  invoking: 'RuntimeRunning',
  responding: 'RuntimeInvocationResponse',
  responded: 'RuntimeResponseSent',
  'init-failed': 'RuntimeInitError',
  closed: 'RuntimeTerminated',
};

const targetNames = {
  next: 'RuntimeReady',
  response: 'RuntimeInvocationResponse',
  error: 'RuntimeInvocationErrorResponse',
  'init-error': 'RuntimeInitError',
};

function refuse(state: RuntimeState, target: keyof typeof targetNames): RuntimeStep {
  const message =
    `State transition from ${phaseNames[state.phase]} to ${targetNames[target]} failed for ` +
    'runtime. Error: State transition is not allowed';
  return {
    state,
    effects: [{ type: 'refuse', status: 403, errorType: 'InvalidStateTransition', message }],
  };
}

const unchanged = (state: RuntimeState): RuntimeStep => ({ state, effects: [] });

/**
 * The rules of the Runtime API (contract 2.6): one event at a time, a second `next` before the
 * response is refused, a post for another request id is refused, init fails at most once.
 */
export function step(state: RuntimeState, event: RuntimeEvent): RuntimeStep {
  switch (event.type) {
    case 'invoke':
      return invoke(state, event.requestId);
    case 'next':
      return next(state);
    case 'next-gone':
      return { state: { ...state, parked: false }, effects: [] };
    case 'post':
      return post(state, event.target, event.requestId);
    case 'post-ended':
      if (state.phase !== 'responding') return unchanged(state);
      return { state: { ...state, phase: 'responded' }, effects: [] };
    case 'init-error':
      if (state.phase !== 'starting') return refuse(state, 'init-error');
      return { state: { ...state, phase: 'init-failed' }, effects: [{ type: 'init-failed' }] };
    case 'close':
      return { state: { ...state, phase: 'closed', queued: false }, effects: [] };
  }
}

function deliver(state: RuntimeState): RuntimeState {
  return { ...state, phase: 'invoking', parked: false, queued: false };
}

function invoke(state: RuntimeState, requestId: string): RuntimeStep {
  const given = { ...state, requestId };
  if (state.parked) return { state: deliver(given), effects: [{ type: 'deliver' }] };
  return { state: { ...given, queued: true }, effects: [] };
}

function next(state: RuntimeState): RuntimeStep {
  const asking = state.phase === 'idle' && !state.parked;
  if (!asking && state.phase !== 'starting' && state.phase !== 'responded') {
    return refuse(state, 'next');
  }
  const effects: RuntimeEffect[] = [];
  if (state.phase === 'starting') effects.push({ type: 'ready' });
  if (state.phase === 'responded') effects.push({ type: 'settled' });
  if (state.queued) {
    return { state: deliver(state), effects: [...effects, { type: 'deliver' }] };
  }
  return {
    state: { ...state, phase: 'idle', parked: true },
    effects: [...effects, { type: 'park' }],
  };
}

function post(state: RuntimeState, target: PostTarget, requestId: string): RuntimeStep {
  const known = requestId === state.requestId && !state.queued;
  if (state.phase === 'starting' || (known && state.phase !== 'invoking')) {
    return refuse(state, target);
  }
  if (!known) {
    const message = 'Invalid request ID';
    return {
      state,
      effects: [{ type: 'refuse', status: 400, errorType: 'InvalidRequestID', message }],
    };
  }
  return { state: { ...state, phase: 'responding' }, effects: [{ type: 'accept' }] };
}
