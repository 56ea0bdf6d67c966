import type { ChunkName, ChunkRef, ChunkSink, ChunkSource, NearChunkSource } from '../seal/mod.ts';
import type { OriginOwnership } from './owner-note.ts';

/** Where a root stands in its life, which only goes forward (ATC'23 section 3.4). */
export type RootState = 'active' | 'retired' | 'expired' | 'deleted';

export interface RootStatus {
  readonly rootId: string;
  readonly state: RootState;
  /** The roots that everything live here was copied to; none before that was done. */
  readonly migratedTo: readonly string[];
}

/** Where a manifest rests now, and its bytes. */
export interface LocatedManifest {
  readonly rootId: string;
  readonly manifestId: string;
  readonly bytes: Buffer;
}

/** The same with what helps its starts, if there is any. */
export interface LocatedDisk extends LocatedManifest {
  /** The index of its start pack, whose chunks rest in the same root. */
  readonly pack?: Buffer;
}

/** The roots as all may see them; a change by another process shows within `rootStateMs`. */
export interface RootSource {
  /**
   * The root that new manifests go to; made on first use. Several may be active: then each `key`
   * (an account) keeps to one of them.
   */
  activeRoot(key?: string): Promise<string>;
  listRoots(): Promise<readonly RootStatus[]>;
  /** Rejects with `ROOT_NOT_FOUND`. */
  rootStatus(rootId: string): Promise<RootStatus>;
}

/** What stores a new manifest, once all its chunks are stored. */
export interface ManifestSink {
  /**
   * Makes the manifest's chunks durable, then the manifest. Rejects with `ROOT_READ_ONLY` when the
   * root was retired meanwhile: upload again to the active one. `STORE_CONFLICT`: the id is taken
   * by other bytes; the same bytes may be put again.
   */
  putManifest(rootId: string, manifestId: string, bytes: Buffer): Promise<void>;
}

export interface ManifestSource {
  /** Rejects with `MANIFEST_NOT_FOUND`. */
  getManifest(rootId: string, manifestId: string): Promise<Buffer>;
  /** Looks through the roots, the active ones first. Rejects with `MANIFEST_NOT_FOUND`. */
  findManifest(manifestId: string): Promise<LocatedManifest>;
  listManifests(rootId: string): AsyncIterable<string>;
}

/** Disks with their start packs. A pack only saves time: one that is damaged counts as none. */
export interface DiskLocator {
  /** Looks as `findManifest` does, in as many round trips. Rejects with `MANIFEST_NOT_FOUND`. */
  findDisk(manifestId: string): Promise<LocatedDisk>;
}

/** What keeps start packs beside the manifests that they belong to. */
export interface PackStore {
  /**
   * Stores a pack's index once its chunks are stored, in the place of an older one. Rejects with
   * `ROOT_READ_ONLY` where nothing new is put.
   */
  putPack(rootId: string, manifestId: string, bytes: Buffer): Promise<void>;
  getPack(rootId: string, manifestId: string): Promise<Buffer | undefined>;
}

/** Keeps alive what is read through caches, of which the origin hears nothing. */
export interface ManifestUse {
  /**
   * Says that a manifest, opened when it rested in that root, may be read. Raises the alarm when
   * the root is expired, and so is every root with a copy of the manifest.
   */
  noteUse(rootId: string, manifestId: string): Promise<void>;
}

export interface ManifestEditor {
  /** The same manifest with its data key rewrapped. */
  replaceManifest(rootId: string, manifestId: string, bytes: Buffer): Promise<void>;
  /**
   * Takes the manifest out of every root that is active or retired, and its pin; its chunks stay
   * until their root goes. Resolves also when there is none.
   */
  forgetManifest(manifestId: string): Promise<void>;
  /** Takes it out of one such root. */
  removeManifest(rootId: string, manifestId: string): Promise<void>;
}

/** Says of manifests that somebody wants them, besides the functions that use them. */
export interface ManifestPins {
  pinManifest(manifestId: string): Promise<void>;
  unpinManifest(manifestId: string): Promise<void>;
  pinnedManifests(): AsyncIterable<string>;
}

/** What garbage collection holds besides names: it copies ciphertext and marks roots. */
export interface RootKeeper {
  listChunks(rootId: string): AsyncIterable<ChunkName>;
  usage(rootId: string): Promise<{ manifests: number; chunks: number; bytes: number }>;
  createRoot(): Promise<string>;
  /** Moves a root forward; a root that is there or further already stays as it is. */
  advanceRoot(rootId: string, state: Exclude<RootState, 'active'>): Promise<void>;
  /** Says that everything live in the one root is in one of the others. */
  markMigrated(rootId: string, toRootId: string): Promise<void>;
  /** Milliseconds since the epoch at which the root entered the state; undefined if it has not. */
  stateSinceMs(rootId: string, state: RootState): Promise<number | undefined>;
  /** Reads a chunk to copy it: verified, and no alarm in an expired root. */
  readForCopy(ref: ChunkRef): Promise<Buffer>;
  /** Reads a manifest to copy it, without an alarm; `undefined` when the root has none. */
  readManifestForCopy(rootId: string, manifestId: string): Promise<Buffer | undefined>;
  /** Removes some of an expired root, manifests first; resolves with how many, 0 when none is left. */
  removeBatch(rootId: string, objectsMax: number): Promise<number>;
  alarms(): AsyncIterable<RootAlarm>;
  clearAlarms(): Promise<void>;
}

/** A read from an expired root. */
export interface RootAlarm {
  readonly rootId: string;
  readonly kind: 'chunk' | 'manifest';
  /** The chunk's name or the manifest's id. */
  readonly name: string;
}

/** The durable store of chunks, manifests and roots; hand out the narrowest part that will do. */
export interface Origin
  extends ChunkSource,
    NearChunkSource,
    ChunkSink,
    RootSource,
    ManifestSource,
    DiskLocator,
    PackStore,
    ManifestUse,
    ManifestSink,
    ManifestEditor,
    ManifestPins,
    RootKeeper {
  readonly owner: OriginOwnership;
}
