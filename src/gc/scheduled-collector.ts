import { type Clock, isSluiceError, type Logger, type Timer } from '../base/mod.ts';
import type { GarbageCollector } from './garbage-collector.ts';
import type { CollectorStatus } from './reports.ts';

export interface ScheduledCollectorOptions {
  readonly collector: GarbageCollector;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Rejects when state and origin are no longer this region's; asked before every round. */
  readonly isOurs: () => Promise<void>;
  readonly everyMs: number;
  /** How long a root takes what is uploaded before another does, if there is garbage in it. */
  readonly rotateMs: number;
}

/**
 * Collects garbage without an operator: every so often the next step that is due, each with all the
 * waits and checks of a step that an operator runs. It deletes nothing when no manifest is live or a
 * live one is nowhere: then what says what is live is more likely wrong than the origin is.
 */
export class ScheduledCollector {
  readonly #options: ScheduledCollectorOptions;
  #timer: Timer | undefined;
  #running: Promise<void> = Promise.resolve();
  #closed = false;

  constructor(options: ScheduledCollectorOptions) {
    this.#options = options;
    this.#arm();
  }

  /** Resolves when the round under way has ended. */
  async close(): Promise<void> {
    this.#closed = true;
    this.#timer?.cancel();
    await this.#running;
  }

  #arm(): void {
    const { clock, everyMs } = this.#options;
    this.#timer = clock.setTimer(everyMs, () => {
      this.#running = this.#round().finally(() => {
        if (!this.#closed) this.#arm();
      });
    });
  }

  async #round(): Promise<void> {
    const { collector, logger, isOurs } = this.#options;
    try {
      await isOurs();
      const status = await collector.status();
      if (!this.#isPlausible(status)) return;
      if (this.#mayRotate(status)) logger.info({ rootId: await collector.rotate() }, 'gc: rotated');
      await this.#continue(status);
    } catch (error) {
      const stopped = isSluiceError(error, 'DELETION_STOPPED');
      logger.warn({ error }, stopped ? 'gc: deletion is stopped' : 'gc: a round failed');
    }
  }

  async #continue(status: CollectorStatus): Promise<void> {
    const { collector, logger } = this.#options;
    const isThere = (state: string) => status.roots.some((root) => root.state === state);
    if (isThere('retired') || status.deletionStopped) {
      const { manifestsCopied, chunksCopied } = await collector.migrate();
      if (manifestsCopied > 0) logger.info({ manifestsCopied, chunksCopied }, 'gc: migrated');
      const { expired } = await collector.expire();
      if (expired.length > 0) logger.info({ expired }, 'gc: expired');
    }
    if (!isThere('expired')) return;
    const { deleted, objects } = await collector.delete();
    if (deleted.length > 0) logger.info({ deleted, objects }, 'gc: deleted');
  }

  #isPlausible({ roots, lost }: CollectorStatus): boolean {
    const { logger } = this.#options;
    const live = roots.reduce((sum, root) => sum + root.liveManifests, 0);
    const stored = roots.reduce((sum, root) => sum + root.manifests, 0);
    if (lost.length > 0) {
      logger.error({ manifests: lost }, 'gc: live manifests are in no root; nothing is collected');
      return false;
    }
    if (live > 0 || stored === 0) return true;
    logger.warn({ stored }, 'gc: nothing is live; an operator has to collect what is stored');
    return false;
  }

  /** Only where something is to be gained. */
  #mayRotate({ roots }: CollectorStatus): boolean {
    const { clock, rotateMs } = this.#options;
    return roots.some(
      ({ state, sinceMs, manifests, liveManifests }) =>
        state === 'active' &&
        manifests > liveManifests &&
        clock.nowMs() - (sinceMs ?? clock.nowMs()) >= rotateMs,
    );
  }
}
