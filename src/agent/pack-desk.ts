import { assert, type Clock, type Random, Semaphore, SluiceError } from '../base/mod.ts';
import type { BuiltPack, LoopCommand, LoopReport, PageRun } from '../device/mod.ts';
import { type ManifestHeader, packKey } from '../seal/mod.ts';
import { buildPack, type PackedDisk } from './pack-builder.ts';

export interface PackDeskOptions {
  readonly command: (command: LoopCommand) => void;
  readonly clock: Clock;
  readonly random: Random;
}

interface Asked {
  readonly resolve: (pages: Uint8Array) => void;
  readonly reject: (error: unknown) => void;
}

/**
 * Makes start packs in an agent's first thread, one at a time: the loop's thread gives the pages of
 * a disk that it shows, frame by frame, so that reads go on in between.
 */
export class PackDesk {
  readonly #options: PackDeskOptions;
  readonly #disks = new Map<string, PackedDisk>();
  readonly #asked = new Map<number, Asked>();
  readonly #one = new Semaphore(1);
  /** Below those of the worker's requests. */
  #lastId = 0;

  constructor(options: PackDeskOptions) {
    this.#options = options;
  }

  /** A device opens: keeps the key of its disk's pack. */
  opened(deviceId: string, header: ManifestHeader, rootId: string, dataKey: Uint8Array): void {
    const { manifestId, accountId } = header;
    this.#disks.set(deviceId, {
      manifestId,
      accountId,
      rootId,
      key: packKey(dataKey, manifestId),
    });
  }

  closed(deviceId: string): void {
    this.#disks.get(deviceId)?.key.fill(0);
    this.#disks.delete(deviceId);
  }

  /** Rejects with `DEVICE_CLOSED`, also when the device closes meanwhile. */
  async pack(deviceId: string, runs: readonly PageRun[]): Promise<BuiltPack> {
    const { clock, random } = this.#options;
    return await this.#one.run(async () => {
      const disk = this.#disks.get(deviceId);
      if (!disk) throw new SluiceError('DEVICE_CLOSED', `${deviceId}: not open`);
      // A copy: the device may close, and its key be overwritten, while the pack is made.
      const key = Buffer.from(disk.key);
      const readPages = (frame: readonly PageRun[]) => this.#pages(deviceId, frame);
      try {
        return await buildPack({ ...disk, key }, runs, { readPages, clock, random });
      } finally {
        key.fill(0);
      }
    });
  }

  /** Takes the loop's answers to what was asked here; false for the worker's. */
  heard(report: Extract<LoopReport, { type: 'answer' | 'refusal' }>): boolean {
    const asked = this.#asked.get(report.id);
    if (!asked) return false;
    this.#asked.delete(report.id);
    if (report.type === 'refusal') {
      asked.reject(SluiceError.of(report.failure));
      return true;
    }
    assert(report.pages !== undefined, 'who asks for pages is answered with pages');
    asked.resolve(report.pages);
    return true;
  }

  #pages(deviceId: string, runs: readonly PageRun[]): Promise<Uint8Array> {
    const id = --this.#lastId;
    return new Promise((resolve, reject) => {
      this.#asked.set(id, { resolve, reject });
      this.#options.command({ type: 'pages', id, deviceId, runs });
    });
  }
}
