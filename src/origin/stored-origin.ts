import {
  assert,
  type Clock,
  isSluiceError,
  type Logger,
  type Meter,
  noLogger,
  noMeter,
  type Random,
  SluiceError,
} from '../base/mod.ts';
import type { ChunkName, ChunkRef, PutOutcome } from '../seal/mod.ts';
import { AlarmBook } from './alarm-book.ts';
import { ChunkShelf } from './chunk-shelf.ts';
import { DamageBook } from './damage-book.ts';
import { copiesOf } from './following.ts';
import type { ObjectStore } from './object-store.ts';
import type {
  LocatedDisk,
  LocatedManifest,
  Origin,
  RootAlarm,
  RootState,
  RootStatus,
} from './origin.ts';
import { type OriginOwnership, OwnerNote } from './owner-note.ts';
import { RootBook } from './root-book.ts';

export interface OriginOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly meter?: Meter;
  readonly logger?: Logger;
  /** How long a store beyond this host is asked again; `limits.origin` says unless given. */
  readonly patienceMs?: number | undefined;
}

const PREFERENCE: readonly RootState[] = ['active', 'retired', 'expired'];

/**
 * The origin's rules over any store of objects: which root may be written and read, alarms before
 * an expired root answers, a hash check on each get. Layout: docs/design/manifest.md.
 */
export class StoredOrigin implements Origin {
  readonly owner: OriginOwnership;
  readonly #roots: RootBook;
  readonly #shelf: ChunkShelf;
  readonly #alarms: AlarmBook;

  constructor(objects: ObjectStore, options: OriginOptions) {
    const { clock, random, meter = noMeter, logger = noLogger } = options;
    this.#roots = new RootBook(objects, clock, random);
    this.#shelf = new ChunkShelf(objects, new DamageBook(objects, clock, logger), meter);
    this.#alarms = new AlarmBook(objects, clock, meter, logger);
    this.owner = new OwnerNote(objects);
  }

  async get(ref: ChunkRef, signal?: AbortSignal): Promise<Buffer> {
    const { state } = await this.#roots.rootStatus(ref.rootId);
    if (state === 'expired') await this.#alarms.raise({ ...ref, kind: 'chunk' });
    return await this.#shelf.get(ref, signal);
  }

  readIntoSync(ref: ChunkRef, into: Buffer): boolean {
    return this.#isAtHome(ref) && this.#shelf.readIntoSync(ref, into);
  }

  async readInto(ref: ChunkRef, into: Buffer): Promise<boolean> {
    return this.#isAtHome(ref) && (await this.#shelf.readInto(ref, into));
  }

