import { SluiceError } from '../../base/mod.ts';

/** One key of an account as its file holds it: wrapped by the master key. */
export interface AccountKey {
  readonly keyId: string;
  readonly state: 'enabled' | 'disabled';
  readonly createdAtMs: number;
  /** Base64. */
  readonly wrapped: string;
}

export function encodeAccountKey(key: AccountKey): Buffer {
  return Buffer.from(`${JSON.stringify(key, null, 2)}\n`, 'utf8');
}

export function decodeAccountKey(path: string, bytes: Buffer): AccountKey {
  try {
    const key = JSON.parse(bytes.toString('utf8')) as AccountKey;
    if (typeof key.keyId === 'string' && typeof key.wrapped === 'string') return key;
  } catch {
    // Said below, for both ways of not being a key file.
  }
  throw new SluiceError('STORE_CORRUPT', `${path}: not a key file; restore it from a backup`, {
    data: { path },
  });
}
