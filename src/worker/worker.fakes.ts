import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import type { HostedSandbox, SandboxInvoke, SandboxTemplate } from '../assignment/mod.ts';
import { noLogger, SeededRandom, systemClock } from '../base/mod.ts';
import type {
  Sandbox,
  SandboxExit,
  SandboxOwner,
  SandboxProvider,
  SandboxSpec,
} from '../isolation/mod.ts';
import type {
  InitOutcome,
  RuntimeEvent,
  RuntimeOutcome,
  SandboxRuntimeApi,
  ShutdownReason,
} from '../runtime/mod.ts';
import type { LogLine } from './types.ts';
import { Worker } from './worker.ts';

export const template: SandboxTemplate = {
  functionArn: 'arn:aws:lambda:us-east-1:000000000000:function:f',
  functionName: 'f',
  version: '$LATEST',
  revision: '1',
  accountId: '000000000000',
  region: 'us-east-1',
  manifestId: 'm',
  memoryMb: 128,
  timeoutMs: 300,
  ephemeralMb: 512,
  environment: { MINE: '1' },
  imageEnvironment: { PATH: '/bin' },
  entrypoint: ['/bootstrap'],
  command: ['app.handler'],
  workingDirectory: '',
  logGroup: '/aws/lambda/f',
};

export const exitOf = (exitCode: number | null, signal: string | null = null): SandboxExit => ({
  exitCode,
  signal,
  oomKilled: false,
});

const refused = () => Promise.reject(new Error('not in these tests'));

/** A sandbox without processes, whose runtime does what a test tells it to. */
export class FakeSandbox implements Sandbox, SandboxRuntimeApi {
  readonly sandboxId: string;
  readonly runtimeApi: Server = createServer();
  readonly stdout = new PassThrough();
  readonly stderr = new PassThrough();
  readonly #owner: SandboxOwner;
  #ended = false;
  readonly #ready = Promise.withResolvers<InitOutcome>();
  readonly ready = this.#ready.promise;
  readonly spec: SandboxSpec;
  events: RuntimeEvent[] = [];
  handler: (event: RuntimeEvent) => Promise<RuntimeOutcome> = async (event) => ({
    kind: 'response',
    body: event.payload,
    contentType: 'application/json',
  });
  whenSettled: () => Promise<void> = () => Promise.resolve();
  stops = 0;
  /** As last limited, after what the spec began with. */
  cpuMillis: number | undefined;

  constructor(spec: SandboxSpec, owner: SandboxOwner) {
    this.spec = spec;
    this.#owner = owner;
    this.sandboxId = spec.identity.sandboxId;
  }

  initDone(outcome: InitOutcome = { kind: 'ready' }): void {
    this.#ready.resolve(outcome);
  }

  exit(exit: SandboxExit): void {
    this.stdout.end();
    this.stderr.end();
    if (!this.#ended) this.#owner.onEvent({ kind: 'exited', exit });
    this.#ended = true;
  }

  attach(): void {}

  async invoke(event: RuntimeEvent): Promise<RuntimeOutcome> {
    await this.ready;
    assert.ok(!this.frozen, 'a frozen runtime takes no event');
    this.events.push(event);
    return this.handler(event);
  }

  settled(): Promise<void> {
    return this.whenSettled();
  }

  readonly externalExtensions: string[] = [];
  readonly extensionOutput = undefined;
  /** Why extensions were told of the end, each time that they were. */
  readonly shutdowns: ShutdownReason[] = [];
  terminated = 0;
  readonly emitted: { readonly type: string; readonly record: unknown }[] = [];
  readonly extensions = {
    count: 0,
    registered: Promise.resolve(),
    shutdown: (reason: ShutdownReason): string[] => {
      this.shutdowns.push(reason);
      return this.externalExtensions;
    },
  };
  readonly telemetry = {
    emit: (event: { readonly type: string; readonly record: unknown }) => {
      this.emitted.push(event);
    },
    flush: async () => {},
  };

  extensionEnded(message: string, errorType: string): void {
    this.#ready.resolve({ kind: 'broken', message, errorType });
  }

  async startEntrypoint(): Promise<void> {}

  async terminate(): Promise<void> {
    this.terminated++;
  }

  connect(): Promise<Socket> {
    return Promise.reject(new Error('nothing listens'));
  }

  close(): void {}
  frozen = false;

  async freeze(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 5));
    this.frozen = true;
  }

  async thaw(): Promise<void> {
    assert.ok(this.frozen, 'only what is frozen is thawed');
    this.frozen = false;
  }

  limitCpu(cpuMillis: number): void {
    this.cpuMillis = cpuMillis;
  }

  async peakMemoryBytes(): Promise<number> {
    return 37 * 1024 * 1024 - 5;
  }

  capture = refused;
  fork = refused;

  async stop(): Promise<void> {
    this.stops++;
    this.exit(exitOf(null, 'SIGKILL'));
  }
}

export interface Bench {
  readonly worker: Worker;
  readonly sandboxes: FakeSandbox[];
  readonly lines: LogLine[];
  readonly devices: { opened: number; closed: number };
  readonly keys: { issued: number; revoked: number };
  start(id?: string): Promise<HostedSandbox>;
}

export function bench(
  t: TestContext,
  onStart: (sandbox: FakeSandbox) => void = (sandbox) => sandbox.initDone(),
  options: { initTimeoutMs?: number; coldStartsAtOnce?: number; freezeAfterMs?: number } = {},
): Bench {
  const sandboxes: FakeSandbox[] = [];
  const lines: LogLine[] = [];
  const devices = { opened: 0, closed: 0 };
  const keys = { issued: 0, revoked: 0 };
  const provider: SandboxProvider = {
    isolation: 'fake',
    restore: refused,
    start: async (spec, owner) => {
      const sandbox = new FakeSandbox(spec, owner);
      sandboxes.push(sandbox);
      onStart(sandbox);
      return sandbox;
    },
  };
  const worker = new Worker({
    devices: {
      open: async () => {
        devices.opened++;
        return {
          path: '/disk',
          started: async () => {},
          close: async () => void devices.closed++,
          stats: async () => ({ bytesFetched: 4096, chunksFetched: 1 }),
        };
      },
    },
    sandboxes: provider,
    runtimeApis: () => sandboxes.at(-1) as FakeSandbox,
    logs: { write: (line) => lines.push(line) },
    credentials: {
      issue: () => {
        keys.issued++;
        return {
          environment: { AWS_ACCESS_KEY_ID: `key-${keys.issued}` },
          revoke: () => void keys.revoked++,
        };
      },
    },
    clock: systemClock,
    random: new SeededRandom(1),
    logger: noLogger,
    ...options,
  });
  t.after(async () => {
    await worker.close();
    assert.equal(worker.sandboxes, 0);
    assert.equal(devices.closed, devices.opened, 'every device that was opened is closed');
    assert.equal(keys.revoked, keys.issued, 'no key outlives its sandbox');
  });
  const signal = new AbortController().signal;
  const start = (sandboxId = 'sb-1') =>
    worker.start(template, { sandboxId, initializationType: 'on-demand', signal });
  return { worker, sandboxes, lines, devices, keys, start };
}

export const invokeOf = (more: Partial<SandboxInvoke> = {}): SandboxInvoke => ({
  requestId: 'r-1',
  payload: Buffer.from('{"a":1}'),
  invokedFunctionArn: template.functionArn,
  logTail: false,
  ...more,
});

export const textOf = (payload: Buffer) =>
  JSON.parse(payload.toString()) as Record<string, unknown>;
