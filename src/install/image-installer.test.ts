import assert from 'node:assert/strict';
import { readdirSync, readFileSync, truncateSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { writeLayout } from '../../test/support/oci-image.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { openStores } from '../serve/stores.ts';

const accountId = '000000000000';
const otherAccountId = '111111111111';

/** An installer, an image, and a way to lose the image's layers and keep what names them. */
async function setUp(t: TestContext) {
  const layout = await writeLayout(t);
  const stores = await openStores(temporaryDirectory(t, 'installer'));
  const install = (account = accountId) =>
    stores.installer.install(
      {
        accountId: account,
        functionName: 'f',
        imageUri: `oci:${layout}:latest`,
        architecture: 'x86_64',
      },
      new AbortController().signal,
    );
  const loseLayers = () => {
    const blobs = join(layout, 'blobs/sha256');
    for (const name of readdirSync(blobs)) {
      const path = join(blobs, name);
      if (!isDocument(path)) truncateSync(path, 0);
    }
  };
  return { stores, install, loseLayers };
}

const isDocument = (path: string): boolean => readFileSync(path, 'utf8').startsWith('{');

test('the same account installs an image once, and reads no layer the second time', async (t) => {
  const { stores, install, loseLayers } = await setUp(t);
  const first = await install();
  loseLayers();
  assert.deepEqual(await install(), first);
  const reopened = await openStores(stores.data.path);
  assert.equal((await reopened.images.list()).length, 1);
});

test('another account makes its own manifest of the same image', async (t) => {
  const { stores, install, loseLayers } = await setUp(t);
  const first = await install();
  const other = await install(otherAccountId);
  assert.notEqual(other.manifestId, first.manifestId);
  assert.equal(other.imageDigest, first.imageDigest);
  const owners = (await stores.images.list()).map(({ account }) => account);
  assert.deepEqual(owners.sort(), [accountId, otherAccountId]);
  loseLayers();
  await assert.rejects(install('222222222222'), 'its layers are read again');
});

test('a manifest that is gone, and a root that is retired, mean another manifest', async (t) => {
  const { stores, install } = await setUp(t);
  const first = await install();
  await stores.origin.forgetManifest(first.manifestId);
  const second = await install();
  assert.notEqual(second.manifestId, first.manifestId);
  const retired = await stores.origin.activeRoot(accountId);
  await stores.origin.createRoot();
  await stores.origin.advanceRoot(retired, 'retired');
  const third = await install();
  assert.notEqual(third.manifestId, second.manifestId);
  const { rootId } = await stores.origin.findManifest(third.manifestId);
  assert.notEqual(rootId, retired);
});
