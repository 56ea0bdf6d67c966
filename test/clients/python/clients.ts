import type { ClientCase } from '../case.ts';
import type { ClientUnderTest } from '../driver.ts';
import { pythonResults, sharedPython } from './results.ts';
import { pythonSurroundings } from './surroundings.ts';

/**
 * Every handler that Lambda's Python client and ours are compared over. What Lambda's did is recorded,
 * from its published source (bootstrap, context and marshaller) on simplejson 3.18 and Python 3.11,
 * with its native part, which only speaks HTTP, replaced.
 */
export const pythonCases: readonly ClientCase[] = [...pythonResults, ...pythonSurroundings];

/** `program`: in place of our client. */
export function pythonClient(program?: readonly string[]): ClientUnderTest {
  return {
    name: 'python3.12',
    family: 'python',
    ...(program ? { program } : {}),
    environment: { AWS_EXECUTION_ENV: 'AWS_Lambda_python3.12' },
    shared: (cases) => ({ 'app.py': sharedPython(cases) }),
    entryOf: () => 'app.handler',
    groupEnvironment: (group) =>
      group === 'json log' ? { AWS_LAMBDA_LOG_FORMAT: 'JSON', AWS_LAMBDA_LOG_LEVEL: 'INFO' } : {},
  };
}
