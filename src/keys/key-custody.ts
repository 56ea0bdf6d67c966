import { limits, type Random, SluiceError, systemRandom } from '../base/mod.ts';
import type { DataDirectory, KeySettings } from '../config/mod.ts';
import type { SecretName } from '../origin/mod.ts';
import {
  chunkSalt,
  type DataKeyContext,
  type KeyService,
  type SaltParts,
  sealKeyFor,
  type WrappedDataKey,
} from '../seal/mod.ts';
import { openKeyService, openLocalKeys } from './key-services.ts';

/** A public key of X25519, 32 bytes: of the agent or flattener that a data key is for. */
export type Recipient = Uint8Array;

/** A new data key: wrapped for the manifest, and sealed for who seals that. */
export interface NewDataKey extends WrappedDataKey {
  readonly sealed: Buffer;
}

/**
 * What a region asks of its keys. No answer holds a key in clear: data keys are wrapped or sealed,
 * secrets are digests and salts. Rejects with the key service's errors, and with `KEY_DENIED` for a
 * recipient that another account's keys were sealed for.
 */
export interface KeyCustody {
  generateDataKey(context: DataKeyContext, recipient: Recipient): Promise<NewDataKey>;
  unwrapDataKey(
    key: WrappedDataKey,
    context: DataKeyContext,
    recipient: Recipient,
  ): Promise<Buffer>;
  chunkSalt(parts: SaltParts): Promise<Buffer>;
  /** As `LocalKeyService.verifySecrets`. */
  verifySecrets(
    names: readonly SecretName[],
    known: Readonly<Record<string, string>>,
  ): Promise<Record<string, string>>;
}

export interface HeldKeysOptions {
  readonly keyService: KeyService;
  readonly secrets: Pick<KeyCustody, 'verifySecrets'> & { dedupSecret(): Promise<Buffer> };
  readonly random: Random;
  /** How many recipients are remembered; the one unused the longest is forgotten first. */
  readonly recipients?: number;
}

/** Custody in this very process: of the key process, and of the operator's own commands. */
export class HeldKeys implements KeyCustody {
  readonly #options: HeldKeysOptions;
  /** Which account each recipient serves: no process gets keys of two. */
  readonly #accounts = new Map<string, string>();

  constructor(options: HeldKeysOptions) {
    this.#options = options;
  }

  async generateDataKey(context: DataKeyContext, recipient: Recipient): Promise<NewDataKey> {
    this.#bind(recipient, context);
    const { plaintext, keyId, wrapped } = await this.#options.keyService.generateDataKey(context);
    return { keyId, wrapped, sealed: this.#seal(plaintext, context, recipient) };
  }

  async unwrapDataKey(
    key: WrappedDataKey,
    context: DataKeyContext,
    recipient: Recipient,
  ): Promise<Buffer> {
    this.#bind(recipient, context);
    const dataKey = await this.#options.keyService.unwrapDataKey(key, context);
    return this.#seal(dataKey, context, recipient);
  }

  async chunkSalt(parts: SaltParts): Promise<Buffer> {
    return chunkSalt(await this.#options.secrets.dedupSecret(), parts);
  }

  async verifySecrets(
    names: readonly SecretName[],
    known: Readonly<Record<string, string>>,
  ): Promise<Record<string, string>> {
    return await this.#options.secrets.verifySecrets(names, known);
  }

  #seal(dataKey: Buffer, context: DataKeyContext, recipient: Recipient): Buffer {
    try {
      return sealKeyFor(recipient, dataKey, context, this.#options.random);
    } finally {
      dataKey.fill(0);
    }
  }

  #bind(recipient: Recipient, { accountId, manifestId }: DataKeyContext): void {
    const id = Buffer.from(recipient).toString('base64');
    const bound = this.#accounts.get(id) ?? accountId;
    if (bound !== accountId) {
      const text = `${manifestId}: the process that asks serves another account`;
      throw new SluiceError('KEY_DENIED', text, { data: { manifestId } });
    }
    this.#accounts.delete(id);
    this.#accounts.set(id, accountId);
    if (this.#accounts.size <= (this.#options.recipients ?? limits.keys.recipients)) return;
    for (const oldest of this.#accounts.keys()) {
      this.#accounts.delete(oldest);
      return;
    }
  }
}

/** Custody of a data directory's keys in this process. Opens nothing before it is asked. */
export function holdKeys(settings: KeySettings, data: DataDirectory): HeldKeys {
  return new HeldKeys({
    keyService: openKeyService(settings, data),
    secrets: openLocalKeys(data),
    random: systemRandom,
  });
}
