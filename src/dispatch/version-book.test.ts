import assert from 'node:assert/strict';
import { test } from 'node:test';
import { isSluiceError } from '../base/mod.ts';
import { servingVersion } from '../catalogue/mod.ts';
import { installSucceeded, MemoryFunctionStore } from '../records/mod.ts';
import { sampleCode, sampleFunction, sampleStamp } from '../records/samples.fixture.ts';
import { VersionBook } from './version-book.ts';

const key = { accountId: '000000000000', name: 'f' };
const region = 'us-east-1';

async function stored() {
  const store = new MemoryFunctionStore();
  const pending = sampleFunction(key);
  await store.insert(pending);
  const record = await store.change(key, (each) => {
    const installed = installSucceeded(each, each.latest.work?.id ?? '', sampleCode, sampleStamp());
    return { function: installed ?? assert.fail('it is installed') };
  });
  const reference = { ...key, qualifier: undefined };
  return { store, version: servingVersion(region, { reference, record, version: record.latest }) };
}

test('a version that was asked for is known by its reference', async () => {
  const { version } = await stored();
  const unread = async () => assert.fail('the store is not asked');
  const book = new VersionBook(region, { read: unread, readVersion: unread });
  const ref = book.refOf(version);
  assert.equal(ref, book.refOf(version), 'translated once');
  const template = await book.find(JSON.parse(JSON.stringify(ref)));
  assert.equal(template.revision, version.servingId);
  assert.equal(template.manifestId, sampleCode.manifestId);
});

test('references of tenants are kept apart, and lead to one version', async () => {
  const { version } = await stored();
  const unread = async () => assert.fail('the store is not asked');
  const book = new VersionBook(region, { read: unread, readVersion: unread });
  const [blue, green] = [book.refOf(version, 'blue'), book.refOf(version, 'green')];
  assert.notEqual(blue.key, green.key);
  for (const ref of [blue, green]) {
    assert.equal((await book.find(ref)).revision, version.servingId);
  }
});

test('a forgotten version is read from the store while it serves, and not afterwards', async () => {
  const { store, version } = await stored();
  const ref = new VersionBook(region, store).refOf(version);
  const other = new VersionBook(region, store);
  assert.equal((await other.find(ref)).functionName, 'f');
  await assert.rejects(other.find({ ...ref, key: 'old', revision: 'old' }), (error) =>
    isSluiceError(error, 'FUNCTION_NOT_FOUND'),
  );
  await store.remove(key);
  await assert.rejects(other.find(ref), (error) => isSluiceError(error, 'FUNCTION_NOT_FOUND'));
});

test('no more versions are remembered than the limit', async () => {
  const { store, version } = await stored();
  const reads: string[] = [];
  const counting = {
    read: async (each: typeof key) => {
      reads.push(each.name);
      return store.read(each);
    },
    readVersion: (each: typeof key, number: number) => store.readVersion(each, number),
  };
  const book = new VersionBook(region, counting, { versionsMax: 1 });
  const ref = book.refOf(version);
  await book.find(ref);
  book.refOf({ ...version, servingId: 'another' });
  assert.deepEqual(reads, []);
  await book.find(ref);
  assert.deepEqual(reads, ['f'], 'the oldest went');
});

test('an access point that stands for a directory is mounted, another is not', async () => {
  const { version } = await stored();
  const fileSystems = ['shared', 'other'].map((name) => ({
    arn: `arn:aws:elasticfilesystem:us-east-1:000000000000:access-point/${name}`,
    localMountPath: `/mnt/${name}`,
  }));
  const directoryOf = (accountId: string, arn: string) =>
    accountId === '000000000000' && arn.endsWith('/shared') ? '/srv/shared' : undefined;
  const unread = async () => assert.fail('the store is not asked');
  const book = new VersionBook(region, { read: unread, readVersion: unread }, { directoryOf });
  const { configuration, ...rest } = version;
  const mounting = { ...rest, configuration: { ...configuration, fileSystems } };
  const { hostMounts } = await book.find(book.refOf(mounting));
  assert.deepEqual(hostMounts, [{ directory: '/srv/shared', path: '/mnt/shared' }]);
});
