import { DirectoryObjects } from './directory-objects.ts';
import { MemoryObjects } from './memory-objects.ts';
import type { Origin } from './origin.ts';
import { retryingObjects } from './retrying.ts';
import { connectS3, type S3Location, S3Objects } from './s3-objects.ts';
import { type OriginOptions, StoredOrigin } from './stored-origin.ts';

/** An origin in a directory that any number of processes may share; made on the first write. */
export function directoryOrigin(directory: string, options: OriginOptions): Origin {
  return new StoredOrigin(new DirectoryObjects(directory, options.clock, options.random), options);
}

/** An origin that lasts as long as the process. */
export function memoryOrigin(options: OriginOptions): Origin {
  return new StoredOrigin(new MemoryObjects(), options);
}

/** An origin in an S3 bucket, retrying within a budget of its own. */
export function s3Origin(location: S3Location, options: OriginOptions): Origin {
  const objects = new S3Objects(connectS3(location), location.bucket, location.prefix);
  const { clock, random } = options;
  return new StoredOrigin(retryingObjects(objects, clock, random), options);
}
