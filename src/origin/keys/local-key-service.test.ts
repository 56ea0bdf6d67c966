import assert from 'node:assert/strict';
import { chmodSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { type ErrorCode, isSluiceError, systemClock, systemRandom } from '../../base/mod.ts';
import { keyServiceConformance } from './key-service.conformance.ts';
import { LocalKeyService } from './local-key-service.ts';

const context = { accountId: '000000000000', manifestId: 'm' };
const open = (directory: string) => new LocalKeyService(directory, systemClock, systemRandom);

keyServiceConformance('local keys', async (t) => {
  const service = open(temporaryDirectory(t));
  return {
    service,
    accounts: ['000000000000', '000000000001'],
    rotate: async (accountId) => {
      await service.rotateAccountKey(accountId);
    },
    disable: (keyId) => service.setKeyState(keyId, 'disabled'),
  };
});

function filesBelow(directory: string): string[] {
  const entries = readdirSync(directory, { recursive: true, withFileTypes: true });
  return entries.filter((each) => each.isFile()).map((each) => join(each.parentPath, each.name));
}

test('local keys: survive the process, in files that only their owner reads', async (t) => {
  const directory = temporaryDirectory(t);
  const key = await open(directory).generateDataKey(context);
  assert.deepEqual(await open(directory).unwrapDataKey(key, context), key.plaintext);
  const files = filesBelow(directory);
  assert.equal(files.length, 2);
  for (const file of files) assert.equal(statSync(file).mode & 0o777, 0o600, file);
});

test('local keys: no account key and no data key is on disk in clear', async (t) => {
  const directory = temporaryDirectory(t);
  const secrets: Buffer[] = [];
  const random = {
    ...systemRandom,
    bytes: (size: number) => {
      const bytes = systemRandom.bytes(size);
      if (size === 32) secrets.push(Buffer.from(bytes));
      return bytes;
    },
  };
  await new LocalKeyService(directory, systemClock, random).generateDataKey(context);
  assert.equal(secrets.length, 3, 'a data key, a master key, an account key');
  const master = readFileSync(join(directory, 'master.key'));
  for (const file of filesBelow(directory).filter((each) => !each.endsWith('master.key'))) {
    const bytes = readFileSync(file);
    for (const secret of secrets) {
      assert.ok(secret.equals(master) || !bytes.includes(secret));
      assert.ok(!bytes.includes(secret.toString('base64')));
    }
  }
});

test('local keys: many that start at once agree on every key', async (t) => {
  const directory = temporaryDirectory(t);
  const services = Array.from({ length: 8 }, () => open(directory));
  const made = await Promise.all(services.map((service) => service.generateDataKey(context)));
  for (const key of made) {
    assert.deepEqual(await open(directory).unwrapDataKey(key, context), key.plaintext);
  }
  const secrets = await Promise.all(services.map((service) => service.dedupSecret()));
  assert.equal(new Set(secrets.map((secret) => secret.toString('hex'))).size, 1);
  await Promise.all(services.map((service) => service.rotateAccountKey(context.accountId)));
  for (const key of made) {
    assert.deepEqual(await open(directory).unwrapDataKey(key, context), key.plaintext);
  }
});

test('local keys: a lost master key is reported, not replaced', async (t) => {
  const directory = temporaryDirectory(t);
  const key = await open(directory).generateDataKey(context);
  rmSync(join(directory, 'master.key'));
  await assert.rejects(open(directory).unwrapDataKey(key, context), { code: 'KEY_NOT_FOUND' });
  const other = { ...context, accountId: '000000000001' };
  await assert.rejects(open(directory).generateDataKey(other), { code: 'KEY_NOT_FOUND' });
  assert.ok(!filesBelow(directory).some((file) => file.endsWith('master.key')));
});

test('local keys: a key file that others may read is refused', async (t) => {
  const directory = temporaryDirectory(t);
  const key = await open(directory).generateDataKey(context);
  chmodSync(join(directory, 'master.key'), 0o644);
  await assert.rejects(open(directory).unwrapDataKey(key, context), { code: 'KEY_DENIED' });
});

test('local keys: a damaged file is named', async (t) => {
  const directory = temporaryDirectory(t);
  const key = await open(directory).generateDataKey(context);
  const path = join(directory, 'accounts', context.accountId, '1.json');
  writeFileSync(path, '{');
  await assert.rejects(open(directory).unwrapDataKey(key, context), (error: Error) => {
    return error.message.startsWith(path);
  });
});

test('local keys: an account whose id is a path gets no key', async (t) => {
  const service = open(temporaryDirectory(t));
  const climbing = { ...context, accountId: '../up' };
  await assert.rejects(service.generateDataKey(climbing), { code: 'KEY_NOT_FOUND' });
});

test('local keys: secrets are made once, and told apart by their digests for ever after', async (t) => {
  const directory = temporaryDirectory(t);
  const names = ['master.key', 'dedup.secret'] as const;
  const made = await open(directory).verifySecrets(names, {});
  assert.deepEqual(Object.keys(made), names);
  assert.match(String(made['master.key']), /^[0-9a-f]{64}$/);
  assert.notEqual(made['master.key'], made['dedup.secret']);
  const before = readFileSync(join(directory, 'master.key'));
  assert.deepEqual(await open(directory).verifySecrets(names, made), made);
  assert.deepEqual(await open(directory).verifySecrets([], made), made, 'others stay known');
  assert.deepEqual(readFileSync(join(directory, 'master.key')), before);
});

for (const name of ['master.key', 'dedup.secret'] as const) {
  test(`local keys: a ${name} that is known and lost, short or another is named`, async (t) => {
    const directory = temporaryDirectory(t);
    const known = await open(directory).verifySecrets([name], {});
    const path = join(directory, name);
    const refused = async (code: string) => {
      await assert.rejects(open(directory).verifySecrets([name], known), (error) => {
        assert.ok(isSluiceError(error, code as ErrorCode), String(error));
        assert.ok(error.message.startsWith(path), error.message);
        return true;
      });
    };
    writeFileSync(path, Buffer.alloc(31));
    await refused('STORE_CORRUPT');
    writeFileSync(path, Buffer.alloc(32));
    await refused('STORE_CORRUPT');
    rmSync(path);
    await refused('KEY_NOT_FOUND');
    assert.deepEqual(filesBelow(directory), [], 'none is made in its place');
  });
}
