import { type Clock, type Logger, limits, type Timer } from '../base/mod.ts';
import type { ManifestUse } from '../origin/mod.ts';

export interface OpenManifestsOptions {
  readonly use: ManifestUse;
  readonly clock: Clock;
  readonly logger: Logger;
  /** `limits.agent.noteUseMs` unless given. */
  readonly everyMs?: number | undefined;
}

interface Opened {
  readonly rootId: string;
  readonly manifestId: string;
}

/**
 * Which manifests a process's devices show. L1 and L2 answer reads without the origin's knowledge,
 * so it is told, again and again, what is open; a root that something is read from isn't deleted.
 */
export class OpenManifests {
  readonly #options: OpenManifestsOptions;
  readonly #byDevice = new Map<string, Opened>();
  #timer: Timer | undefined;

  constructor(options: OpenManifestsOptions) {
    this.#options = options;
    this.#arm();
  }

  has(deviceId: string): boolean {
    return this.#byDevice.has(deviceId);
  }

  add(deviceId: string, opened: Opened): void {
    this.#byDevice.set(deviceId, opened);
  }

  /** Answers the manifest that no device shows any more, if the device was its last. */
  remove(deviceId: string): string | undefined {
    const manifestId = this.#byDevice.get(deviceId)?.manifestId;
    this.#byDevice.delete(deviceId);
    for (const other of this.#byDevice.values()) {
      if (other.manifestId === manifestId) return undefined;
    }
    return manifestId;
  }

  close(): void {
    this.#timer?.cancel();
  }

  #arm(): void {
    const { clock, everyMs = limits.agent.noteUseMs } = this.#options;
    this.#timer = clock.setTimer(everyMs, () => void this.#noteAll().finally(() => this.#arm()));
  }

  async #noteAll(): Promise<void> {
    const { use, logger } = this.#options;
    const each = new Map(
      [...this.#byDevice.values()].map((opened) => [
        `${opened.rootId}/${opened.manifestId}`,
        opened,
      ]),
    );
    for (const { rootId, manifestId } of each.values()) {
      try {
        await use.noteUse(rootId, manifestId);
      } catch (error) {
        logger.warn({ rootId, manifestId, error }, 'the origin could not be told what is read');
      }
    }
  }
}
