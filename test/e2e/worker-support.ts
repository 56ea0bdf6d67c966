import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, realpathSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import type { TestContext } from 'node:test';
import { sharedLibraries } from '../../examples/demo/host-files.ts';
import { AssignmentService, versionRef } from '../../src/assignment/mod.ts';
import { noLogger, systemClock, systemRandom } from '../../src/base/mod.ts';
import { type Invocation, RuntimeApi } from '../../src/runtime/mod.ts';
import {
  type InvokeOutcome,
  type LogLine,
  type SandboxTemplate,
  Worker,
} from '../../src/worker/mod.ts';
import { repositoryRoot } from '../repo/repository.ts';
import { makeFactory } from './sandbox-support.ts';

export const WORKER_NEEDS = ['root', 'loop', 'cgroup', 'tool:mke2fs'] as const;

/** A disk with this machine's Node, the demonstration's runtime client, and one handler module. */
export function makeNodeDisk(
  directory: string,
  handler: string,
  extensions: Readonly<Record<string, string>> = {},
): string {
  const root = join(directory, 'root');
  const place = (source: string, target: string) => {
    mkdirSync(dirname(join(root, target)), { recursive: true });
    cpSync(source, join(root, target));
  };
  const node = realpathSync(process.execPath);
  for (const { source, target } of sharedLibraries(node)) place(source, target);
  place(node, '/usr/bin/node');
  place(join(repositoryRoot, 'examples/demo/image/bootstrap.mjs'), '/var/runtime/bootstrap.mjs');
  mkdirSync(join(root, 'var/task'), { recursive: true });
  writeFileSync(join(root, 'var/task/app.mjs'), handler);
  for (const [name, script] of Object.entries(extensions)) {
    mkdirSync(join(root, 'opt/extensions'), { recursive: true });
    writeFileSync(join(root, 'opt/extensions', name), script, { mode: 0o755 });
  }
  const disk = join(directory, 'disk.ext4');
  const format = ['-q', '-F', '-t', 'ext4', '-b', '4096', '-O', '^has_journal', '-d', root, disk];
  execFileSync('mke2fs', [...format, '256M'], { stdio: 'ignore' });
  return disk;
}

export function templateOf(more: Partial<SandboxTemplate> = {}): SandboxTemplate {
  return {
    functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:f',
    functionName: 'f',
    version: '$LATEST',
    revision: '1',
    accountId: '000000000000',
    region: 'us-east-1',
    manifestId: 'm',
    memoryMb: 1769,
    timeoutMs: 10_000,
    ephemeralMb: 512,
    environment: {},
    imageEnvironment: {},
    entrypoint: ['/usr/bin/node', '/var/runtime/bootstrap.mjs'],
    command: ['app.handler'],
    workingDirectory: '/var/task',
    logGroup: '/aws/lambda/f',
    ...more,
  };
}

/** What an invoke may have of its own. */
export interface TestInvoke extends Invocation {
  readonly template: SandboxTemplate;
}

export interface TestCompute {
  readonly assignment: AssignmentService;
  readonly lines: LogLine[];
  invoke(event: unknown, more?: Partial<TestInvoke>): Promise<InvokeOutcome>;
}

/** Assignment, worker, Runtime API and lean sandboxes on one disk, all real. */
export async function makeCompute(t: TestContext, disk: string): Promise<TestCompute> {
  const { provider: sandboxes } = await makeFactory(t);
  const lines: LogLine[] = [];
  const templates = new Map<string, SandboxTemplate>();
  const worker = new Worker({
    devices: {
      open: async () => ({
        path: disk,
        started: async () => {},
        close: async () => {},
        stats: async () => ({ bytesFetched: 0, chunksFetched: 0, failedReads: 0 }),
      }),
    },
    templates: { find: async ({ key }) => templates.get(key) ?? assert.fail(key) },
    sandboxes,
    runtimeApis: (sandbox) => new RuntimeApi({ clock: systemClock, random: systemRandom, sandbox }),
    logs: { write: (line) => lines.push(line) },
    clock: systemClock,
    random: systemRandom,
    logger: noLogger,
  });
  const assignment = new AssignmentService({
    placer: { place: async () => ({ workerId: worker.workerId }) },
    clock: systemClock,
    random: systemRandom,
    logger: noLogger,
  });
  assignment.join(worker);
  worker.listen(assignment);
  t.after(async () => {
    await assignment.close();
    await worker.close();
  });
  const allowance = { account: 1000, reservedTotal: 0 };
  const invoke = async (event: unknown, more: Partial<TestInvoke> = {}) => {
    const { template = templateOf(), ...given } = more;
    const { functionArn, accountId, revision, memoryMb } = template;
    const versionArn = `${functionArn}:${template.version}`;
    const version = versionRef({ versionArn, functionArn, accountId, revision, memoryMb });
    templates.set(version.key, template);
    const lease = await assignment.acquire({ version, allowance });
    return worker.invoke(lease, {
      requestId: systemRandom.uuid(),
      payload: Buffer.from(JSON.stringify(event)),
      invokedFunctionArn: functionArn,
      logTail: false,
      ...given,
    });
  };
  return { assignment, lines, invoke };
}
