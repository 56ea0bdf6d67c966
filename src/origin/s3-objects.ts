import {
  DeleteObjectsCommand,
  ListObjectsV2Command,
  PutObjectCommand,
  S3Client,
} from '@aws-sdk/client-s3';
import { type Clock, limits } from '../base/mod.ts';
import type { PutOutcome } from '../seal/mod.ts';
import { checkKey, type ObjectStore, type ObjectUsage } from './object-store.ts';
import { s3Error, s3Failure } from './s3-errors.ts';
import { S3Getter } from './s3-getter.ts';

/** Where a bucket is and who asks; the SDK's own sources of credentials when left out. */
export interface S3Location {
  readonly bucket: string;
  /** Empty or ending in a slash. */
  readonly prefix?: string;
  readonly region: string;
  /** For what speaks S3 and is not AWS; addressed path-style. */
  readonly endpoint?: string;
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

interface S3Times {
  readonly connectMs: number;
  /** Until an answer begins, and between its parts. */
  readonly requestMs: number;
  readonly connections: number;
}

/** A client that neither retries nor adds checksums of its own: names are checksums. */
export function connectS3(
  location: S3Location,
  { connectMs, requestMs, connections }: S3Times = limits.origin,
): S3Client {
  const { region, endpoint, credentials } = location;
  return new S3Client({
    region,
    ...(endpoint !== undefined && { endpoint, forcePathStyle: true }),
    ...(credentials && { credentials }),
    maxAttempts: 1,
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    requestHandler: {
      connectionTimeout: connectMs,
      requestTimeout: requestMs,
      // Else it would only be warned about, and waited for without end.
      throwOnRequestTimeout: true,
      socketTimeout: requestMs,
      httpAgent: { maxSockets: connections, keepAlive: true },
      httpsAgent: { maxSockets: connections, keepAlive: true },
    },
  });
}

/** The most keys that one DeleteObjects takes (S3 API reference). */
const KEYS_PER_DELETE = 1000;

interface Listed {
  readonly key: string;
  readonly sizeBytes: number;
}

/**
 * Objects in an S3 bucket below a prefix. A put that must not overwrite says `If-None-Match: *`,
 * so S3 decides between writers; it needs no right to read, which a flattener has not.
 */
export class S3Objects implements ObjectStore {
  readonly #client: S3Client;
  readonly #getter: S3Getter;
  readonly #bucket: string;
  readonly #prefix: string;

  /** Tries each request once: `retryingObjects` tries again. */
  constructor(location: S3Location, clock: Clock) {
    const { bucket, region, endpoint, prefix = '' } = location;
    this.#client = connectS3(location);
    this.#getter = new S3Getter({ client: this.#client, bucket, region, endpoint, clock });
    this.#bucket = bucket;
    this.#prefix = prefix;
  }

  async get(key: string, signal?: AbortSignal): Promise<Buffer | undefined> {
    try {
      return await this.#getter.get(this.#prefix + checkKey(key), signal);
    } catch (error) {
      if (signal?.aborted) throw signal.reason;
      if (s3Failure(error) === 'absent') return undefined;
      throw s3Error(error, this.#name(key));
    }
  }

  async putIfAbsent(key: string, bytes: Buffer): Promise<PutOutcome> {
    const put = { ...this.#target(key), Body: bytes, IfNoneMatch: '*' };
    try {
      await this.#client.send(new PutObjectCommand(put));
      return 'stored';
    } catch (error) {
      if (s3Failure(error) === 'present') return 'present';
      throw s3Error(error, this.#name(key));
    }
  }

  async replace(key: string, bytes: Buffer): Promise<void> {
    const put = { ...this.#target(key), Body: bytes };
    await this.#send(key, () => this.#client.send(new PutObjectCommand(put)));
  }

  async *list(prefix: string, after = ''): AsyncIterable<string> {
    for await (const { key } of this.#list(prefix, after)) yield key;
  }

  async usage(prefix: string): Promise<ObjectUsage> {
    let objects = 0;
    let bytes = 0;
    for await (const { sizeBytes } of this.#list(prefix, '')) {
      objects++;
      bytes += sizeBytes;
    }
    return { objects, bytes };
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (let at = 0; at < keys.length; at += KEYS_PER_DELETE) {
      const batch = keys.slice(at, at + KEYS_PER_DELETE);
      const Objects = batch.map((key) => ({ Key: this.#target(key).Key }));
      const command = new DeleteObjectsCommand({
        Bucket: this.#bucket,
        Delete: { Objects, Quiet: true },
      });
      const { Errors } = await this.#send(batch[0] as string, () => this.#client.send(command));
      const failed = Errors?.[0];
      if (failed) throw s3Error({ name: failed.Code, message: failed.Message }, failed.Key ?? '');
    }
  }

  /** Breaks all connections. */
  async close(): Promise<void> {
    this.#client.destroy();
    await this.#getter.close();
  }

  /** What S3 has answered is durable. */
  async settle(): Promise<void> {}

  async *#list(prefix: string, after: string): AsyncIterable<Listed> {
    const query = {
      Bucket: this.#bucket,
      Prefix: this.#prefix + prefix,
      MaxKeys: limits.origin.listPage,
      ...(after && { StartAfter: this.#prefix + after }),
    };
    let ContinuationToken: string | undefined;
    do {
      const command = new ListObjectsV2Command(
        ContinuationToken ? { ...query, ContinuationToken } : query,
      );
      // Small and repeatable: tried again rather than waited for.
      const options = { requestTimeout: limits.origin.answerMs };
      const page = await this.#send(prefix, () => this.#client.send(command, options));
      for (const { Key = '', Size = 0 } of page.Contents ?? []) {
        yield { key: Key.slice(this.#prefix.length), sizeBytes: Size };
      }
      ContinuationToken = page.NextContinuationToken;
    } while (ContinuationToken);
  }

  async #send<T>(key: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      throw s3Error(error, this.#name(key));
    }
  }

  #target(key: string): { Bucket: string; Key: string } {
    return { Bucket: this.#bucket, Key: this.#prefix + checkKey(key) };
  }

  #name(key: string): string {
    return `s3://${this.#bucket}/${this.#prefix}${key}`;
  }
}
