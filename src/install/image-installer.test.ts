import assert from 'node:assert/strict';
import { readdirSync, readFileSync, truncateSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { dirname, join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { writeLayout } from '../../test/support/oci-image.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { openStores } from '../serve/stores.ts';

const accountId = '000000000000';
const otherAccountId = '111111111111';

/** An installer, an image, and a way to lose the image's layers and keep what names them. */
async function setUp(t: TestContext) {
  const layout = await writeLayout(t);
  const dataPath = temporaryDirectory(t, 'installer');
  const accounts = [otherAccountId, '222222222222'];
  const local = Object.fromEntries(accounts.map((each) => [each, [dirname(layout)]]));
  writeFileSync(join(dataPath, 'config.json'), JSON.stringify({ images: { local } }));
  const stores = await openStores(dataPath);
  t.after(() => stores.close());
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
  if (!hostHas(t, 'namespaces')) return;
  const { stores, install, loseLayers } = await setUp(t);
  const first = await install();
  loseLayers();
  assert.deepEqual(await install(), first);
  const reopened = await openStores(stores.data.path);
  t.after(() => reopened.close());
  assert.equal((await reopened.images.list()).length, 1);
});

test('another account makes its own manifest of the same image', async (t) => {
  if (!hostHas(t, 'namespaces')) return;
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
  if (!hostHas(t, 'namespaces')) return;
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

test("a tenant's image makes the region connect to nothing near it", async (t) => {
  if (!hostHas(t, 'namespaces')) return;
  const { stores } = await setUp(t);
  let requests = 0;
  const server = createServer((_, response) => {
    requests++;
    response.writeHead(404).end();
  }).listen(0, '127.0.0.1');
  t.after(() => server.close());
  await new Promise((resolve) => server.once('listening', resolve));
  const { port } = server.address() as AddressInfo;
  const install = (account: string, host: string) =>
    stores.installer.install(
      {
        ...{ accountId: account, functionName: 'f', architecture: 'x86_64' },
        imageUri: `${host}:${port}/team/app:1`,
      },
      new AbortController().signal,
    );
  for (const host of ['localhost', '127.0.0.1']) {
    await assert.rejects(install(otherAccountId, host), { code: 'ACCESS_DENIED' });
  }
  assert.equal(requests, 0);
  await assert.rejects(install(accountId, 'localhost'), { code: 'IMAGE_NOT_FOUND' });
  assert.equal(requests, 1);
});

/** Kills `count` flatteners of this process, as they come. Answers what ends that. */
function killFlatteners(count: number): { readonly killed: Set<number>; stop(): void } {
  const killed = new Set<number>();
  const look = () => {
    const tasks = readdirSync('/proc/self/task');
    const pids = tasks.flatMap((task) =>
      readIfThere(`/proc/self/task/${task}/children`).trim().split(' ').map(Number),
    );
    for (const pid of pids.filter((each) => each > 0 && !killed.has(each))) {
      if (killed.size >= count || !/flattener-main/.test(readIfThere(`/proc/${pid}/cmdline`)))
        continue;
      killed.add(pid);
      process.kill(pid, 'SIGKILL');
    }
  };
  const timer = setInterval(look, 1);
  return { killed, stop: () => clearInterval(timer) };
}

/** Of a thread or process that may end meanwhile. */
function readIfThere(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

test('a flattener that is killed is tried again once, and then fails without a path of ours', async (t) => {
  if (!hostHas(t, 'namespaces')) return;
  const { install } = await setUp(t);
  const once = killFlatteners(1);
  t.after(once.stop);
  await install();
  assert.equal(once.killed.size, 1);
  once.stop();
  const always = killFlatteners(2);
  t.after(always.stop);
  await assert.rejects(install(otherAccountId), (error: Error) => {
    assert.equal((error as Error & { code: string }).code, 'FLATTENER_DIED');
    assert.match(error.message, /^oci:\S+: the flattener ended with SIGKILL$/);
    return true;
  });
  assert.equal(always.killed.size, 2);
});
