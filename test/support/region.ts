import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import type { TestContext } from 'node:test';
import { LambdaClient } from '@aws-sdk/client-lambda';
import { parseCredentials } from '../../src/config/mod.ts';
import { repositoryRoot } from '../repo/repository.ts';
import { noteRegion, removeCgroupsOf } from './leftovers.ts';

export interface RunningRegion {
  readonly endpoint: string;
  readonly credentialsFile: string;
  readonly dataDirectory: string;
  readonly process: ChildProcess;
  /** What the region wrote to standard error so far. */
  readonly log: () => string;
  client(): LambdaClient;
  /** The environment in which Debian's aws command reaches this region. */
  awsEnvironment(): NodeJS.ProcessEnv;
  /** SIGTERM; answers the exit status. */
  stop(): Promise<number | null>;
  kill(): Promise<void>;
}

const sluice = join(repositoryRoot, 'bin/sluice');

/** Whether the last region on a data directory was killed, and so left its cgroups. */
const killed = new Map<string, boolean>();
process.once('exit', () => {
  for (const [data, wasKilled] of killed) if (wasKilled) removeCgroupsOf(data);
});

/**
 * Runs `sluice up` on a free port and waits for its ready line; stopped when the test ends.
 * `environment` is added to this process's own.
 */
export async function startRegion(
  t: TestContext | undefined,
  dataDirectory: string,
  flags: readonly string[] = [],
  environment: Readonly<Record<string, string>> = {},
): Promise<RunningRegion> {
  const words = ['up', '--json', '--data', dataDirectory, '--listen', '127.0.0.1:0', ...flags];
  const child = spawn(sluice, words, {
    stdio: ['ignore', 'pipe', 'pipe'],
    env: { ...process.env, ...environment },
  });
  let log = '';
  child.stderr.on('data', (part: Buffer) => {
    log += part.toString();
  });
  noteRegion(dataDirectory);
  const exited = once(child, 'exit');
  child.once('exit', (_, signal) => killed.set(dataDirectory, signal === 'SIGKILL'));
  const lines = createInterface({ input: child.stdout });
  const first = await Promise.race([
    once(lines, 'line').then(([line]) => String(line)),
    exited.then(([status]) => assert.fail(`sluice up ended with ${status}: ${log}`)),
  ]);
  const ready = JSON.parse(first) as Record<string, string>;
  assert.equal(ready['event'], 'ready');
  const endpoint = ready['endpoint'] ?? '';
  const credentialsFile = ready['credentialsFile'] ?? '';
  const [key] = parseCredentials(readFileSync(credentialsFile, 'utf8'), credentialsFile);
  assert.ok(key);
  const end = async (signal: NodeJS.Signals) => {
    if (child.exitCode === null && child.signalCode === null) {
      child.kill(signal);
      await exited;
    }
    return child.exitCode;
  };
  t?.after(() => end('SIGTERM'));
  return {
    endpoint,
    credentialsFile,
    dataDirectory,
    process: child,
    log: () => log,
    client: () =>
      new LambdaClient({ endpoint, region: 'us-east-1', credentials: key, maxAttempts: 1 }),
    awsEnvironment: () => ({
      ...process.env,
      AWS_SHARED_CREDENTIALS_FILE: credentialsFile,
      AWS_CONFIG_FILE: '/dev/null',
      AWS_DEFAULT_REGION: 'us-east-1',
      AWS_PAGER: '',
    }),
    stop: () => end('SIGTERM'),
    kill: async () => {
      await end('SIGKILL');
    },
  };
}

/** The sum of a metric over its labels, as the region's `/metrics` has it now. */
export async function readMetric(region: RunningRegion, name: string): Promise<number> {
  const text = await (await fetch(`${region.endpoint}/metrics`)).text();
  return text
    .split('\n')
    .filter((line) => line.startsWith(`${name}{`) || line.startsWith(`${name} `))
    .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
