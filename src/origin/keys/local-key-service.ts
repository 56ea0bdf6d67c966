import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { type Clock, type Random, SluiceError } from '../../base/mod.ts';
import {
  type DataKeyContext,
  type GeneratedDataKey,
  KEY_BYTES,
  type KeyService,
  unwrapKey,
  type WrappedDataKey,
  wrapKey,
} from '../../seal/mod.ts';
import { type AccountKey, decodeAccountKey, encodeAccountKey } from './account-key.ts';
import { createSecret, listSecrets, readSecret, replaceSecret } from './key-files.ts';

/** Of 32 bytes each. */
export type SecretName = 'master.key' | 'dedup.secret';

const ACCOUNT = /^[A-Za-z0-9-]{1,64}$/;
const KEY_ID = /^local:([A-Za-z0-9-]{1,64}):([1-9][0-9]{0,5})$/;

/**
 * Keys in files of one directory: `master.key` (32 bytes, 0600) wraps the accounts' keys,
 * `accounts/<account>/<number>.json`, which wrap data keys. Each is made when first needed, and no
 * file is ever written twice but to enable or disable its key, so processes may share the directory.
 * Key ids are `local:<account>:<number>`; the highest number is the account's present key.
 */
export class LocalKeyService implements KeyService {
  readonly #directory: string;
  readonly #clock: Clock;
  readonly #random: Random;

  constructor(directory: string, clock: Clock, random: Random) {
    this.#directory = directory;
    this.#clock = clock;
    this.#random = random;
  }

