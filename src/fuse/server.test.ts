import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, writeFileSync } from 'node:fs';
import { mkdir, open, readdir, readFile, stat, statfs } from 'node:fs/promises';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { Worker } from 'node:worker_threads';
import { hostHas } from '../../test/support/host.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { mountFuse, unmountFuse } from './mount.ts';
import { ringDoorbell } from './notify.ts';
import { DOORBELL_NAME } from './protocol.ts';

const TRANSFER_BYTES = 1 << 20;
const FILE_BYTES = 5_000_000;

/** Serves, in its thread, files whose every byte is its offset's low byte, plus its node id. */
const served = `
  import { parentPort, workerData } from 'node:worker_threads';
  import { FuseServer } from ${JSON.stringify(import.meta.resolve('./server.ts'))};
  const { fd, root, sizeBytes } = workerData;
  const first = root === 'file' ? 1 : 3;
  const all = ['one', 'two'].map((name, index) => ({
    nodeId: first + index, name, sizeBytes, writable: false,
  }));
  const files = {
    byName: (name) => all.find((each) => each.name === name),
    byNode: (nodeId) => all.find((each) => each.nodeId === nodeId),
    all: () => all,
    read: (replies, unique, nodeId, offset, bytes) => {
      for (let i = 0; i < bytes; i++) replies.payload[i] = offset + i + nodeId;
      replies.replyPayload(unique, bytes);
    },
    write: (replies, unique) => replies.replyFailure(unique, 'no'),
    discard: (replies, unique) => replies.replyFailure(unique, 'no'),
    awakened: () => parentPort.postMessage('awake'),
    errnoOf: () => 5,
  };
  const maxTransferBytes = ${TRANSFER_BYTES};
  new FuseServer({ fd, files, root, maxTransferBytes, maxBackground: 16 }).run();
`;

interface Mounted {
  readonly mountPoint: string;
  readonly fd: number;
  readonly server: Worker;
}

/** Runs `use` with the mount there, and takes it away before the test's directory goes. */
async function withMount(
  t: TestContext,
  root: 'directory' | 'file',
  use: (mounted: Mounted) => Promise<void>,
): Promise<string> {
  const mountPoint = join(temporaryDirectory(t, 'fuse'), 'mount');
  if (root === 'file') writeFileSync(mountPoint, '');
  else mkdirSync(mountPoint);
  const { fd } = await mountFuse(mountPoint, root, TRANSFER_BYTES);
  const source = new URL(`data:text/javascript,${encodeURIComponent(served)}`);
  const server = new Worker(source, { workerData: { fd, root, sizeBytes: FILE_BYTES } });
  const ended = once(server, 'exit');
  try {
    await use({ mountPoint, fd, server });
  } finally {
    await unmountFuse(mountPoint);
    await ended;
  }
  return mountPoint;
}

function expected(nodeId: number): Buffer {
  const bytes = Buffer.alloc(FILE_BYTES);
  for (let index = 0; index < FILE_BYTES; index++) bytes[index] = index + nodeId;
  return bytes;
}

test('a directory lists its files, and reads them in requests larger than one transfer', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  await withMount(t, 'directory', async ({ mountPoint }) => {
    assert.deepEqual(await readdir(mountPoint), ['one', 'two']);
    assert.ok(expected(3).equals(await readFile(join(mountPoint, 'one'))));
    assert.ok(expected(4).equals(await readFile(join(mountPoint, 'two'))));
    const { size, mode, blocks } = await stat(join(mountPoint, 'two'));
    assert.deepEqual(
      [size, mode & 0o777, blocks],
      [FILE_BYTES, 0o400, Math.ceil(FILE_BYTES / 512)],
    );
    assert.equal((await statfs(mountPoint)).files, 2);
  });
});

test('operations beyond one file per inode are refused, and the server goes on', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  await withMount(t, 'directory', async ({ mountPoint }) => {
    const one = join(mountPoint, 'one');
    await assert.rejects(mkdir(join(mountPoint, 'new')), { code: 'ENOSYS' });
    await assert.rejects(open(join(mountPoint, 'new'), 'w'), { code: 'ENOSYS' });
    await assert.rejects(open(one, 'r+'), { code: 'EROFS' });
    await assert.rejects(open(join(mountPoint, 'three')), { code: 'ENOENT' });
    const file = await open(one);
    const buffer = Buffer.alloc(8192);
    const { bytesRead } = await file.read(buffer, 0, buffer.length, FILE_BYTES - 100);
    assert.equal(bytesRead, 100);
    assert.equal((await file.read(buffer, 0, 10, FILE_BYTES + 5)).bytesRead, 0);
    await file.close();
  });
});

test('the doorbell wakes the server, while someone holds it', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  await withMount(t, 'directory', async ({ mountPoint, fd, server }) => {
    const bell = await open(join(mountPoint, DOORBELL_NAME), 'r');
    const awake = once(server, 'message');
    ringDoorbell(fd, 'directory');
    assert.deepEqual(await awake, ['awake']);
    await bell.close();
  });
});

test('a mount on a plain file is the file, and unmounting ends the server', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const mounted = await withMount(t, 'file', async ({ mountPoint, fd, server }) => {
    assert.ok(expected(1).equals(await readFile(mountPoint)));
    const awake = once(server, 'message');
    ringDoorbell(fd, 'file');
    await awake;
  });
  assert.equal((await readFile(mounted)).length, 0);
});
