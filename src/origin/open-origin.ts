import { DirectoryObjects } from './directory-objects.ts';
import { MemoryObjects } from './memory-objects.ts';
import type { Origin } from './origin.ts';
import { type OriginOptions, StoredOrigin } from './stored-origin.ts';

/** An origin in a directory that any number of processes may share; made on the first write. */
export function directoryOrigin(directory: string, options: OriginOptions): Origin {
  return new StoredOrigin(new DirectoryObjects(directory, options.clock, options.random), options);
}

/** An origin that lasts as long as the process. */
export function memoryOrigin(options: OriginOptions): Origin {
  return new StoredOrigin(new MemoryObjects(), options);
}
