import assert from 'node:assert/strict';
import { readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError, systemClock, systemRandom } from '../base/mod.ts';
import { ensureDataDirectory } from '../config/mod.ts';
import type { OnDamaged } from '../database/mod.ts';
import type { AccessKeyRecord } from './account-records.ts';
import { Accounts } from './accounts.ts';
import { SqliteAccountStore } from './sqlite-account-store.ts';

const account = { accountId: '111111111111', name: 'one', createdMs: 1 };
const key: AccessKeyRecord = {
  accessKeyId: 'AKIA1',
  secretAccessKey: 's',
  accountId: account.accountId,
  createdMs: 1,
  disabled: false,
};

const unreadable: OnDamaged = (_, error) => {
  throw error;
};

function open(t: TestContext, path: string, onDamaged = unreadable): SqliteAccountStore {
  const store = SqliteAccountStore.open(path, onDamaged);
  t.after(() => store.close());
  return store;
}

test('accounts and keys are kept, in a file for the owner alone', (t) => {
  const path = join(temporaryDirectory(t), 'accounts.db');
  const first = open(t, path);
  first.addAccount(account);
  const policies = [{ Statement: { Effect: 'Allow', Action: '*', Resource: '*' } }] as const;
  first.putKeys([key, { ...key, accessKeyId: 'AKIA2', userName: 'u', policies }]);
  first.close();
  assert.equal(statSync(path).mode & 0o777, 0o600);
  const second = open(t, path);
  assert.deepEqual(second.listAccounts(), [account]);
  assert.deepEqual(second.listKeys(account.accountId)[0], key);
  assert.equal(second.find('AKIA1')?.principalArn, 'arn:aws:iam::111111111111:root');
  assert.equal(second.find('AKIA2')?.principalArn, 'arn:aws:iam::111111111111:user/u');
  assert.deepEqual(second.find('AKIA2')?.policies, policies);
  assert.equal(second.find('AKIA3'), undefined);
});

test('what another process commits is in force at once', (t) => {
  const path = join(temporaryDirectory(t), 'accounts.db');
  const serving = open(t, path);
  const commandLine = open(t, path);
  commandLine.addAccount(account);
  commandLine.putKeys([key]);
  assert.equal(serving.find('AKIA1')?.disabled, false);
  commandLine.putKeys([
    { ...key, disabled: true },
    { ...key, accessKeyId: 'AKIA2' },
  ]);
  assert.equal(serving.find('AKIA1')?.disabled, true);
  assert.equal(serving.find('AKIA2')?.disabled, false);
});

test('accounts exist once, have twelve digits, and must exist before their keys', (t) => {
  const store = open(t, ':memory:');
  store.addAccount(account);
  assert.throws(
    () => store.addAccount(account),
    (e) => isSluiceError(e, 'ACCOUNT_EXISTS'),
  );
  const short = { ...account, accountId: '1' };
  assert.throws(
    () => store.addAccount(short),
    (e) => isSluiceError(e, 'USAGE'),
  );
  const orphan = { ...key, accountId: '222222222222' };
  assert.throws(
    () => store.putKeys([key, orphan]),
    (e) => isSluiceError(e, 'ACCOUNT_NOT_FOUND'),
  );
  assert.equal(store.find('AKIA1'), undefined, 'all or none');
});

test('a damaged account or key is named, and nobody else’s signature fails for it', (t) => {
  const path = join(temporaryDirectory(t), 'accounts.db');
  const first = open(t, path);
  for (const accountId of ['111111111111', '222222222222']) {
    first.addAccount({ ...account, accountId });
    first.putKeys([{ ...key, accountId, accessKeyId: `AKIA${accountId}` }]);
  }
  const database = new DatabaseSync(path);
  database.exec("UPDATE accounts SET body = '' WHERE account_id = '111111111111'");
  database.exec("UPDATE access_keys SET body = '{' WHERE account_id = '111111111111'");
  database.close();
  const damaged: string[] = [];
  const store = open(t, path, (record) => void damaged.push(record));
  assert.equal(store.find('AKIA222222222222')?.accountId, '222222222222');
  assert.equal(store.find('AKIA111111111111'), undefined);
  assert.deepEqual(
    store.listAccounts().map(({ accountId }) => accountId),
    ['222222222222'],
  );
  assert.deepEqual(store.listKeys('111111111111'), []);
  assert.throws(() => store.readKey('AKIA111111111111'), { code: 'STORE_CORRUPT' });
  assert.ok(store.hasKey('AKIA111111111111') && store.hasAccount('111111111111'));
  const named = ['account 111111111111, access key AKIA111111111111', 'account 111111111111'];
  assert.deepEqual(new Set(damaged), new Set(named));
});

test('a credentials file whose secret is not the region’s is named', (t) => {
  const data = ensureDataDirectory(temporaryDirectory(t));
  const openAccounts = () => Accounts.open(data, systemClock, systemRandom, unreadable);
  openAccounts().close();
  const text = readFileSync(data.credentialsFile, 'utf8');
  const flip = (secret: string) => (secret.startsWith('A') ? 'B' : 'A') + secret.slice(1);
  writeFileSync(data.credentialsFile, text.replace(/(?<=secret_access_key = ).*/, flip));
  assert.throws(openAccounts, (error: Error) =>
    error.message.startsWith(`${data.credentialsFile}: `),
  );
  rmSync(data.credentialsFile);
  openAccounts().close();
});