  /** In a root that was not copied yet, as far as is known: `get` asks, follows, raises alarms. */
  #isAtHome({ rootId }: ChunkRef): boolean {
    const status = this.#roots.recentStatus(rootId);
    const isReadable = status?.state === 'active' || status?.state === 'retired';
    return isReadable && status.migratedTo.length === 0;
  }

  async put(ref: ChunkRef, ciphertext: Buffer): Promise<PutOutcome> {
    await this.#mustBeActive(ref.rootId);
    return await this.#shelf.put(ref, ciphertext);
  }

  async putManifest(rootId: string, manifestId: string, bytes: Buffer): Promise<void> {
    await this.#mustBeActive(rootId);
    const outcome = await this.#shelf.putManifest(rootId, manifestId, bytes);
    const isOther =
      outcome === 'present' && !(await this.#shelf.getManifest(rootId, manifestId))?.equals(bytes);
    if (isOther) {
      throw new SluiceError(
        'STORE_CONFLICT',
        `${manifestId}: another manifest of this id is stored`,
        { data: { rootId, manifestId } },
      );
    }
    // Was the root retired since? Its migration may have looked before the manifest was there, so
    // it must not count as stored. If it was not, then every later migration sees the manifest.
    await this.#roots.refresh();
    try {
      await this.#mustBeActive(rootId);
    } catch (error) {
      await this.#withdraw(rootId, manifestId);
      throw error;
    }
  }

  async getManifest(rootId: string, manifestId: string): Promise<Buffer> {
    const { state } = await this.#roots.rootStatus(rootId);
    const bytes = state === 'deleted' ? undefined : await this.#readManifest(rootId, manifestId);
    return bytes ?? manifestNotFound(manifestId);
  }

  async findManifest(manifestId: string): Promise<LocatedManifest> {
    for await (const rootId of this.#rootsInOrder()) {
      const bytes = await this.#readManifest(rootId, manifestId);
      if (bytes) return { rootId, manifestId, bytes };
    }
    return manifestNotFound(manifestId);
  }

  async findDisk(manifestId: string): Promise<LocatedDisk> {
    for await (const rootId of this.#rootsInOrder()) {
      const [bytes, pack] = await Promise.all([
        this.#readManifest(rootId, manifestId),
        // Whatever keeps a pack from being read, the disk starts without it.
        this.getPack(rootId, manifestId).catch(() => undefined),
      ]);
      if (bytes) return { rootId, manifestId, bytes, ...(pack && { pack }) };
    }
    return manifestNotFound(manifestId);
  }

  async *#rootsInOrder(): AsyncIterable<string> {
    const roots = await this.#roots.listRoots();
    for (const state of PREFERENCE) {
      for (const { rootId } of roots.filter((root) => root.state === state).reverse()) yield rootId;
    }
  }

  async putPack(rootId: string, manifestId: string, bytes: Buffer): Promise<void> {
    await this.#mustBeActive(rootId);
    await this.#shelf.putPack(rootId, manifestId, bytes);
  }

  getPack(rootId: string, manifestId: string): Promise<Buffer | undefined> {
    return this.#shelf.getPack(rootId, manifestId);
  }

  async noteUse(rootId: string, manifestId: string): Promise<void> {
    const { state } = await this.#roots.rootStatus(rootId);
    if (state !== 'expired') return;
    for (const each of await copiesOf(this.#roots, rootId)) {
      if ((await this.#roots.rootStatus(each)).state === 'expired') continue;
      if (await this.#shelf.getManifest(each, manifestId)) return;
    }
    await this.#alarms.raise({ rootId, kind: 'manifest', name: manifestId });
  }

  listManifests(rootId: string): AsyncIterable<string> {
    return this.#shelf.listManifests(rootId);
  }

  async replaceManifest(rootId: string, manifestId: string, bytes: Buffer): Promise<void> {
    await this.getManifest(rootId, manifestId);
    await this.#shelf.replaceManifest(rootId, manifestId, bytes);
  }

  async removeManifest(rootId: string, manifestId: string): Promise<void> {
    const { state } = await this.#roots.rootStatus(rootId);
    if (state === 'active' || state === 'retired') {
      await this.#shelf.removeManifest(rootId, manifestId);
    }
  }

  async forgetManifest(manifestId: string): Promise<void> {
    await this.#shelf.unpin(manifestId);
    for (const { rootId } of await this.#roots.listRoots()) {
      await this.removeManifest(rootId, manifestId);
    }
  }

  pinManifest(manifestId: string): Promise<void> {
    return this.#shelf.pin(manifestId);
  }

  unpinManifest(manifestId: string): Promise<void> {
    return this.#shelf.unpin(manifestId);
  }

  pinnedManifests(): AsyncIterable<string> {
    return this.#shelf.pins();
  }

  activeRoot(key?: string): Promise<string> {
    return this.#roots.activeRoot(key);
  }

  listRoots(): Promise<readonly RootStatus[]> {
    return this.#roots.listRoots();
  }

  rootStatus(rootId: string): Promise<RootStatus> {
    return this.#roots.rootStatus(rootId);
  }

  listChunks(rootId: string): AsyncIterable<ChunkName> {
    return this.#shelf.list(rootId);
  }

  usage(rootId: string): Promise<{ manifests: number; chunks: number; bytes: number }> {
    return this.#shelf.usage(rootId);
  }

  createRoot(): Promise<string> {
    return this.#roots.createRoot();
  }

  advanceRoot(rootId: string, state: Exclude<RootState, 'active'>): Promise<void> {
    return this.#roots.advanceRoot(rootId, state);
  }

  markMigrated(rootId: string, toRootId: string): Promise<void> {
    return this.#roots.markMigrated(rootId, toRootId);
  }

  stateSinceMs(rootId: string, state: RootState): Promise<number | undefined> {
    return this.#roots.stateSinceMs(rootId, state);
  }

  readForCopy(ref: ChunkRef): Promise<Buffer> {
    return this.#shelf.get(ref);
  }

  readManifestForCopy(rootId: string, manifestId: string): Promise<Buffer | undefined> {
    return this.#shelf.getManifest(rootId, manifestId);
  }

  async removeBatch(rootId: string, objectsMax: number): Promise<number> {
    const { state } = await this.#roots.rootStatus(rootId);
    assert(state === 'expired', 'only an expired root is deleted');
    return await this.#shelf.removeBatch(rootId, objectsMax);
  }

  alarms(): AsyncIterable<RootAlarm> {
    return this.#alarms.list();
  }

  clearAlarms(): Promise<void> {
    return this.#alarms.clear();
  }

  async #readManifest(rootId: string, manifestId: string): Promise<Buffer | undefined> {
    const bytes = await this.#shelf.getManifest(rootId, manifestId);
    const { state } = await this.#roots.rootStatus(rootId);
    if (bytes && state === 'expired') {
      await this.#alarms.raise({ rootId, kind: 'manifest', name: manifestId });
    }
    return bytes;
  }

  /** A credential that can only put leaves it behind: nobody refers to it, and its root will go. */
  async #withdraw(rootId: string, manifestId: string): Promise<void> {
    try {
      await this.#shelf.removeManifest(rootId, manifestId);
    } catch (error) {
      if (!isSluiceError(error, 'ACCESS_DENIED')) throw error;
    }
  }

  async #mustBeActive(rootId: string): Promise<void> {
    const { state } = await this.#roots.rootStatus(rootId);
    if (state === 'active') return;
    const message = `${rootId}: the root is ${state}; upload to the active root instead`;
    throw new SluiceError('ROOT_READ_ONLY', message, { data: { rootId, state } });
  }
}

function manifestNotFound(manifestId: string): never {
  const message = `${manifestId}: the origin has no such manifest`;
  throw new SluiceError('MANIFEST_NOT_FOUND', message, { data: { manifestId } });
}
