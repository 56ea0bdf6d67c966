import { module, path, url } from './builtins.mjs';

const { pathToFileURL } = url;

const isBare = (specifier) => !/^(?:[./]|[a-z][a-z\d+.-]*:)/i.test(specifier);
const notFound = new Set(['ERR_MODULE_NOT_FOUND', 'MODULE_NOT_FOUND']);

/**
 * Lets `import` find packages where `require` finds them: in the directories of NODE_PATH, which is
 * where layers and the runtime put theirs. What stands beside the code goes first.
 */
export function resolveFromLayers(nodePath) {
  const directories = (nodePath ?? '').split(path.delimiter).filter(Boolean);
  if (directories.length === 0 || module.registerHooks === undefined) return;
  const roots = directories
    .filter((directory) => path.basename(directory) === 'node_modules')
    .map((directory) => pathToFileURL(path.join(path.dirname(directory), 'any.mjs')).href);
  module.registerHooks({
    resolve(specifier, context, next) {
      try {
        return next(specifier, context);
      } catch (error) {
        if (!isBare(specifier) || !notFound.has(error?.code)) throw error;
        if (!context.conditions?.includes('import')) throw error;
        return fromRoots(specifier, context, next, roots) ?? fromRequire(specifier) ?? raise(error);
      }
    },
  });
}

function fromRoots(specifier, context, next, roots) {
  for (const parentURL of roots) {
    try {
      return next(specifier, { ...context, parentURL });
    } catch (error) {
      if (!notFound.has(error?.code)) throw error;
    }
  }
  return undefined;
}

const require = module.createRequire(import.meta.url);

/** Directories of NODE_PATH that are no `node_modules`. */
function fromRequire(specifier) {
  try {
    return { url: pathToFileURL(require.resolve(specifier)).href, shortCircuit: true };
  } catch {
    return undefined;
  }
}

function raise(error) {
  throw error;
}
