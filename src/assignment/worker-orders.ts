import { isSluiceError, type Logger, SluiceError, toSluiceError } from '../base/mod.ts';
import type { StartOrder, WorkerControl } from './types.ts';

export interface OrderEvents {
  ready(sandboxId: string, initFailed: boolean): void;
  died(sandboxId: string, error?: SluiceError): void;
}

interface Start {
  readonly controller: AbortController;
  readonly over: Promise<void>;
}

/** What the leader has its workers do, and the starts and stops under way. */
export class WorkerOrders {
  readonly #logger: Logger;
  readonly #events: OrderEvents;
  readonly #workers = new Map<string, WorkerControl>();
  readonly #starts = new Map<string, Start>();
  readonly #stops = new Set<Promise<void>>();

  constructor(logger: Logger, events: OrderEvents) {
    this.#logger = logger;
    this.#events = events;
  }

  join(worker: WorkerControl): void {
    this.#workers.set(worker.workerId, worker);
  }

  leave(workerId: string): void {
    this.#workers.delete(workerId);
  }

  start(workerId: string, order: StartOrder): void {
    const controller = new AbortController();
    const over = this.#start(workerId, order, controller.signal).finally(() => {
      this.#starts.delete(order.sandboxId);
    });
    this.#starts.set(order.sandboxId, { controller, over });
  }

  async #start(workerId: string, order: StartOrder, signal: AbortSignal): Promise<void> {
    const { sandboxId } = order;
    try {
      const worker = this.#workers.get(workerId);
      if (!worker) {
        throw new SluiceError('SANDBOX_START_FAILED', `${sandboxId}: worker ${workerId} has left`);
      }
      const { initFailed } = await worker.start(order, signal);
      if (!signal.aborted) this.#events.ready(sandboxId, initFailed);
    } catch (error) {
      if (signal.aborted) return;
      if (!isSluiceError(error, 'START_LIMIT_EXCEEDED')) {
        this.#logger.warn({ sandboxId, error }, 'a sandbox did not start');
      }
      this.#events.died(sandboxId, toSluiceError(error, 'SANDBOX_START_FAILED'));
    }
  }

  /** Ends a sandbox, whether it still starts or is up, and tells when nothing of it is left. */
  stop(workerId: string | undefined, sandboxId: string): void {
    const start = this.#starts.get(sandboxId);
    start?.controller.abort(new SluiceError('CANCELLED', `${sandboxId}: is not wanted any more`));
    const worker = workerId === undefined ? undefined : this.#workers.get(workerId);
    if (!worker) return;
    const stop = this.#stop(worker, sandboxId, start).finally(() => this.#stops.delete(stop));
    this.#stops.add(stop);
  }

  async #stop(worker: WorkerControl, sandboxId: string, start: Start | undefined): Promise<void> {
    await start?.over;
    try {
      await worker.stop(sandboxId);
    } catch (error) {
      this.#logger.error({ sandboxId, error }, 'a sandbox did not stop');
    }
    this.#events.died(sandboxId);
  }

  /** Resolves when nothing is left of the sandboxes stopped up to now. */
  async stopped(): Promise<void> {
    await Promise.all(this.#stops);
  }

  async close(): Promise<void> {
    await Promise.all([...this.#starts.values()].map(({ over }) => over));
    await Promise.all(this.#stops);
  }
}
