import { createHmac, hash } from 'node:crypto';

export interface S3Credentials {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly sessionToken?: string | undefined;
}

const EMPTY_SHA256 = hash('sha256', '', 'hex');

/**
 * Signs requests without body or query with AWS Signature Version 4 (AWS General Reference). The key
 * of a day is derived once, so that a signature costs two hashes.
 */
export class S3Signer {
  readonly #region: string;
  #dayKey: { readonly of: string; readonly key: Buffer } | undefined;

  constructor(region: string) {
    this.#region = region;
  }

  /** The headers that a GET of this path (encoded already) needs. */
  headersOf(
    host: string,
    path: string,
    credentials: S3Credentials,
    nowMs: number,
  ): Record<string, string> {
    const stamp = `${new Date(nowMs).toISOString().slice(0, 19).replace(/[-:]/g, '')}Z`;
    const day = stamp.slice(0, 8);
    const scope = `${day}/${this.#region}/s3/aws4_request`;
    const { accessKeyId, secretAccessKey, sessionToken } = credentials;
    const signed: Record<string, string> = {
      host,
      'x-amz-content-sha256': EMPTY_SHA256,
      'x-amz-date': stamp,
      ...(sessionToken !== undefined && { 'x-amz-security-token': sessionToken }),
    };
    const names = Object.keys(signed).join(';');
    const lines = Object.entries(signed).map(([name, value]) => `${name}:${value}\n`);
    const request = `GET\n${path}\n\n${lines.join('')}\n${names}\n${EMPTY_SHA256}`;
    const wanted = `AWS4-HMAC-SHA256\n${stamp}\n${scope}\n${hash('sha256', request, 'hex')}`;
    const key = this.#keyOf(day, secretAccessKey);
    const signature = createHmac('sha256', key).update(wanted).digest('hex');
    const credential = `Credential=${accessKeyId}/${scope}`;
    signed['authorization'] =
      `AWS4-HMAC-SHA256 ${credential}, SignedHeaders=${names}, Signature=${signature}`;
    return signed;
  }

  #keyOf(day: string, secret: string): Buffer {
    const of = `${day}/${secret}`;
    if (this.#dayKey?.of !== of) {
      const parts = [day, this.#region, 's3', 'aws4_request'];
      const derive = (key: string | Buffer, part: string): Buffer =>
        createHmac('sha256', key).update(part).digest();
      const key = parts.reduce<string | Buffer>(derive, `AWS4${secret}`) as Buffer;
      this.#dayKey = { of, key };
    }
    return this.#dayKey.key;
  }
}

/** A path as S3 signs it: every segment percent-encoded (RFC 3986), the slashes kept. */
export function encodePath(path: string): string {
  const strict = (text: string) =>
    encodeURIComponent(text).replace(
      /[!'()*]/g,
      (char) => `%${char.charCodeAt(0).toString(16).toUpperCase()}`,
    );
  return path.split('/').map(strict).join('/');
}
