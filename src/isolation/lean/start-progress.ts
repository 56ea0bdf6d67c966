import { type Clock, SluiceError } from '../../base/mod.ts';

/** How far the start of one sandbox has come, as its launcher reports it. */
export class StartProgress {
  /** When its parts were done, by the clock's monotonic milliseconds. */
  readonly milestones: { servedMs?: number; mountedMs?: number; startedMs?: number } = {};
  /** The entrypoint runs, or the extensions if there are any. */
  readonly started = Promise.withResolvers<void>();
  readonly served = Promise.withResolvers<void>();
  readonly initPid = Promise.withResolvers<number>();
  readonly entrypoint = Promise.withResolvers<void>();
  readonly #sandboxId: string;
  readonly #clock: Clock;

  constructor(sandboxId: string, clock: Clock) {
    this.#sandboxId = sandboxId;
    this.#clock = clock;
    for (const { promise } of this.#parts()) promise.catch(() => {});
  }

  get entrypointStarted(): boolean {
    return this.milestones.startedMs !== undefined;
  }

  diskMounted(): void {
    this.milestones.mountedMs = this.#clock.monotonicMs();
  }

  entrypointRuns(): void {
    this.milestones.startedMs = this.#clock.monotonicMs();
    this.started.resolve();
    this.entrypoint.resolve();
  }

  serves(): void {
    this.milestones.servedMs = this.#clock.monotonicMs();
    this.served.resolve();
  }

  /** What is not done by now never will be. */
  fail(error: unknown): void {
    for (const part of this.#parts()) part.reject(error);
  }

  refuse(what: string, spawnerLost = false): void {
    const sandboxId = this.#sandboxId;
    const data = { sandboxId, step: 'start', spawnerLost };
    this.fail(new SluiceError('SANDBOX_START_FAILED', `${sandboxId}: ${what}`, { data }));
  }

  #parts(): { readonly promise: Promise<unknown>; reject(error: unknown): void }[] {
    return [this.started, this.served, this.initPid, this.entrypoint];
  }
}
