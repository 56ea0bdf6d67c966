import { type Clock, type Random, SluiceError } from '../base/mod.ts';
import { DirectoryObjects } from './directory-objects.ts';
import type { ObjectStore } from './object-store.ts';

/** Resolves when the note is durable. Rejects with `ACCESS_DENIED` for what is no note. */
export type KeepNote = (key: string, bytes: Buffer) => Promise<void>;

/** Alarms, and chunks that were found damaged: all that a reader writes. */
const NOTE =
  /^(alarms\/[\w.-]{1,128}\/(chunk|manifest)\/[\w.-]{1,128}|roots\/[\w.-]{1,128}\/damaged\/[0-9a-f]{64})$/;
const NOTE_BYTES = 256;

/** Keeps in a directory what readers that cannot write there have to note. */
export function noteKeeper(directory: string, clock: Clock, random: Random): KeepNote {
  const objects = new DirectoryObjects(directory, clock, random);
  return async (key, bytes) => {
    if (!NOTE.test(key) || bytes.length > NOTE_BYTES) throw denied(key);
    await objects.putIfAbsent(key, bytes);
    await objects.settle([key]);
  };
}

/** A store that is read only, whose notes another process keeps. */
export function notedElsewhere(objects: ObjectStore, keep: KeepNote): ObjectStore {
  const { readIntoSync, readInto } = objects;
  return {
    get: (key, signal) => objects.get(key, signal),
    ...(readIntoSync && { readIntoSync: readIntoSync.bind(objects) }),
    ...(readInto && { readInto: readInto.bind(objects) }),
    list: (prefix, after) => objects.list(prefix, after),
    usage: (prefix) => objects.usage(prefix),
    putIfAbsent: async (key, bytes) => {
      await keep(key, bytes);
      return 'stored';
    },
    replace: async (key) => {
      throw denied(key);
    },
    remove: async ([key = '']) => {
      throw denied(key);
    },
    // What is kept elsewhere is settled there.
    settle: async () => {},
  };
}

function denied(key: string): SluiceError {
  return new SluiceError('ACCESS_DENIED', `${key}: a reader of the origin writes no such object`);
}
