import { type ClientCase, sharing } from '../case.ts';

/** Some of them once more where there are no callbacks. */
const gone = [
  'callback',
  'callbackNothing',
  'succeed',
  'fail',
  'done',
  'silent',
  'waitsByDefault',
  'waitsChanged',
  'returnsValue',
];

/** Callbacks and their kin in the context: up to Node 22 they answer, afterwards they are not there. */
const calls: Readonly<Record<string, string>> = {
  callback: '(e, c, done) => done(null, "called")',
  callbackLater: '(e, c, done) => setTimeout(done, 5, null, "later")',
  callbackImmediate: '(e, c, done) => { setImmediate(() => done(null, "soon")); }',
  callbackNothing: '(e, c, done) => done()',
  callbackNull: '(e, c, done) => done(null, null)',
  callbackUndefined: '(e, c, done) => done(undefined, { a: 1 })',
  callbackError: '(e, c, done) => done(new RangeError("called"))',
  callbackText: '(e, c, done) => done("why")',
  callbackEmpty: '(e, c, done) => done("")',
  callbackFalse: '(e, c, done) => done(false)',
  callbackZero: '(e, c, done) => done(0)',
  callbackObject: '(e, c, done) => done({ reason: 1 })',
  callbackBoth: '(e, c, done) => done(new Error("first"), "second")',
  callbackTwice: '(e, c, done) => { done(null, 1); done(null, 2); }',
  callbackThenError: '(e, c, done) => { done(null, 1); done(new Error("late")); }',
  callbackThenThrow: '(e, c, done) => { done(null, 1); throw new Error("late"); }',
  errorThenCallback: '(e, c, done) => { done(new Error("early")); done(null, 1); }',
  errorThenThrow: '(e, c, done) => { done(new Error("early")); throw new Error("late"); }',
  callbackInAsync: 'async (e, c, done) => { done(null, "callback"); return "promise"; }',
  callbackInAsyncLater: 'async (e, c, done) => { setTimeout(done, 5, null, "callback"); }',
  callbackThenReject: 'async (e, c, done) => { done(null, "callback"); throw new Error("late"); }',
  callbackPromiseStuck: '(e, c, done) => { done(null, "callback"); return new Promise(() => {}); }',
  callbackFunction:
    '(e, c, done) => { c.callbackWaitsForEmptyEventLoop = false; done(null, () => 1); }',
  callbackCircular:
    '(e, c, done) => { c.callbackWaitsForEmptyEventLoop = false; const a = {}; a.a = a; done(null, a); }',
  callbackWaits:
    '(e, c, done) => { let n = 0; setTimeout(() => { n = 7; console.log("ran", n); }, 5); done(null, { get n() { return n; } }); }',
  callbackHurries:
    '(e, c, done) => { c.callbackWaitsForEmptyEventLoop = false; setTimeout(() => {}, 200); done(null, 3); }',
  errorHurries: '(e, c, done) => { setTimeout(() => {}, 200); done(new Error("at once")); }',
  succeed: '(e, c) => c.succeed({ old: true })',
  succeedNothing: '(e, c) => c.succeed()',
  succeedLater: '(e, c) => { setTimeout(c.succeed, 5, "later"); }',
  succeedTwice: '(e, c) => { c.succeed(1); c.succeed(2); }',
  succeedThenThrow: '(e, c) => { c.succeed(1); throw new Error("late"); }',
  succeedCircular: '(e, c) => { const a = {}; a.a = a; c.succeed(a); }',
  fail: '(e, c) => c.fail(new TypeError("failed"))',
  failText: '(e, c) => c.fail("why")',
  failNothing: '(e, c) => c.fail()',
  failNull: '(e, c) => c.fail(null)',
  failThenSucceed: '(e, c) => { c.fail(new Error("first")); c.succeed(2); }',
  done: '(e, c) => c.done(null, "done")',
  doneError: '(e, c) => c.done(new Error("undone"))',
  doneNothing: '(e, c) => c.done()',
  doneInAsync: 'async (e, c) => { c.done(null, "done"); return "promise"; }',
  silent: '(e, c, done) => {}',
  silentAfterWork: '(e, c, done) => { setTimeout(() => console.log("worked"), 5); }',
  throwsNothingNow: '(e, c, done) => { throw undefined; }',
  waitsByDefault: 'async (e, c) => [c.callbackWaitsForEmptyEventLoop, typeof c.done]',
  waitsChanged:
    'async (e, c) => { c.callbackWaitsForEmptyEventLoop = false; return c.callbackWaitsForEmptyEventLoop; }',
  returnsValue: '(e) => ({ value: 1 })',
};

const passed = {
  parts: ['log'],
  reason: 'what is no error has no stack; Lambda’s client logs the place that it was passed at',
} as const;
const said = {
  parts: ['log'],
  reason: 'work that goes on behind the answer is said in the log',
} as const;

const withCallbacks = sharing('callbacks', calls, {
  callbackFunction: {
    parts: ['errorMessage', 'frames', 'log'],
    reason: 'the message says what has no JSON; Lambda’s is that of its native part',
  },
  callbackText: passed,
  callbackEmpty: passed,
  callbackFalse: passed,
  callbackZero: passed,
  callbackObject: passed,
  failText: passed,
  failNothing: passed,
  failNull: passed,
  callbackInAsyncLater: said,
  returnsValue: {
    parts: ['body', 'log'],
    clients: ['nodejs22'],
    reason:
      'a value is taken from a handler that is not async, and said in the log to be lost on Lambda',
  },
});

export const callbacks: readonly ClientCase[] = [
  ...withCallbacks.map((each) => ({ ...each, clients: ['nodejs22'] })),
  ...sharing(
    'no callbacks',
    Object.fromEntries(gone.map((name) => [`${name}, gone`, calls[name] ?? ''])),
  ).map((each) => ({ ...each, clients: ['nodejs24'] })),
];