  async generateDataKey(context: DataKeyContext): Promise<GeneratedDataKey> {
    const plaintext = this.#random.bytes(KEY_BYTES);
    return { plaintext, ...(await this.#wrap(plaintext, context)) };
  }

  async unwrapDataKey(key: WrappedDataKey, context: DataKeyContext): Promise<Buffer> {
    const { keyId, wrapped } = key;
    const accountKey = await this.#open(keyId, context.accountId);
    const dataKey = unwrapKey(accountKey, wrapped, dataKeyBinding(keyId, context), keyId);
    accountKey.fill(0);
    return dataKey;
  }

  async rewrapDataKey(key: WrappedDataKey, context: DataKeyContext): Promise<WrappedDataKey> {
    const dataKey = await this.unwrapDataKey(key, context);
    const rewrapped = await this.#wrap(dataKey, context);
    dataKey.fill(0);
    return rewrapped;
  }

  /** Gives the account a new present key, whose id it answers; the old ones go on unwrapping. */
  async rotateAccountKey(accountId: string): Promise<string> {
    return await this.#create(accountId, (await this.#latest(accountId)) + 1);
  }

  /** A disabled key neither wraps nor unwraps until it is enabled again. */
  async setKeyState(keyId: string, state: AccountKey['state']): Promise<void> {
    const path = this.#path(keyId);
    const key = await this.#read(keyId);
    await replaceSecret(path, encodeAccountKey({ ...key, state }), this.#random);
  }

  /** The region's 32-byte deduplication secret, for flatteners; made when first asked for. */
  async dedupSecret(): Promise<Buffer> {
    return await this.#secret('dedup.secret');
  }

  /**
   * Checks the secrets that are known by their digests, and makes those that are not. Answers all
   * digests. Rejects with `KEY_NOT_FOUND`, `KEY_DENIED` or `STORE_CORRUPT`, each naming the file.
   */
  async verifySecrets(
    names: readonly SecretName[],
    known: Readonly<Record<string, string>>,
  ): Promise<Record<string, string>> {
    const digests: Record<string, string> = { ...known };
    for (const name of names) {
      const path = join(this.#directory, name);
      const found = await readSecret(path);
      if (!found && known[name] !== undefined) throw lost(path, name);
      const secret = name === 'master.key' ? await this.#master() : await this.#secret(name);
      const digest = createHash('sha256').update('sluice secret').update(secret).digest('hex');
      if (digest !== (known[name] ?? digest)) throw damaged(path);
      digests[name] = digest;
    }
    return digests;
  }

  async #wrap(dataKey: Buffer, context: DataKeyContext): Promise<WrappedDataKey> {
    const { accountId } = context;
    const latest = await this.#latest(accountId);
    const keyId = latest === 0 ? await this.#create(accountId, 1) : idOf(accountId, latest);
    const accountKey = await this.#open(keyId, accountId);
    const wrapped = wrapKey(accountKey, dataKey, dataKeyBinding(keyId, context), this.#random);
    accountKey.fill(0);
    return { keyId, wrapped };
  }

  /** The account's key in clear. */
  async #open(keyId: string, accountId: string): Promise<Buffer> {
    const key = await this.#read(keyId);
    if (key.state === 'disabled') {
      throw new SluiceError('KEY_DISABLED', `${keyId}: the key is disabled; enable it`, {
        data: { keyId, accountId },
      });
    }
    const wrapped = Buffer.from(key.wrapped, 'base64');
    return unwrapKey(await this.#master(), wrapped, accountKeyBinding(keyId, accountId), keyId);
  }

  /** Makes a key, unless another process made this number first: then that one counts. */
  async #create(accountId: string, number: number): Promise<string> {
    const keyId = idOf(accountId, number);
    const path = this.#path(keyId);
    const key = this.#random.bytes(KEY_BYTES);
    const binding = accountKeyBinding(keyId, accountId);
    const wrapped = wrapKey(await this.#master(), key, binding, this.#random).toString('base64');
    key.fill(0);
    const createdAtMs = this.#clock.nowMs();
    const file = encodeAccountKey({ keyId, state: 'enabled', createdAtMs, wrapped });
    await createSecret(path, file, this.#random);
    return keyId;
  }

  /** The number of the account's present key, 0 when it has none. */
  async #latest(accountId: string): Promise<number> {
    const names = ACCOUNT.test(accountId)
      ? await listSecrets(join(this.#directory, 'accounts', accountId))
      : [];
    const numbers = names.map((name) => Number(/^(\d+)\.json$/.exec(name)?.[1] ?? 0));
    return Math.max(0, ...numbers);
  }

  async #read(keyId: string): Promise<AccountKey> {
    const path = this.#path(keyId);
    const bytes = await readSecret(path);
    if (bytes) return decodeAccountKey(path, bytes);
    throw new SluiceError('KEY_NOT_FOUND', `${keyId}: no such key; restore ${path}`, {
      data: { keyId },
    });
  }

  /** A master key that is lost while account keys exist is never replaced by a new one. */
  async #master(): Promise<Buffer> {
    const path = join(this.#directory, 'master.key');
    const isLost =
      !(await readSecret(path)) &&
      (await listSecrets(join(this.#directory, 'accounts'))).length > 0;
    if (!isLost) return await this.#secret('master.key');
    throw lost(path, 'master.key');
  }

  /** Reads a 32-byte secret, making it at first; of many that make it at once, one wins. */
  async #secret(name: SecretName): Promise<Buffer> {
    const path = join(this.#directory, name);
    const found = await readSecret(path);
    if (!found) await createSecret(path, this.#random.bytes(KEY_BYTES), this.#random);
    const secret = found ?? (await readSecret(path));
    if (secret?.length === KEY_BYTES) return secret;
    throw damaged(path);
  }

  #path(keyId: string): string {
    const [, accountId, number] = KEY_ID.exec(keyId) ?? [];
    if (accountId && number) {
      return join(this.#directory, 'accounts', accountId, `${number}.json`);
    }
    throw new SluiceError('KEY_NOT_FOUND', `${keyId}: not the id of a local key`, {
      data: { keyId },
    });
  }
}

function lost(path: string, keyId: SecretName): SluiceError {
  return new SluiceError('KEY_NOT_FOUND', `${path}: the file is lost; restore it`, {
    data: { keyId },
  });
}

function damaged(path: string): SluiceError {
  return new SluiceError(
    'STORE_CORRUPT',
    `${path}: not the secret that keys/region.json knows; restore the one of them that is damaged`,
    {
      data: { path },
    },
  );
}

function idOf(accountId: string, number: number): string {
  return `local:${accountId}:${number}`;
}

function dataKeyBinding(keyId: string, { accountId, manifestId }: DataKeyContext): string[] {
  return ['data key', keyId, accountId, manifestId];
}

function accountKeyBinding(keyId: string, accountId: string): string[] {
  return ['account key', keyId, accountId];
}
