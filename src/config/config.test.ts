import assert from 'node:assert/strict';
import { readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError, SeededRandom } from '../base/mod.ts';
import {
  ensureCredentialsFile,
  ensureDataDirectory,
  lockDataDirectory,
  parseCredentials,
} from './mod.ts';

test('the credentials file is made once, private, and read back', (t) => {
  const path = join(temporaryDirectory(t), 'credentials');
  const [made] = ensureCredentialsFile(path, new SeededRandom(1));
  assert.match(made?.accessKeyId ?? '', /^AKIA[A-Z2-7]{16}$/);
  assert.equal(statSync(path).mode & 0o777, 0o600);
  assert.deepEqual(ensureCredentialsFile(path, new SeededRandom(2)), [made]);
  assert.match(readFileSync(path, 'utf8'), /^\[default\]\naws_access_key_id = /);
});

test('a damaged credentials file is an error that names it', () => {
  for (const text of ['', '[default]\naws_access_key_id = x\n', 'nonsense']) {
    assert.throws(
      () => parseCredentials(text, '/somewhere/credentials'),
      (error) => isSluiceError(error, 'CONFIG_INVALID') && error.message.startsWith('/somewhere/'),
    );
  }
});

test('one region per data directory: a second lock is refused until the first is released', (t) => {
  const data = ensureDataDirectory(temporaryDirectory(t));
  const lock = lockDataDirectory(data);
  assert.throws(
    () => lockDataDirectory(data),
    (error) => isSluiceError(error, 'DATA_DIRECTORY_LOCKED') && error.message.includes(data.path),
  );
  lock.release();
  lockDataDirectory(data).release();
});

test('a data directory that cannot be made is an error that names it', (t) => {
  const file = join(temporaryDirectory(t), 'file');
  writeFileSync(file, '');
  assert.throws(
    () => ensureDataDirectory(join(file, 'below')),
    (error) => isSluiceError(error, 'CONFIG_INVALID') && error.message.includes(file),
  );
});
