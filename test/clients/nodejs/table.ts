import type { ClientCase } from '../case.ts';
import { callbacks } from './callbacks.ts';
import { ending } from './ending.ts';
import { loading } from './loading.ts';
import { results } from './results.ts';
import { streams } from './streams.ts';
import { surroundings } from './surroundings.ts';

/** Every handler that Lambda's Node clients and ours are compared over. */
export const nodeCases: readonly ClientCase[] = [
  ...results,
  ...callbacks,
  ...surroundings,
  ...streams,
  ...loading,
  ...ending,
];

/** The files of a process that runs the handlers of a group by the event's `case`. */
export function sharedFiles(cases: readonly ClientCase[]): Record<string, string> {
  const handlers = cases.map(({ name, handler }) => `${JSON.stringify(name)}: ${handler},\n`);
  return {
    'handlers.js': `module.exports = {\n${handlers.join('')}};\n`,
    'dispatch.js': `const handlers = require('./handlers.js');
const choose = (...given) => {
  process.stdout.write('\\u0001' + given[0].case + '\\n');
  return handlers[given[0].case](...given);
};
exports.handler = choose;
exports.streaming = awslambda.streamifyResponse((...given) => choose(...given));
`,
  };
}
