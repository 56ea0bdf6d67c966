import { createHmac, timingSafeEqual } from 'node:crypto';

const LIFE_MS = 10 * 60_000;

export interface DownloadTarget {
  readonly accountId: string;
  readonly sha256: string;
}

/**
 * Addresses of archives that are good for ten minutes and for whoever has them, as the presigned
 * `Location` of the service is. The key lives as long as the process.
 */
export class DownloadLinks {
  readonly #key: Buffer;

  /** `key`: 32 random bytes. */
  constructor(key: Buffer) {
    this.#key = key;
  }

  create(origin: string, { accountId, sha256 }: DownloadTarget, nowMs: number): string {
    const claim = Buffer.from(`${accountId}/${sha256}/${nowMs + LIFE_MS}`).toString('base64url');
    return `${origin}/archives/${claim}.${this.#sign(claim).toString('base64url')}`;
  }

  /** The archive that a path is a good address of. */
  read(path: string, nowMs: number): DownloadTarget | undefined {
    const [, claim, signature] = /^\/archives\/([\w-]{1,300})\.([\w-]{43})$/.exec(path) ?? [];
    if (!claim || !signature) return undefined;
    const given = Buffer.from(signature, 'base64url');
    const expected = this.#sign(claim);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    const [accountId, sha256, untilMs] = Buffer.from(claim, 'base64url').toString().split('/');
    if (!accountId || !sha256 || Number(untilMs) < nowMs) return undefined;
    return { accountId, sha256 };
  }

  #sign(claim: string): Buffer {
    return createHmac('sha256', this.#key).update(claim).digest();
  }
}
