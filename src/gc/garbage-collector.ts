import { type Clock, type Counter, limits, type Meter, noMeter, SluiceError } from '../base/mod.ts';
import type {
  CollectedAlarm,
  CollectedOrigin,
  CollectedState,
  LiveManifests,
} from './collected-origin.ts';
import { Inventory } from './inventory.ts';
import { Migration, type MigrationProgress, type MigrationReport } from './migration.ts';
import type {
  CollectorStatus,
  DeleteReport,
  ExpireReport,
  ReferencedRoot,
  RootReport,
  WaitingRoot,
} from './reports.ts';

export interface CollectorOptions {
  readonly clock: Clock;
  readonly meter?: Meter;
  /** Rejects when the origin is no longer this region's; asked before each batch of deletions. */
  readonly mayDelete?: () => Promise<void>;
  /** How long a root stays retired, and expired, at least; `limits.gc` when left out. */
  readonly settleMs?: number;
  readonly dwellMs?: number;
}

/**
 * Garbage collection by roots (ATC'23 section 3.4): a new root takes what is uploaded, what is live
 * is copied to it, and an old root goes as a whole. Each step may be run again after a crash, and
 * beside uploads, starts and reads. It holds no key service.
 */
export class GarbageCollector {
  readonly #origin: CollectedOrigin;
  readonly #live: LiveManifests;
  readonly #clock: Clock;
  readonly #meter: Meter;
  readonly #settleMs: number;
  readonly #dwellMs: number;
  readonly #deleted: Counter;
  readonly #mayDelete: () => Promise<void>;

