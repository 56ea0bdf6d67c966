import { alone, type ClientCase } from '../case.ts';

const ok = 'async () => "ok"';
const moduleType = { 'package.json': '{"type":"module"}' };
const words = {
  parts: ['errorType', 'errorMessage', 'frames', 'log'],
  reason: 'the words are ours; Lambda’s client up to Node.js 22 stumbles over its own',
} as const;
const log = {
  parts: ['log', 'frames'],
  reason: 'the stack is told where Lambda’s client has none, or one of its own',
} as const;

/** How handlers are named and found. */
const named: readonly ClientCase[] = [
  alone('cjs', 'index.handler', { 'index.js': `exports.handler = ${ok};` }),
  alone('cjs module.exports', 'index.handler', {
    'index.js': `module.exports = { handler: ${ok} };`,
  }),
  alone('cjs nested', 'index.a.b.c', { 'index.js': `exports.a = { b: { c: ${ok} } };` }),
  alone('cjs on a function', 'index.a.b', {
    'index.js': `exports.a = () => {}; exports.a.b = ${ok};`,
  }),
  alone('cjs default', 'index.default', { 'index.js': `exports.default = ${ok};` }),
  alone(
    'cjs default member',
    'index.handler',
    { 'index.js': `exports.default = { handler: ${ok} };` },
    log,
  ),
  alone('cjs transpiled', 'index.handler', {
    'index.js': `Object.defineProperty(exports, '__esModule', { value: true }); exports.handler = ${ok};`,
  }),
  alone('cjs getter', 'index.handler', {
    'index.js': `Object.defineProperty(module.exports, 'handler', { get: () => ${ok} });`,
  }),
  alone('cjs replaced later', 'index.handler', {
    'index.js': `exports.handler = async () => exports.name; setImmediate(() => { exports.name = 'later'; });`,
  }),
  alone('cjs extension', 'index.handler', { 'index.cjs': `exports.handler = ${ok};` }),
  alone('cjs extension in a module', 'index.handler', {
    ...moduleType,
    'index.cjs': `exports.handler = ${ok};`,
  }),
  alone('cjs without extension', 'index.handler', { index: `exports.handler = ${ok};` }),
  alone('cjs without extension in a module', 'index.handler', {
    ...moduleType,
    index: `exports.handler = ${ok};`,
  }),
  alone('esm', 'index.handler', { 'index.mjs': `export const handler = ${ok};` }),
  alone('esm by type', 'index.handler', {
    ...moduleType,
    'index.js': `export const handler = ${ok};`,
  }),
  alone('esm by type above', 'src/index.handler', {
    ...moduleType,
    'src/index.js': `export const handler = ${ok};`,
  }),
  alone('esm undone below', 'src/index.handler', {
    ...moduleType,
    'src/package.json': '{}',
    'src/index.js': `exports.handler = ${ok};`,
  }),
  alone('esm default', 'index.default', { 'index.mjs': `export default ${ok};` }),
  alone(
    'esm default member',
    'index.handler',
    { 'index.mjs': `export default { handler: ${ok} };` },
    log,
  ),
  alone('esm top-level await', 'index.handler', {
    'index.mjs': `const text = await Promise.resolve('awaited'); export const handler = async () => text;`,
  }),
  alone('esm imports cjs', 'index.handler', {
    'index.mjs': `import other from './other.cjs'; export const handler = async () => other.a;`,
    'other.cjs': 'exports.a = 4;',
  }),
  alone('esm beside cjs', 'index.handler', {
    'index.js': 'exports.handler = async () => "js";',
    'index.mjs': 'export const handler = async () => "mjs";',
  }),
  alone(
    'esm syntax without type',
    'index.handler',
    {
      'index.js': `export const handler = ${ok};`,
    },
    log,
  ),
  alone('cjs requires esm', 'index.handler', {
    'index.js': 'exports.handler = async () => require("./other.mjs").a;',
    'other.mjs': 'export const a = 5;',
  }),
  alone('below a directory', 'src/deep/index.handler', {
    'src/deep/index.js': `exports.handler = ${ok};`,
  }),
  alone('a package', 'pkg.handler', {
    'node_modules/pkg/package.json': '{"main":"main.js"}',
    'node_modules/pkg/main.js': `exports.handler = ${ok};`,
  }),
  alone(
    'a directory',
    'dir.handler',
    { 'dir/index.js': `exports.handler = ${ok};` },
    {
      parts: ['outcome', 'body', 'errorType', 'errorMessage', 'log', 'frames', 'exit'],
      clients: ['nodejs24'],
      reason: 'a directory is found by every version, as it was up to Node.js 22',
    },
  ),
  alone(
    'a directory beside a file',
    'app.handler',
    {
      'app/other.js': '',
      'app.js': `exports.handler = ${ok};`,
    },
    {
      parts: ['outcome', 'body', 'errorType', 'errorMessage', 'log', 'frames', 'exit'],
      clients: ['nodejs24'],
      reason: 'a directory of that name does not hide the file',
    },
  ),
];

