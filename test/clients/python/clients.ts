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

const clientContext = JSON.stringify({
  custom: { k: 'ü' },
  client: { app_title: 't' },
  w3c: {
    traceparent: '00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01',
    tracestate: 5,
    x: 'y',
  },
});

/** `program`: in place of our client. */
export function pythonClient(program?: readonly string[]): ClientUnderTest {
  return {
    name: 'python3.12',
    family: 'python',
    ...(program ? { program } : {}),
    environment: { AWS_EXECUTION_ENV: 'AWS_Lambda_python3.12' },
    shared: (cases) => ({ 'app.py': sharedPython(cases) }),
    headers: { clientContext },
    entryOf: () => 'app.handler',
    groupEnvironment: (group) =>
      group === 'json log' ? { AWS_LAMBDA_LOG_FORMAT: 'JSON', AWS_LAMBDA_LOG_LEVEL: 'INFO' } : {},
  };
}
