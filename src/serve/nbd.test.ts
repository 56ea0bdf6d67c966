import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { promisify } from 'node:util';
import { hostHas } from '../../test/support/host.ts';
import { sealDisk } from '../../test/support/sealed-disk.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { MIB, noLogger, systemClock, systemRandom } from '../base/mod.ts';
import { ChunkSlots } from '../cache/mod.ts';
import { LocalDevice } from '../device/mod.ts';
import { NbdServer } from '../nbd/mod.ts';
import { directoryOrigin } from '../origin/mod.ts';

const execute = promisify(execFile);

interface Served {
  readonly uri: string;
  readonly directory: string;
  readonly disk: Buffer;
  readonly file: string;
}

/** A device of random bytes with holes, exported on a unix socket; `file` holds the same bytes. */
async function serve(t: TestContext, writable: boolean, overlayLimitBytes = 32 * MIB) {
  const directory = temporaryDirectory(t, 'nbd');
  const stores = { clock: systemClock, random: systemRandom };
  const origin = directoryOrigin(join(directory, 'origin'), stores);
  const disk = randomBytes(12 * MIB);
  disk.fill(0, 2 * MIB, 5 * MIB);
  disk.fill(0, 8 * MIB + 4096, 8 * MIB + 8192);
  const sealed = await sealDisk(disk, origin, join(directory, 'keys'));
  await mkdir(join(directory, 'overlays'));
  const device = await LocalDevice.open(
    { ...sealed, deviceId: 'disk', writable, overlayLimitBytes },
    {
      memory: new ChunkSlots(ChunkSlots.allocate(16 * MIB)),
      source: origin,
      tierOf: () => 'origin',
      overlayDirectory: join(directory, 'overlays'),
      ...stores,
    },
  );
  const server = new NbdServer([device], noLogger);
  const path = join(directory, 'socket');
  await server.listen({ path });
  t.after(async () => {
    await server.close();
    await device.close();
  });
  const file = join(directory, 'disk.raw');
  await writeFile(file, disk);
  const served: Served = { uri: `nbd+unix:///disk?socket=${path}`, directory, disk, file };
  return { ...served, device };
}

test('nbdinfo sees size, flags, and holes where zero chunks are', async (t) => {
  if (!hostHas(t, 'tool:nbdinfo')) return;
  const { uri, disk } = await serve(t, false);
  const { stdout } = await execute('nbdinfo', ['--json', '--list', uri]);
  const [shown] = JSON.parse(stdout).exports;
  assert.equal(shown['export-name'], 'disk');
  assert.equal(shown['export-size'], disk.length);
  assert.equal(shown.is_read_only, true);
  assert.equal(shown.can_multi_conn, true);
  const map = JSON.parse((await execute('nbdinfo', ['--json', '--map', uri])).stdout);
  assert.deepEqual(
    map.map((each: Record<string, unknown>) => [each['offset'], each['length'], each['type']]),
    [
      [0, 2 * MIB, 0],
      [2 * MIB, 3 * MIB, 3],
      [5 * MIB, 7 * MIB, 0],
    ],
  );
});

test('nbdcopy over several connections and qemu-img compare find the same bytes', async (t) => {
  if (!hostHas(t, 'tool:nbdcopy', 'tool:qemu-img')) return;
  const { uri, directory, disk, file } = await serve(t, false);
  const copy = join(directory, 'copy');
  await execute('nbdcopy', ['--connections=4', uri, copy]);
  assert.ok(disk.equals(await readFile(copy)));
  await execute('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', file, uri]);
  const { stdout } = await execute('qemu-img', ['map', '-f', 'raw', '--output=json', uri]);
  const data = JSON.parse(stdout).filter((each: { data: boolean }) => each.data);
  assert.deepEqual(
    data.map((each: { start: number; length: number }) => [each.start, each.length]),
    [
      [0, 2 * MIB],
      [5 * MIB, 7 * MIB],
    ],
  );
});

test('nbdcopy writes to a writable export, holes and all; a read-only one refuses', async (t) => {
  if (!hostHas(t, 'tool:nbdcopy', 'tool:qemu-img')) return;
  const { uri, directory, disk } = await serve(t, true);
  const other = join(directory, 'other');
  const written = randomBytes(disk.length);
  written.fill(0, 6 * MIB, 9 * MIB);
  await writeFile(other, written);
  await execute('nbdcopy', ['--connections=4', other, uri]);
  await execute('qemu-img', ['compare', '-f', 'raw', '-F', 'raw', other, uri]);
  const readOnly = await serve(t, false);
  await assert.rejects(execute('nbdcopy', [other, readOnly.uri]));
});

test('a full overlay is ENOSPC to the client, and the export goes on', async (t) => {
  if (!hostHas(t, 'tool:nbdcopy')) return;
  const { uri, directory, disk } = await serve(t, true, 1 * MIB);
  const other = join(directory, 'other');
  await writeFile(other, randomBytes(disk.length));
  await assert.rejects(execute('nbdcopy', [other, uri]), /No space left on device/);
  const copy = join(directory, 'copy');
  await execute('nbdcopy', [uri, copy]);
  assert.equal((await readFile(copy)).length, disk.length);
});

test('a client that speaks nonsense loses its connection only', async (t) => {
  if (!hostHas(t, 'tool:nbdinfo')) return;
  const { uri } = await serve(t, false);
  const path = new URL(uri).searchParams.get('socket') ?? '';
  for (const nonsense of [randomBytes(200), Buffer.alloc(64, 0xff)]) {
    const socket = connect(path);
    socket.on('error', () => {});
    socket.write(nonsense);
    socket.resume();
    await once(socket, 'close');
  }
  await execute('nbdinfo', [uri]);
});
