import { join } from 'node:path';
import { type Clock, type Random, SluiceError } from '../base/mod.ts';
import {
  type AccessKey,
  type DataDirectory,
  defaultAccountId,
  ensureCredentialsFile,
  newAccessKey,
  writeCredentialsFile,
} from '../config/mod.ts';
import type { OnDamaged } from '../database/mod.ts';
import type { AccessKeyRecord, IdentityPolicy } from './account-records.ts';
import { SqliteAccountStore } from './sqlite-account-store.ts';

export interface NewKeyRequest {
  readonly accountId: string;
  /** The key of a user that policies bind; the account's root if absent. */
  readonly userName?: string | undefined;
  readonly policies?: readonly IdentityPolicy[] | undefined;
}

/**
 * The accounts of a region and their access keys. The credentials file holds the first account's
 * root key, for the clients of the host; the store is what requests are checked against.
 */
export class Accounts {
  readonly store: SqliteAccountStore;
  readonly #data: DataDirectory;
  readonly #clock: Clock;
  readonly #random: Random;

  private constructor(
    store: SqliteAccountStore,
    data: DataDirectory,
    clock: Clock,
    random: Random,
  ) {
    this.store = store;
    this.#data = data;
    this.#clock = clock;
    this.#random = random;
  }

  static open(data: DataDirectory, clock: Clock, random: Random, onDamaged: OnDamaged): Accounts {
    const store = SqliteAccountStore.open(join(data.state, 'accounts.sqlite'), onDamaged);
    const accounts = new Accounts(store, data, clock, random);
    const keys = ensureCredentialsFile(data.credentialsFile, random);
    // A damaged record is not made anew from the file: the key may have been disabled.
    for (const key of keys) {
      if (!store.hasKey(key.accessKeyId)) accounts.#adopt(key);
      else accounts.#requireSame(key);
    }
    return accounts;
  }

  /** Makes an account with a root key. Throws `ACCOUNT_EXISTS`, or `USAGE` for an id. */
  add(accountId: string, name: string): AccessKey {
    this.store.addAccount({ accountId, name, createdMs: this.#clock.nowMs() });
    return this.addKey({ accountId });
  }

  /** Throws `ACCOUNT_NOT_FOUND`. */
  addKey({ accountId, userName, policies }: NewKeyRequest): AccessKey {
    const key = newAccessKey(this.#random, accountId);
    const record = this.#record(key);
    this.store.putKeys([
      { ...record, ...(userName && { userName }), ...(policies && { policies }) },
    ]);
    return key;
  }

  /** A new key with the same rights in place of one that is disabled with it. */
  rotate(accessKeyId: string): AccessKey {
    const old = this.#find(accessKeyId);
    const key = newAccessKey(this.#random, old.accountId);
    const { userName, policies } = old;
    const record = this.#record(key);
    this.store.putKeys([
      { ...record, ...(userName && { userName }), ...(policies && { policies }) },
      { ...old, disabled: true },
    ]);
    const file = ensureCredentialsFile(this.#data.credentialsFile, this.#random);
    const kept = file.map((each) => (each.accessKeyId === accessKeyId ? key : each));
    writeCredentialsFile(this.#data.credentialsFile, kept);
    return key;
  }

  setDisabled(accessKeyId: string, disabled: boolean): void {
    this.store.putKeys([{ ...this.#find(accessKeyId), disabled }]);
  }

  close(): void {
    this.store.close();
  }

  /** The file would lead every client of this host astray. */
  #requireSame({ accessKeyId, secretAccessKey }: AccessKey): void {
    const known = this.store.find(accessKeyId);
    if (!known || known.secretAccessKey === secretAccessKey) return;
    const path = this.#data.credentialsFile;
    throw new SluiceError(
      'CONFIG_INVALID',
      `${path}: the secret of ${accessKeyId} is not the one that the region knows; restore the file, or remove it to get a new key`,
      { data: { path } },
    );
  }

  #find(accessKeyId: string): AccessKeyRecord {
    const found = this.store.readKey(accessKeyId);
    if (found) return found;
    throw new SluiceError('KEY_NOT_FOUND', `${accessKeyId}: no account has this access key`);
  }

  #record(key: AccessKey): AccessKeyRecord {
    return { ...key, createdMs: this.#clock.nowMs(), disabled: false };
  }

  #adopt(key: AccessKey): void {
    const { accountId } = key;
    if (!this.store.hasAccount(accountId)) {
      const name = accountId === defaultAccountId ? 'default' : accountId;
      this.store.addAccount({ accountId, name, createdMs: this.#clock.nowMs() });
    }
    this.store.putKeys([this.#record(key)]);
  }
}
