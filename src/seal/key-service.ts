/** What a wrapped data key is bound to: it unwraps for this manifest of this account only. */
export interface DataKeyContext {
  readonly accountId: string;
  readonly manifestId: string;
}

export interface WrappedDataKey {
  /** Names the key that wrapped it; shown in errors and by `image inspect`. */
  readonly keyId: string;
  readonly wrapped: Buffer;
}

/** 32 random bytes that seal one manifest, in clear for the caller and wrapped for the manifest. */
export interface GeneratedDataKey extends WrappedDataKey {
  readonly plaintext: Buffer;
}

/**
 * Keeps the accounts' keys and never hands one out: it wraps and unwraps data keys with them.
 * Rejects with `KEY_NOT_FOUND`, `KEY_DISABLED` or `KEY_DENIED` (another account's or manifest's
 * context), each naming the key, or `KEY_SERVICE_UNAVAILABLE`.
 */
export interface KeyService {
  generateDataKey(context: DataKeyContext): Promise<GeneratedDataKey>;
  unwrapDataKey(key: WrappedDataKey, context: DataKeyContext): Promise<Buffer>;
  /** Wraps the same data key under the account's present key. */
  rewrapDataKey(key: WrappedDataKey, context: DataKeyContext): Promise<WrappedDataKey>;
}
