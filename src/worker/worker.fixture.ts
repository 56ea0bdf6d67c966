import assert from 'node:assert/strict';
import { createServer, type Server, type Socket } from 'node:net';
import { PassThrough } from 'node:stream';
import type { TestContext } from 'node:test';
import {
  type Lease,
  type LeaseOutcome,
  type LeaseRef,
  versionRef,
  type WorkerListener,
} from '../assignment/mod.ts';
import {
  type Clock,
  type ErrorCode,
  noLogger,
  SeededRandom,
  systemClock,
  VirtualClock,
} from '../base/mod.ts';
import type {
  Sandbox,
  SandboxExit,
  SandboxOwner,
  SandboxProvider,
  SandboxRemains,
  SandboxSpec,
} from '../isolation/mod.ts';
import type {
  InitOutcome,
  Invocation,
  RuntimeOutcome,
  SandboxRuntimeApi,
  ShutdownReason,
} from '../runtime/mod.ts';
import type { SandboxTemplate } from './template.ts';
import type { InvokeOutcome, LogLine } from './types.ts';
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

export const version = versionRef({
  versionArn: `${template.functionArn}:$LATEST`,
  functionArn: template.functionArn,
  accountId: template.accountId,
  revision: template.revision,
  memoryMb: template.memoryMb,
});

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
  readonly #clock: Clock;
  readonly #remains: Set<SandboxRemains>;
  readonly #exited = Promise.withResolvers<void>();
  readonly ended = this.#exited.promise;
  #ended = false;
  readonly #ready = Promise.withResolvers<InitOutcome>();
  readonly ready = this.#ready.promise;
  readonly spec: SandboxSpec;
  events: Invocation[] = [];
  handler: (event: Invocation) => Promise<RuntimeOutcome> = async (event) => ({
    kind: 'response',
    body: event.payload,
    contentType: 'application/json',
  });
  whenSettled: () => Promise<void> = () => Promise.resolve();
  stops = 0;
  /** As last limited, after what the spec began with. */
  cpuMillis: number | undefined;

  /** Of its remains, `remains` has those that are neither started on nor discarded. */
  constructor(
    spec: SandboxSpec,
    owner: SandboxOwner,
    clock: Clock,
    remains = new Set<SandboxRemains>(),
  ) {
    this.spec = spec;
    this.#remains = remains;
    this.#owner = owner;
    this.#clock = clock;
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
    this.#exited.resolve();
  }

  attach(): void {}

  async invoke(event: Invocation): Promise<RuntimeOutcome> {
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
    isHeard: true,
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
    await this.#clock.sleep(5);
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

  async reset(): Promise<SandboxRemains> {
    await this.stop();
    const remains = { isolation: 'fake', discard: async () => void this.#remains.delete(remains) };
    this.#remains.add(remains);
    return remains;
  }
}

/** A sandbox as its worker's leader has it, with a new lease for each invoke. */
export interface StartedSandbox {
  readonly initFailed: boolean;
  /** `settled` becomes `false` if the sandbox ends instead. */
  invoke(invocation: Invocation): { answer: Promise<InvokeOutcome>; settled: Promise<boolean> };
  readonly ended: Promise<void>;
  stop(): Promise<void>;
}

export const leaseOf = (sandboxId: string, leaseId: number, term = 1): Lease => ({
  ...{ leaseId, term, workerId: 'local', workerAddress: '', sandboxId, version },
  ...{ coldStart: false, pool: 'unreserved' },
});

/** Hears what a worker says of its sandboxes. */
class Ear implements WorkerListener {
  readonly #ended = new Map<string, PromiseWithResolvers<void>>();
  readonly #settled = new Map<number, () => void>();

  endOf(sandboxId: string): PromiseWithResolvers<void> {
    const known = this.#ended.get(sandboxId) ?? Promise.withResolvers<void>();
    this.#ended.set(sandboxId, known);
    return known;
  }

  settledOf(leaseId: number): Promise<boolean> {
    return new Promise((resolve) => this.#settled.set(leaseId, () => resolve(true)));
  }

  release({ leaseId }: LeaseRef, outcome: LeaseOutcome): void {
    if (outcome === 'settled') this.#settled.get(leaseId)?.();
  }

  ended(sandboxId: string): void {
    this.endOf(sandboxId).resolve();
  }

  reported(): void {}
}

export interface Bench {
  readonly worker: Worker;
  readonly sandboxes: FakeSandbox[];
  readonly lines: LogLine[];
  readonly devices: { opened: number; closed: number };
  /** What reads of the disk of a sandbox met. */
  readonly disk: { failedReads: number; lastFailure: ErrorCode };
  readonly keys: { issued: number; revoked: number };
  /** What sandboxes that were reset left, until it is used or discarded. */
  readonly remains: ReadonlySet<SandboxRemains>;
  start(sandboxId?: string): Promise<StartedSandbox>;
}

export interface BenchOptions {
  readonly initTimeoutMs?: number;
  readonly coldStartsAtOnce?: number;
  readonly freezeAfterMs?: number;
  /** Of the version's code. */
  readonly warnings?: readonly string[];
  /** A virtual one for tests of what time does; the system's unless given. */
  readonly clock?: VirtualClock;
}

export function bench(
  t: TestContext,
  onStart: (sandbox: FakeSandbox) => void = (sandbox) => sandbox.initDone(),
  options: BenchOptions = {},
): Bench {
  const clock = options.clock ?? systemClock;
  const sandboxes: FakeSandbox[] = [];
  const lines: LogLine[] = [];
  const devices = { opened: 0, closed: 0 };
  const disk: Bench['disk'] = { failedReads: 0, lastFailure: 'CHUNK_CORRUPT' };
  const keys = { issued: 0, revoked: 0 };
  const remains = new Set<SandboxRemains>();
  const provider: SandboxProvider = {
    isolation: 'fake',
    restore: refused,
    start: async (spec, owner, left) => {
      if (left) assert.ok(remains.delete(left), 'remains are started on once');
      const sandbox = new FakeSandbox(spec, owner, clock, remains);
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
          stats: async () => ({ bytesFetched: 4096, chunksFetched: 1, ...disk }),
        };
      },
    },
    templates: { find: async () => ({ ...template, warnings: options.warnings }) },
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
    random: new SeededRandom(1),
    logger: noLogger,
    ...options,
    clock,
  });
  t.after(async () => {
    const closed = worker.close();
    await (clock instanceof VirtualClock ? clock.until(closed) : closed);
    assert.equal(worker.sandboxes, 0);
    assert.equal(devices.closed, devices.opened, 'every device that was opened is closed');
    assert.equal(remains.size, 0, 'nothing remains of a sandbox that has ended');
    assert.equal(keys.revoked, keys.issued, 'no key outlives its sandbox');
  });
  const ear = new Ear();
  worker.listen(ear);
  const { signal } = new AbortController();
  let leases = 0;
  const start = async (sandboxId = 'sb-1'): Promise<StartedSandbox> => {
    const order = { sandboxId, version, initializationType: 'on-demand', term: 1 } as const;
    const { initFailed } = await worker.start(order, signal);
    const ended = ear.endOf(sandboxId).promise;
    return {
      initFailed,
      ended,
      stop: () => worker.stop(sandboxId),
      invoke: (invocation) => {
        const lease = leaseOf(sandboxId, ++leases);
        const settled = Promise.race([ear.settledOf(lease.leaseId), ended.then(() => false)]);
        return { answer: worker.invoke(lease, invocation), settled };
      },
    };
  };
  return { worker, sandboxes, lines, devices, disk, keys, remains, start };
}

/** The bench on a virtual clock: what is awaited through `within` takes as much time as it needs. */
export function timed(
  t: TestContext,
  onStart?: (sandbox: FakeSandbox) => void,
  options?: BenchOptions,
) {
  const clock = new VirtualClock(1_763_700_000_000);
  const within = <T>(work: Promise<T>) => clock.until(work);
  return { ...bench(t, onStart, { ...options, clock }), clock, within };
}

export const invokeOf = (more: Partial<Invocation> = {}): Invocation => ({
  requestId: 'r-1',
  payload: Buffer.from('{"a":1}'),
  invokedFunctionArn: template.functionArn,
  logTail: false,
  ...more,
});

export const textOf = (payload: Buffer) =>
  JSON.parse(payload.toString()) as Record<string, unknown>;
