import type { ChunkRef, ChunkSink } from '../seal/mod.ts';

export type CollectedState = 'active' | 'retired' | 'expired' | 'deleted';

export interface CollectedRoot {
  readonly rootId: string;
  readonly state: CollectedState;
  readonly migratedTo: readonly string[];
}

/** A read from an expired root: as long as one stands, nothing is deleted. */
export interface CollectedAlarm {
  readonly rootId: string;
  readonly kind: 'chunk' | 'manifest';
  readonly name: string;
}

export interface CollectedUsage {
  readonly manifests: number;
  readonly chunks: number;
  readonly bytes: number;
}

/** What garbage collection asks of the origin. It sees names and ciphertext, and never a key. */
export interface CollectedOrigin extends ChunkSink {
  activeRoot(key?: string): Promise<string>;
  listRoots(): Promise<readonly CollectedRoot[]>;
  listManifests(rootId: string): AsyncIterable<string>;
  usage(rootId: string): Promise<CollectedUsage>;
  createRoot(): Promise<string>;
  advanceRoot(rootId: string, state: Exclude<CollectedState, 'active'>): Promise<void>;
  markMigrated(rootId: string, toRootId: string): Promise<void>;
  stateSinceMs(rootId: string, state: CollectedState): Promise<number | undefined>;
  /** Verified, and without an alarm. Rejects with `CHUNK_MISSING` or `CHUNK_CORRUPT`. */
  readForCopy(ref: ChunkRef): Promise<Buffer>;
  readManifestForCopy(rootId: string, manifestId: string): Promise<Buffer | undefined>;
  putManifest(rootId: string, manifestId: string, bytes: Buffer): Promise<void>;
  /** Start packs stand beside their manifests, and move with them. */
  putPack(rootId: string, manifestId: string, bytes: Buffer): Promise<void>;
  getPack(rootId: string, manifestId: string): Promise<Buffer | undefined>;
  removeBatch(rootId: string, objectsMax: number): Promise<number>;
  alarms(): AsyncIterable<CollectedAlarm>;
  clearAlarms(): Promise<void>;
}

/** The ids of all manifests that anything still needs: functions' versions, images that are kept. */
export interface LiveManifests {
  liveManifests(): AsyncIterable<string>;
}
