import { join } from 'node:path';
import type { ClientUnderTest } from '../driver.ts';
import { sharedFiles } from './table.ts';

/** What Lambda starts Node 22 with: no `require` of ES modules, and no guessing of module syntax. */
export const flagsUntil22 = ['--no-experimental-require-module', '--no-experimental-detect-module'];

function nodeClient(name: string, program: readonly string[]): ClientUnderTest {
  const flags = name === 'nodejs22' ? flagsUntil22 : [];
  return {
    name,
    family: 'nodejs',
    program: [process.execPath, '--disable-warning=ExperimentalWarning', ...flags, ...program],
    environment: { AWS_EXECUTION_ENV: `AWS_Lambda_${name}.x` },
    shared: sharedFiles,
    entryOf: (group) => (group === 'streams' ? 'dispatch.streaming' : 'dispatch.handler'),
    groupEnvironment: (group) =>
      group === 'json log' ? { AWS_LAMBDA_LOG_FORMAT: 'JSON', AWS_LAMBDA_LOG_LEVEL: 'DEBUG' } : {},
  };
}

const bootstrap = join(import.meta.dirname, '../../../src/runtime/clients/nodejs/bootstrap.mjs');

/** Our client, as it takes itself for either runtime. */
export const oursForNode = ['nodejs22', 'nodejs24'].map((name) => nodeClient(name, [bootstrap]));

/** Lambda's own clients: the last that knows callbacks, and the newest. */
export function lambdasForNode(ric: { classic: string; modern: string }): ClientUnderTest[] {
  return [nodeClient('nodejs22', [ric.classic]), nodeClient('nodejs24', [ric.modern])];
}
