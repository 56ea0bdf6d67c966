import { limits, noMeter } from '../base/mod.ts';
import { DirectoryObjects } from './directory-objects.ts';
import { limitedObjects } from './limited.ts';
import { MemoryObjects } from './memory-objects.ts';
import { meteredObjects } from './metered.ts';
import { type KeepNote, notedElsewhere } from './notes.ts';
import type { Origin } from './origin.ts';
import { retryingObjects } from './retrying.ts';
import type { S3Location } from './s3-objects.ts';
import { type OriginOptions, StoredOrigin } from './stored-origin.ts';

/**
 * An origin in a directory that any number of processes may share; made on the first write. Who may
 * not write there has somebody else `keepNote`.
 */
export function directoryOrigin(
  directory: string,
  options: OriginOptions & { readonly keepNote?: KeepNote | undefined },
): Origin {
  const { clock, random, meter = noMeter, keepNote } = options;
  const files = new DirectoryObjects(directory, clock, random);
  const objects = keepNote ? notedElsewhere(files, keepNote) : files;
  return new StoredOrigin(meteredObjects(objects, clock, meter), options);
}

/** An origin that lasts as long as the process. */
export function memoryOrigin(options: OriginOptions): Origin {
  return new StoredOrigin(new MemoryObjects(), options);
}

/**
 * An origin in an S3 bucket: as many requests at once as there are connections, retries within a
 * budget, each try measured. The SDK is loaded only here: it takes a third of a second, which no
 * start of an agent on a directory should have to pay.
 */
export async function s3Origin(location: S3Location, options: OriginOptions): Promise<Origin> {
  const { S3Objects } = await import('./s3-objects.ts');
  const { clock, random, meter = noMeter } = options;
  const { connections, waiting } = limits.origin;
  const objects = new S3Objects(location, clock);
  const metered = meteredObjects(objects, clock, meter);
  const retrying = retryingObjects(metered, clock, random, options.patienceMs);
  return new StoredOrigin(limitedObjects(retrying, connections, waiting), options);
}
