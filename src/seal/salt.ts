import { createHmac } from 'node:crypto';
import { assert } from '../base/mod.ts';

/** What may deduplicate with what: chunks under different salts never share a name. */
export interface SaltParts {
  /** The active root that the chunks go to (ATC'23 section 3.4). */
  readonly rootId: string;
  /** Number of the salt's period; a new one bounds how much a bad chunk can hurt. */
  readonly epoch: number;
  /** `region`: all accounts share chunks; otherwise the one account that does. */
  readonly scope: 'region' | { readonly accountId: string };
  /** A cell, zone or shard that must not share chunks with another; empty for none. */
  readonly placement: string;
}

const DOMAIN = 'sluice chunk salt 1';

/**
 * The 32-byte salt of a chunk's key. `dedupSecret` (32 bytes, known to flatteners only) keeps one
 * who sees ciphertext from confirming a guess of its plaintext; readers never need it, so losing it
 * costs deduplication and no data.
 */
export function chunkSalt(dedupSecret: Buffer, parts: SaltParts): Buffer {
  assert(dedupSecret.length === 32, 'a dedup secret has 32 bytes');
  assert(Number.isSafeInteger(parts.epoch) && parts.epoch >= 0, 'an epoch counts from 0');
  const scope = parts.scope === 'region' ? 'region' : `account:${parts.scope.accountId}`;
  const hmac = createHmac('sha256', dedupSecret);
  for (const field of [DOMAIN, parts.rootId, String(parts.epoch), scope, parts.placement]) {
    const bytes = Buffer.from(field, 'utf8');
    const length = Buffer.alloc(4);
    length.writeUInt32BE(bytes.length);
    hmac.update(length).update(bytes);
  }
  return hmac.digest();
}