/** What cannot be loaded. */
const refused: readonly ClientCase[] = [
  alone('no module', 'index.handler', {}, log),
  alone('no export', 'index.handler', { 'index.js': 'exports.other = 1;' }, log),
  alone('no nested export', 'index.a.b', { 'index.js': 'exports.a = {};' }, log),
  alone('no export of esm', 'index.handler', { 'index.mjs': 'export const other = 1;' }, log),
  alone('null export', 'index.handler', { 'index.js': 'exports.handler = null;' }, log),
  alone('no function', 'index.handler', { 'index.js': 'exports.handler = 1;' }, log),
  alone(
    'no function below a directory',
    'src/index.handler',
    {
      'src/index.js': 'exports.handler = {};',
    },
    log,
  ),
  alone('no dot', 'index', { 'index.js': `exports.handler = ${ok};` }, log),
  alone('nothing behind the dot', 'index.', { 'index.js': `exports.handler = ${ok};` }, log),
  alone('upwards', '../index.handler', { 'index.js': `exports.handler = ${ok};` }, log),
  alone('two dots', 'index..handler', { 'index.js': `exports.handler = ${ok};` }, log),
  alone('syntax error', 'index.handler', { 'index.js': 'exports.handler = (;' }, log),
  alone('syntax error of esm', 'index.handler', { 'index.mjs': 'export const handler = (;' }, log),
  alone('throws at init', 'index.handler', { 'index.js': 'throw new RangeError("at init");' }),
  alone('throws text at init', 'index.handler', { 'index.js': 'throw "text";' }),
  alone('rejects at init', 'index.handler', {
    'index.mjs': 'await Promise.reject(new TypeError("awaited"));',
  }),
  alone('requires what is missing', 'index.handler', { 'index.js': 'require("nil");' }, log),
  alone('imports what is missing', 'index.handler', { 'index.mjs': 'import "nil";' }),
  alone('imports a missing file', 'index.handler', { 'index.mjs': 'import "./nil.mjs";' }),
  alone(
    'imports a missing name',
    'index.handler',
    {
      'index.mjs': 'import { nil } from "./a.mjs"; export const handler = nil;',
      'a.mjs': '',
    },
    log,
  ),
  alone(
    'three arguments',
    'index.handler',
    {
      'index.js': 'exports.handler = async (event, context, callback) => "three";',
    },
    { ...words, clients: ['nodejs24'] },
  ),
  alone(
    'streams a request',
    'index.handler',
    {
      'index.js':
        'exports.handler = async () => 1; exports.handler[Symbol.for("aws.lambda.runtime.handler.streaming")] = "request";',
    },
    words,
  ),
];

export const loading: readonly ClientCase[] = [...named, ...refused];