  constructor(origin: CollectedOrigin, live: LiveManifests, options: CollectorOptions) {
    this.#origin = origin;
    this.#live = live;
    this.#clock = options.clock;
    this.#meter = options.meter ?? noMeter;
    this.#mayDelete = options.mayDelete ?? (async () => {});
    this.#settleMs = options.settleMs ?? limits.gc.settleMs;
    this.#dwellMs = options.dwellMs ?? limits.gc.dwellMs;
    this.#deleted = this.#meter.counter(
      'sluice_gc_deleted_objects_total',
      'Chunks and manifests deleted with their roots.',
    );
  }

  /** Makes a new active root, then retires those that were active. Answers the new one. */
  async rotate(): Promise<string> {
    const before = await this.#origin.listRoots();
    const rootId = await this.#origin.createRoot();
    for (const root of before) {
      if (root.state === 'active') await this.#origin.advanceRoot(root.rootId, 'retired');
    }
    return rootId;
  }

  /**
   * Copies what is live out of retired and expired roots. While alarms stand, or with `recheck`,
   * it also verifies and repairs what earlier runs copied.
   */
  async migrate(
    options: { recheck?: boolean; onProgress?: (progress: MigrationProgress) => void } = {},
  ): Promise<MigrationReport> {
    const recheck = options.recheck || (await this.#firstAlarm()) !== undefined;
    const inventory = await Inventory.take(this.#origin, this.#live);
    const migration = new Migration(this.#origin, this.#meter, options.onProgress ?? (() => {}));
    return await migration.run(inventory, recheck);
  }

  /** Expires the retired roots that have settled and that nothing live depends on. */
  async expire(): Promise<ExpireReport> {
    const inventory = await Inventory.take(this.#origin, this.#live);
    const expired: string[] = [];
    const waiting: WaitingRoot[] = [];
    const referenced: ReferencedRoot[] = [];
    for (const { rootId } of inventory.roots.filter(({ state }) => state === 'retired')) {
      // Another retired root does not count: it may expire in the same breath.
      const only = inventory.liveOnlyIn(rootId, 'active');
      const readyAtMs = await this.#readyAtMs(rootId, 'retired', this.#settleMs);
      if (only.length > 0) {
        const manifestIds = only.slice(0, limits.gc.idsReported);
        referenced.push({ rootId, manifests: only.length, manifestIds });
      } else if (readyAtMs > this.#clock.nowMs()) {
        waiting.push({ rootId, readyAtMs });
      } else {
        await this.#expire(rootId, inventory);
        expired.push(rootId);
      }
    }
    return { expired, waiting, referenced };
  }

  /**
   * Deletes the expired roots whose dwell time is over, in batches. Rejects with
   * `DELETION_STOPPED` before the next batch once anyone has read from any expired root, and with
   * `ROOT_STILL_REFERENCED` when a root holds the only copy of something live.
   */
  async delete(): Promise<DeleteReport> {
    await this.#mustBeQuiet();
    const inventory = await Inventory.take(this.#origin, this.#live);
    const deleted: string[] = [];
    const waiting: WaitingRoot[] = [];
    let objects = 0;
    for (const { rootId } of inventory.roots.filter(({ state }) => state === 'expired')) {
      const readyAtMs = await this.#readyAtMs(rootId, 'expired', this.#dwellMs);
      if (readyAtMs > this.#clock.nowMs()) {
        waiting.push({ rootId, readyAtMs });
        continue;
      }
      mustBeUnreferenced(inventory, rootId);
      objects += await this.#deleteRoot(rootId);
      deleted.push(rootId);
    }
    return { deleted, waiting, objects };
  }

  /** An operator has looked at the alarms: clears them, so that `delete` may run. */
  async resume(): Promise<{ alarmsCleared: number }> {
    const alarms = await this.#alarmsByRoot();
    await this.#origin.clearAlarms();
    return { alarmsCleared: sum(alarms) };
  }

  async status(): Promise<CollectorStatus> {
    const inventory = await Inventory.take(this.#origin, this.#live);
    const alarms = await this.#alarmsByRoot();
    const roots: RootReport[] = [];
    for (const { rootId, state, migratedTo } of inventory.roots) {
      roots.push({
        rootId,
        state,
        migratedTo,
        sinceMs: await this.#origin.stateSinceMs(rootId, state),
        ...(await this.#origin.usage(rootId)),
        liveManifests: inventory.liveIn(rootId).length,
        liveOnlyHere: inventory.liveOnlyIn(rootId, 'active', 'retired').length,
        alarms: alarms.get(rootId) ?? 0,
      });
    }
    const lost = inventory.nowhere().slice(0, limits.gc.idsReported);
    return { roots, alarms: sum(alarms), deletionStopped: sum(alarms) > 0, lost };
  }

  /** Readers that still hold on to the root must know where to go before their reads alarm. */
  async #expire(rootId: string, inventory: Inventory): Promise<void> {
    const copies = inventory.liveIn(rootId).flatMap((id) => inventory.holders(id, 'active'));
    for (const copy of new Set(copies)) await this.#origin.markMigrated(rootId, copy);
    await this.#origin.advanceRoot(rootId, 'expired');
  }

  async #deleteRoot(rootId: string): Promise<number> {
    let objects = 0;
    for (;;) {
      await this.#mayDelete();
      await this.#mustBeQuiet();
      const removed = await this.#origin.removeBatch(rootId, limits.gc.deleteBatch);
      if (removed === 0) break;
      objects += removed;
      this.#deleted.add(removed);
    }
    await this.#origin.advanceRoot(rootId, 'deleted');
    return objects;
  }

  async #readyAtMs(rootId: string, state: CollectedState, waitMs: number): Promise<number> {
    const sinceMs = await this.#origin.stateSinceMs(rootId, state);
    return (sinceMs ?? this.#clock.nowMs()) + waitMs;
  }

  async #mustBeQuiet(): Promise<void> {
    const alarm = await this.#firstAlarm();
    if (!alarm) return;
    throw new SluiceError(
      'DELETION_STOPPED',
      `${alarm.rootId}: ${alarm.kind} ${alarm.name} was read from this expired root; run ` +
        'gc migrate, which copies again what was left behind, then gc resume',
      { data: { ...alarm } },
    );
  }

  async #firstAlarm(): Promise<CollectedAlarm | undefined> {
    for await (const alarm of this.#origin.alarms()) return alarm;
    return undefined;
  }

  async #alarmsByRoot(): Promise<ReadonlyMap<string, number>> {
    const counts = new Map<string, number>();
    for await (const { rootId } of this.#origin.alarms()) {
      counts.set(rootId, (counts.get(rootId) ?? 0) + 1);
    }
    return counts;
  }
}

function mustBeUnreferenced(inventory: Inventory, rootId: string): void {
  const only = inventory.liveOnlyIn(rootId, 'active', 'retired');
  if (only.length === 0) return;
  throw new SluiceError(
    'ROOT_STILL_REFERENCED',
    `${rootId}: holds the only copy of ${only.length} live manifests, ${only[0]} among them; ` +
      'run gc migrate',
    { data: { rootId, manifests: only.length, manifestId: only[0] } },
  );
}

function sum(counts: ReadonlyMap<string, number>): number {
  return [...counts.values()].reduce((total, count) => total + count, 0);
}
