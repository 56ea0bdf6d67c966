import { alone, type ClientCase } from '../case.ts';

const crash = {
  parts: ['outcome', 'errorType', 'errorMessage', 'frames', 'log', 'exit'],
  clients: ['nodejs24'],
  reason: 'what nobody catches is told to the caller by every version, as it was up to Node.js 22',
} as const;
const rejected = {
  ...crash,
  clients: ['nodejs22', 'nodejs24'],
  reason: 'every version tells the caller, and where the promise was rejected',
} as const;
const unsettled = {
  parts: ['outcome', 'body', 'errorType', 'errorMessage', 'frames', 'log', 'exit'],
  reason:
    'the managed runtimes answer Runtime.NodeJsExit (their troubleshooting guide); the published clients do not',
} as const;
const handler = (body: string) => ({ 'index.js': `exports.handler = ${body};` });

/** How processes end. */
export const ending: readonly ClientCase[] = [
  alone(
    'unhandled rejection',
    'index.handler',
    handler(
      '() => new Promise(() => { Promise.reject(new Error("lost")); setTimeout(() => {}, 9e4); })',
    ),
    rejected,
  ),
  alone(
    'unhandled rejection of text',
    'index.handler',
    handler('() => new Promise(() => { Promise.reject("lost"); setTimeout(() => {}, 9e4); })'),
    rejected,
  ),
  alone(
    'uncaught exception',
    'index.handler',
    handler('() => new Promise(() => { setTimeout(() => { throw new TypeError("late"); }); })'),
    crash,
  ),
  alone(
    'uncaught text',
    'index.handler',
    handler('() => new Promise(() => { setTimeout(() => { throw "late"; }); })'),
    crash,
  ),
  alone('exits', 'index.handler', handler('async () => { process.exit(3); }')),
  alone('exits well', 'index.handler', handler('async () => { process.exit(0); }')),
  alone(
    'is killed',
    'index.handler',
    handler(
      'async () => { process.kill(process.pid, "SIGKILL"); await new Promise((r) => setTimeout(r, 9e3)); }',
    ),
  ),
  alone('exits at init', 'index.handler', { 'index.js': 'process.exit(5);' }),
  alone('never settles', 'index.handler', handler('() => new Promise(() => {})'), unsettled),
  alone(
    'never settles, async',
    'index.handler',
    handler('async () => { await new Promise(() => {}); return 1; }'),
    unsettled,
  ),
  alone(
    'never settles after work',
    'index.handler',
    handler(
      'async () => { await new Promise((r) => setTimeout(r, 5)); await new Promise(() => {}); }',
    ),
    unsettled,
  ),
];
