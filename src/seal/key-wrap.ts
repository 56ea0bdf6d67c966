import { type Random, SluiceError } from '../base/mod.ts';
import { aeadOpen, aeadSeal, NONCE_BYTES, TAG_BYTES } from './aead.ts';

export const KEY_BYTES = 32;
const WRAP_VERSION = 1;
const WRAPPED_BYTES = 1 + NONCE_BYTES + KEY_BYTES + TAG_BYTES;

/**
 * Wraps a 32-byte key under another: version (1), nonce, AES-256-GCM ciphertext, tag.
 * `binding` says what the wrapped key is for; it unwraps with the same strings in the same order.
 */
export function wrapKey(
  wrapping: Buffer,
  key: Buffer,
  binding: readonly string[],
  random: Random,
): Buffer {
  const nonce = random.bytes(NONCE_BYTES);
  const sealed = aeadSeal(wrapping, nonce, key, additionalData(binding));
  return Buffer.concat([Buffer.of(WRAP_VERSION), nonce, sealed]);
}

/** Throws `KEY_DENIED` when the wrapping key, the binding or the bytes are not the right ones. */
export function unwrapKey(
  wrapping: Buffer,
  wrapped: Buffer,
  binding: readonly string[],
  keyId: string,
): Buffer {
  if (wrapped.length === WRAPPED_BYTES && wrapped[0] === WRAP_VERSION) {
    const nonce = wrapped.subarray(1, 1 + NONCE_BYTES);
    const sealed = wrapped.subarray(1 + NONCE_BYTES);
    const key = aeadOpen(wrapping, nonce, sealed, additionalData(binding));
    if (key) return key;
  }
  throw new SluiceError(
    'KEY_DENIED',
    `${keyId}: does not unwrap this data key; it was wrapped for something else or damaged`,
    { data: { keyId } },
  );
}

function additionalData(binding: readonly string[]): Buffer {
  return Buffer.from(JSON.stringify(['sluice key wrap', WRAP_VERSION, ...binding]), 'utf8');
}
