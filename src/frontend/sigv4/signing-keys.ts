import { createHmac, createSecretKey, type KeyObject } from 'node:crypto';

interface CachedKey {
  readonly secret: string;
  /** A key object: an HMAC under one costs Node 4 µs, one under the same bytes 27. */
  readonly key: KeyObject;
}

const hmac = (key: Buffer | string, text: string) =>
  createHmac('sha256', key).update(text).digest();

/**
 * Signing keys by access key, day and region: four HMACs a day and key rather than a request.
 * Bounded; an entry of a rotated secret does not match and is derived again.
 */
export class SigningKeys {
  readonly #limit: number;
  readonly #keys = new Map<string, CachedKey>();

  constructor(limit: number) {
    this.#limit = limit;
  }

  get(
    accessKeyId: string,
    secret: string,
    scope: { date: string; region: string; service: string },
  ): KeyObject {
    const name = `${accessKeyId}/${scope.date}/${scope.region}/${scope.service}`;
    const cached = this.#keys.get(name);
    if (cached?.secret === secret) return cached.key;
    const date = hmac(`AWS4${secret}`, scope.date);
    const service = hmac(hmac(date, scope.region), scope.service);
    const key = createSecretKey(hmac(service, 'aws4_request'));
    if (this.#keys.size >= this.#limit) this.#keys.clear();
    this.#keys.set(name, { secret, key });
    return key;
  }
}
