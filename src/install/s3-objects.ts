import type { S3Client, S3ClientConfig } from '@aws-sdk/client-s3';
import { limits, SluiceError } from '../base/mod.ts';
import type { CodeSettings } from '../config/mod.ts';
import type { CodeObjects } from './installing.ts';

type S3Settings = NonNullable<CodeSettings['s3']>;

function missing(where: string, code: string, reason: string, cause?: unknown): SluiceError {
  return new SluiceError('CODE_NOT_FOUND', `${where}: ${reason}`, {
    data: { code, reason },
    cause,
  });
}

/**
 * Archives in the buckets that the operator has named, read with the region's own credentials. Any
 * other bucket is one that does not exist: the region's credentials are nobody else's.
 */
export class S3CodeObjects implements CodeObjects {
  readonly #options: S3ClientConfig;
  #client: S3Client | undefined;
  readonly #buckets: ReadonlySet<string>;

  constructor({ region, endpoint, buckets }: S3Settings) {
    this.#options = { region, ...(endpoint && { endpoint, forcePathStyle: true }) };
    this.#buckets = new Set(buckets);
  }

  async read(bucket: string, key: string, version: string | undefined): Promise<Buffer> {
    const where = `s3://${bucket}/${key}`;
    if (!this.#buckets.has(bucket)) {
      throw missing(where, 'NoSuchBucket', 'The specified bucket does not exist');
    }
    try {
      const input = { Bucket: bucket, Key: key, VersionId: version };
      // Few regions have code there; the SDK would be a tenth of what their start takes.
      const { GetObjectCommand, S3Client } = await import('@aws-sdk/client-s3');
      this.#client ??= new S3Client(this.#options);
      const { Body, ContentLength = 0 } = await this.#client.send(new GetObjectCommand(input));
      if (ContentLength > limits.lambda.codeSizeZippedBytes) {
        const reason = `The object is larger than ${limits.lambda.codeSizeZippedBytes} bytes`;
        throw missing(where, 'EntityTooLarge', reason);
      }
      return Buffer.from((await Body?.transformToByteArray()) ?? []);
    } catch (error) {
      if (error instanceof SluiceError) throw error;
      const { name, message } = error as Error;
      throw missing(where, name, message, error);
    }
  }
}
