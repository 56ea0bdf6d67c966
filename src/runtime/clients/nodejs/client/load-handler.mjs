import { fs, module, path, url } from './builtins.mjs';
import { handlerNotFound, importError, malformedHandler, RuntimeError } from './errors.mjs';

const { existsSync, readFileSync, statSync } = fs;
const { createRequire } = module;
const { pathToFileURL } = url;

/** What marks a handler as one that streams its response. */
export const STREAMING = Symbol.for('aws.lambda.runtime.handler.streaming');

/** `dir/file.export.nested` taken apart. */
function parseHandlerName(name) {
  if (name.includes('..')) {
    throw malformedHandler(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const [, file, exported] = /^([^.]*)\.(.*)$/.exec(path.basename(name)) ?? [];
  if (file === undefined) throw malformedHandler('Bad handler');
  return { directory: path.dirname(name), file, exported };
}

const isFile = (file) => statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;

/** Whether `.js` means an ES module there: the nearest package.json says, and no package does. */
function isModuleDirectory(directory) {
  if (path.basename(directory) === 'node_modules') return false;
  const description = path.join(directory, 'package.json');
  if (existsSync(description)) {
    try {
      return JSON.parse(readFileSync(description, 'utf8'))?.type === 'module';
    } catch {
      return false;
    }
  }
  const above = path.dirname(directory);
  return above !== directory && isModuleDirectory(above);
}

/**
 * The module beside the code, else what Node finds from there: a package, a layer's module. Up to
 * Node 22 Lambda takes CommonJS with `require`, so that its exports are the function's own; from 24
 * on everything with `import`.
 */
async function loadModule(taskRoot, { directory, file }, isModern) {
  const root = path.resolve(taskRoot, directory);
  const beside = path.join(root, file);
  const require = createRequire(`${taskRoot}/`);
  const load = (found, isEsm) => (isEsm ? import(pathToFileURL(found).href) : require(found));
  if (isFile(beside)) return load(beside, isModern);
  // A directory, or a file that Node completes the name of.
  if (!isModern && existsSync(beside)) return require(beside);
  if (isFile(`${beside}.js`)) return load(`${beside}.js`, isModern || isModuleDirectory(root));
  if (isFile(`${beside}.mjs`)) return load(`${beside}.mjs`, true);
  if (isFile(`${beside}.cjs`)) return load(`${beside}.cjs`, isModern);
  if (existsSync(beside)) return require(beside);
  return require(require.resolve(file, { paths: [taskRoot, root] }));
}

/** Follows the names; functions are looked into only where Lambda does. */
function pick(exports, exported, isModern) {
  const isOpen = (at) => (isModern ? typeof at === 'object' && at : at);
  const walk = (from) =>
    exported
      .split('.')
      .reduce((at, key) => (isOpen(at) ? at[key] : isModern ? undefined : at), from);
  return walk(exports) || (isModern ? walk(exports?.default) : undefined);
}

/** The function that `name` means. Throws errors under Lambda's names. */
export async function loadHandler(taskRoot, name, isModern) {
  const parsed = parseHandlerName(name);
  let exports;
  try {
    exports = await loadModule(taskRoot, parsed, isModern);
  } catch (error) {
    throw importError(error);
  }
  const handler = pick(exports, parsed.exported, isModern);
  if (!handler) throw handlerNotFound(`${name} is undefined or not exported`);
  if (typeof handler !== 'function') throw handlerNotFound(`${name} is not a function`);
  const streaming = handler[STREAMING];
  if (streaming && streaming !== 'response') {
    throw new RuntimeError(
      'Runtime.MalformedStreamingHandler',
      `${name}: streams “${String(streaming)}”, and only a response can be streamed`,
    );
  }
  if (isModern && !streaming && handler.length >= 3) {
    throw new RuntimeError(
      'Runtime.CallbackHandlerDeprecated',
      `${name}: takes a callback, which Lambda no longer gives from Node.js 24 on; return a promise`,
    );
  }
  return handler;
}
