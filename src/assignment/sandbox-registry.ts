import { isSluiceError, type Logger, type SluiceError, toSluiceError } from '../base/mod.ts';
import type { HostedSandbox, InitializationType, SandboxHost, SandboxTemplate } from './types.ts';

interface Entry {
  readonly sandbox: HostedSandbox;
  lent: boolean;
}

export interface RegistryEvents {
  started(sandboxId: string, initFailed: boolean): void;
  startFailed(sandboxId: string, error: SluiceError): void;
  ended(sandboxId: string): void;
}

/** The sandboxes behind the state machine's ids, and the starts and stops under way. */
export class SandboxRegistry {
  readonly #host: SandboxHost;
  readonly #logger: Logger;
  readonly #events: RegistryEvents;
  readonly #entries = new Map<string, Entry>();
  readonly #starting = new Map<string, AbortController>();
  readonly #starts = new Set<Promise<void>>();
  readonly #stops = new Set<Promise<void>>();

  constructor(host: SandboxHost, logger: Logger, events: RegistryEvents) {
    this.#host = host;
    this.#logger = logger;
    this.#events = events;
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The sandbox, for a lease, and whether this is its first. */
  lease(sandboxId: string): { sandbox: HostedSandbox; first: boolean } | undefined {
    const entry = this.#entries.get(sandboxId);
    if (!entry) return undefined;
    const first = !entry.lent;
    entry.lent = true;
    return { sandbox: entry.sandbox, first };
  }

  start(
    sandboxId: string,
    template: SandboxTemplate,
    initializationType: InitializationType,
  ): void {
    const controller = new AbortController();
    this.#starting.set(sandboxId, controller);
    const { signal } = controller;
    const options = { sandboxId, initializationType, signal };
    const start = this.#host
      .start(template, options)
      .then(
        (sandbox) => this.#started(sandbox, signal),
        (error) => {
          if (signal.aborted) return;
          if (!isSluiceError(error, 'START_LIMIT_EXCEEDED')) {
            this.#logger.warn({ sandboxId, error }, 'a sandbox did not start');
          }
          this.#events.startFailed(sandboxId, toSluiceError(error, 'SANDBOX_START_FAILED'));
        },
      )
      .finally(() => {
        this.#starting.delete(sandboxId);
        this.#starts.delete(start);
      });
    this.#starts.add(start);
  }

  #started(sandbox: HostedSandbox, signal: AbortSignal): void {
    const { sandboxId } = sandbox;
    this.#entries.set(sandboxId, { sandbox, lent: false });
    if (signal.aborted) {
      this.stop(sandboxId);
      return;
    }
    void sandbox.ended.then(() => {
      if (!this.#entries.has(sandboxId)) return;
      this.stop(sandboxId);
      this.#events.ended(sandboxId);
    });
    this.#events.started(sandboxId, sandbox.initFailed);
  }

  /** Ends a sandbox, whether it still starts or is up. */
  stop(sandboxId: string): void {
    this.#starting.get(sandboxId)?.abort();
    const entry = this.#entries.get(sandboxId);
    if (!entry) return;
    this.#entries.delete(sandboxId);
    const stop = entry.sandbox
      .stop()
      .catch((error) => this.#logger.error({ sandboxId, error }, 'a sandbox did not stop'))
      .finally(() => this.#stops.delete(stop));
    this.#stops.add(stop);
  }

  /** Resolves when nothing is left of the sandboxes stopped up to now. */
  async stopped(): Promise<void> {
    await Promise.all(this.#stops);
  }

  async close(): Promise<void> {
    for (const sandboxId of [...this.#entries.keys(), ...this.#starting.keys()]) {
      this.stop(sandboxId);
    }
    await Promise.all(this.#starts);
    await Promise.all(this.#stops);
  }
}
