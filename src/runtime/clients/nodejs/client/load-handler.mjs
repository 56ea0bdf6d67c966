import { existsSync, statSync } from 'node:fs';
import { createRequire } from 'node:module';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { handlerNotFound, importError, malformedHandler } from './errors.mjs';

const extensions = ['', '.js', '.mjs', '.cjs'];

/** `dir/file.export.nested` taken apart. */
function parseHandlerName(name) {
  if (name.includes('..')) {
    throw malformedHandler(
      `'${name}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const [, file, exported] = /^([^.]*)\.(.+)$/.exec(path.basename(name)) ?? [];
  if (!file || !exported) throw malformedHandler('Bad handler');
  return { modulePath: path.join(path.dirname(name), file), exported };
}

const isFile = (file) => existsSync(file) && statSync(file).isFile();

/** The file beside the code; else what Node finds: a directory, a package, a layer's module. */
function resolveModule(taskRoot, modulePath) {
  const beside = path.resolve(taskRoot, modulePath);
  const found = extensions.map((extension) => `${beside}${extension}`).find(isFile);
  if (found) return found;
  const require = createRequire(`${taskRoot}/`);
  try {
    return require.resolve(beside);
  } catch {
    return require.resolve(modulePath);
  }
}

/** Exports of CommonJS stand below `default`, and some of them only there. */
function pick(module, exported) {
  const walk = (root) => exported.split('.').reduce((at, name) => at?.[name], root);
  return walk(module) ?? walk(module.default);
}

/** The function that `name` means. Throws errors under Lambda's names. */
export async function loadHandler(taskRoot, name) {
  const { modulePath, exported } = parseHandlerName(name);
  let module;
  try {
    module = await import(pathToFileURL(resolveModule(taskRoot, modulePath)));
  } catch (error) {
    throw importError(error);
  }
  const handler = pick(module, exported);
  const shown = path.basename(modulePath);
  if (handler === undefined || handler === null) {
    throw handlerNotFound(`${shown}.${exported} is undefined or not exported`);
  }
  if (typeof handler !== 'function') {
    throw handlerNotFound(`${shown}.${exported} is not a function`);
  }
  return handler;
}
