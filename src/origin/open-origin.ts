import { DirectoryObjects } from './directory-objects.ts';
import { MemoryObjects } from './memory-objects.ts';
import type { Origin } from './origin.ts';
import { retryingObjects } from './retrying.ts';
import type { S3Location } from './s3-objects.ts';
import { type OriginOptions, StoredOrigin } from './stored-origin.ts';

/** An origin in a directory that any number of processes may share; made on the first write. */
export function directoryOrigin(directory: string, options: OriginOptions): Origin {
  return new StoredOrigin(new DirectoryObjects(directory, options.clock, options.random), options);
}

/** An origin that lasts as long as the process. */
export function memoryOrigin(options: OriginOptions): Origin {
  return new StoredOrigin(new MemoryObjects(), options);
}

/**
 * An origin in an S3 bucket, retrying within a budget of its own. The SDK is loaded only here:
 * it takes a third of a second, which no start of an agent on a directory shall pay.
 */
export async function s3Origin(location: S3Location, options: OriginOptions): Promise<Origin> {
  const { connectS3, S3Objects } = await import('./s3-objects.ts');
  const objects = new S3Objects(connectS3(location), location.bucket, location.prefix);
  const { clock, random } = options;
  return new StoredOrigin(retryingObjects(objects, clock, random), options);
}
