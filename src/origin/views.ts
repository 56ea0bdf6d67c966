import type { ChunkSink } from '../seal/mod.ts';
import type { ManifestSink, Origin, PackStore, RootKeeper, RootSource } from './origin.ts';

/** What a flattener holds: it puts chunks and a manifest and can get neither back. */
export type FlattenerView = ChunkSink & ManifestSink;

/** What a collector holds: names, copies of ciphertext and roots, and no key service. */
export type CollectorView = RootKeeper &
  RootSource &
  ChunkSink &
  ManifestSink &
  PackStore & { listManifests(rootId: string): AsyncIterable<string> };

/** An object of its own: what is not on it cannot be reached through it, whatever the types say. */
export function flattenerView(origin: Origin): FlattenerView {
  return Object.freeze({
    put: origin.put.bind(origin),
    putManifest: origin.putManifest.bind(origin),
  });
}

/** As `flattenerView`, for garbage collection. */
export function collectorView(origin: Origin): CollectorView {
  return Object.freeze({
    activeRoot: origin.activeRoot.bind(origin),
    listRoots: origin.listRoots.bind(origin),
    rootStatus: origin.rootStatus.bind(origin),
    listManifests: origin.listManifests.bind(origin),
    listChunks: origin.listChunks.bind(origin),
    usage: origin.usage.bind(origin),
    createRoot: origin.createRoot.bind(origin),
    advanceRoot: origin.advanceRoot.bind(origin),
    markMigrated: origin.markMigrated.bind(origin),
    stateSinceMs: origin.stateSinceMs.bind(origin),
    readForCopy: origin.readForCopy.bind(origin),
    readManifestForCopy: origin.readManifestForCopy.bind(origin),
    put: origin.put.bind(origin),
    putManifest: origin.putManifest.bind(origin),
    putPack: origin.putPack.bind(origin),
    getPack: origin.getPack.bind(origin),
    removeBatch: origin.removeBatch.bind(origin),
    alarms: origin.alarms.bind(origin),
    clearAlarms: origin.clearAlarms.bind(origin),
  });
}
