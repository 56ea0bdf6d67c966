import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { isSluiceError } from '../base/mod.ts';
import { changeSetting, readSettings } from './mod.ts';

test('a setting is kept, read back, and put back to its default', (t) => {
  const path = join(temporaryDirectory(t), 'config.json');
  assert.equal(readSettings(path).salt.rotationDays, 0);
  changeSetting(path, 'salt.rotationDays', 30);
  assert.deepEqual(readSettings(path).salt, { scope: 'region', rotationDays: 30, placement: '' });
  changeSetting(path, 'salt.rotationDays', undefined);
  assert.equal(readSettings(path).salt.rotationDays, 0);
});

test('limits on cold starts are settable one by one, between 1 and their bound', (t) => {
  const path = join(temporaryDirectory(t), 'config.json');
  const { perRegion } = readSettings(path).starts;
  assert.equal(changeSetting(path, 'starts.perAccount', 2).starts.perAccount, 2);
  assert.equal(readSettings(path).starts.perRegion, perRegion);
  for (const value of [0, 1.5, 1e9, 'many']) {
    assert.throws(() => changeSetting(path, 'starts.perRegion', value), {
      code: 'CONFIG_INVALID',
    });
  }
});

test('the range of the sandboxes’ users is beyond the host’s own, and within 31 bits', (t) => {
  const path = join(temporaryDirectory(t), 'config.json');
  assert.equal(readSettings(path).sandbox.firstUid, 2_031_616);
  changeSetting(path, 'sandbox.firstUid', 524_288);
  assert.equal(readSettings(path).sandbox.firstUid, 524_288);
  for (const value of [0, 1000, 65_535, 2 ** 31, 1e6 + 0.5]) {
    assert.throws(() => changeSetting(path, 'sandbox.firstUid', value), { code: 'CONFIG_INVALID' });
  }
});

test('a value that does not fit is an error that names it and leaves the file as it was', (t) => {
  const path = join(temporaryDirectory(t), 'config.json');
  changeSetting(path, 'salt.scope', 'account');
  const before = readFileSync(path, 'utf8');
  assert.throws(
    () => changeSetting(path, 'salt.scope', 'galaxy'),
    (error) => isSluiceError(error, 'CONFIG_INVALID') && error.message.includes('salt.scope'),
  );
  assert.equal(readFileSync(path, 'utf8'), before);
});
