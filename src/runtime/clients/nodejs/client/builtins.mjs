// Node's own modules, not by `import`: that reads every export, and so loads what stands behind them.
const builtin = process.getBuiltinModule;

export const events = builtin('node:events');
export const fs = builtin('node:fs');
export const module = builtin('node:module');
export const net = builtin('node:net');
export const path = builtin('node:path');
export const stream = builtin('node:stream');
export const url = builtin('node:url');
export const util = builtin('node:util');
export const v8 = builtin('node:v8');
