import {
  createPrivateKey,
  createPublicKey,
  diffieHellman,
  hkdfSync,
  type KeyObject,
} from 'node:crypto';
import { type Random, SluiceError } from '../base/mod.ts';
import { aeadOpen, aeadSeal, NONCE_BYTES, TAG_BYTES } from './aead.ts';
import type { DataKeyContext } from './key-service.ts';
import { KEY_BYTES } from './key-wrap.ts';

const SEAL_VERSION = 1;
const POINT_BYTES = 32;
const SEALED_BYTES = 1 + POINT_BYTES + KEY_BYTES + TAG_BYTES;
/** What stands before the 32 bytes of an X25519 key in PKCS #8 and SubjectPublicKeyInfo (RFC 8410). */
const PRIVATE_HEAD = Buffer.from('302e020100300506032b656e04220420', 'hex');
const PUBLIC_HEAD = Buffer.from('302a300506032b656e032100', 'hex');
/** Each sealing has a key of its own, of a point that is used once. */
const NONCE = Buffer.alloc(NONCE_BYTES);

/** One end of X25519 (RFC 7748), made for one process and never written down. */
class KeyPair {
  readonly publicKey: Buffer;
  readonly #private: KeyObject;

  constructor(random: Random) {
    const der = Buffer.concat([PRIVATE_HEAD, random.bytes(POINT_BYTES)]);
    this.#private = createPrivateKey({ key: der, format: 'der', type: 'pkcs8' });
    der.fill(0);
    const spki = createPublicKey(this.#private).export({ format: 'der', type: 'spki' });
    this.publicKey = spki.subarray(-POINT_BYTES);
  }

  /** Throws for a point of low order, whose secret everybody knows. */
  agree(other: Buffer): Buffer {
    const publicKey = createPublicKey({
      key: Buffer.concat([PUBLIC_HEAD, other]),
      format: 'der',
      type: 'spki',
    });
    return diffieHellman({ privateKey: this.#private, publicKey });
  }
}

/**
 * Seals a data key so that only the holder of `recipient`'s private key opens it, and only for this
 * manifest of this account: version (1), a point that is used once (32), AES-256-GCM of the key (48)
 * under HKDF-SHA256 of the agreed secret (RFC 5869). Throws `KEY_DENIED` for what is no public key.
 */
export function sealKeyFor(
  recipient: Uint8Array,
  dataKey: Buffer,
  context: DataKeyContext,
  random: Random,
): Buffer {
  const to = Buffer.from(recipient);
  const once = new KeyPair(random);
  const aead = agreedKey(() => once.agree(to), once.publicKey, to, context);
  const sealed = aeadSeal(aead, NONCE, dataKey, once.publicKey);
  aead.fill(0);
  return Buffer.concat([Buffer.of(SEAL_VERSION), once.publicKey, sealed]);
}

/** The private end: opens what was sealed for its public key. */
export class KeyReceiver {
  readonly #pair: KeyPair;

  constructor(random: Random) {
    this.#pair = new KeyPair(random);
  }

  get publicKey(): Buffer {
    return this.#pair.publicKey;
  }

  /** Throws `KEY_DENIED` when it was sealed for another, or for another manifest or account. */
  open(sealed: Uint8Array, context: DataKeyContext): Buffer {
    const bytes = Buffer.from(sealed);
    if (bytes.length === SEALED_BYTES && bytes[0] === SEAL_VERSION) {
      const once = bytes.subarray(1, 1 + POINT_BYTES);
      const aead = agreedKey(() => this.#pair.agree(once), once, this.publicKey, context);
      const key = aeadOpen(aead, NONCE, bytes.subarray(1 + POINT_BYTES), once);
      aead.fill(0);
      if (key) return key;
    }
    throw denied(context, 'was sealed for another process or manifest');
  }
}

function agreedKey(
  agree: () => Buffer,
  once: Buffer,
  recipient: Buffer,
  context: DataKeyContext,
): Buffer {
  let secret: Buffer;
  try {
    secret = agree();
  } catch {
    throw denied(context, 'is not sealed to what is no public key');
  }
  const { accountId, manifestId } = context;
  const info = JSON.stringify(['sluice sealed key', SEAL_VERSION, accountId, manifestId]);
  const salt = Buffer.concat([once, recipient]);
  const key = Buffer.from(hkdfSync('sha256', secret, salt, info, KEY_BYTES));
  secret.fill(0);
  return key;
}

function denied({ manifestId }: DataKeyContext, why: string): SluiceError {
  return new SluiceError('KEY_DENIED', `${manifestId}: the data key ${why}`, {
    data: { manifestId },
  });
}
