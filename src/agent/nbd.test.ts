import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { readFile, writeFile } from 'node:fs/promises';
import { connect } from 'node:net';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import { hostHas } from '../../test/support/host.ts';
import { serveOverNbd as serve } from '../../test/support/nbd-device.ts';
import { MIB } from '../base/mod.ts';

const execute = promisify(execFile);

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

/** A client of libnbd's that does at random what a file system does, beside a model in memory. */
const model = `
import nbd, random, sys, time
uri, seed, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3])
random.seed(seed)
h = nbd.NBD()
h.connect_uri(uri)
size = h.get_size()
parts = [(at, min(1 << 20, size - at)) for at in range(0, size, 1 << 20)]
disk = bytearray(b"".join(h.pread(length, at) for at, length in parts))
steps, end = 0, time.monotonic() + seconds
while time.monotonic() < end or steps < 100:
    length = random.choice([1, 511, 512, 4096, 4097, 65536, 1 << 20, random.randint(1, 300000)])
    at = random.randint(0, size - length)
    if random.random() < 0.5:
        at -= at % 4096
    kind = random.choice(["read", "read", "write", "write", "trim", "zero", "flush"])
    where = f"seed {seed} step {steps}: {kind} {length} at {at}"
    if kind == "read":
        assert h.pread(length, at) == disk[at:at + length], where
    elif kind == "write":
        data = random.randbytes(length)
        h.pwrite(data, at, nbd.CMD_FLAG_FUA if random.random() < 0.2 else 0)
        disk[at:at + length] = data
    elif kind == "flush":
        h.flush()
    else:
        (h.trim if kind == "trim" else h.zero)(length, at)
        disk[at:at + length] = bytes(length)
    steps += 1
for at, length in parts:
    assert h.pread(length, at) == disk[at:at + length], f"seed {seed}: at {at} in the end"
h.shutdown()
print(steps)
`;

test('libnbd reads, writes, trims, zeroes and flushes at random as on its model', async (t) => {
  if (!hostHas(t, 'tool:nbdsh', 'tool:/usr/bin/python3')) return;
  const { uri } = await serve(t, true);
  const seed = `${randomInt(2 ** 31)}`;
  const { stdout } = await execute('/usr/bin/python3', ['-c', model, uri, seed, '2']);
  assert.ok(Number(stdout) >= 100, `${stdout} steps`);
});

test("fio's NBD engine reads back what it wrote, many requests in flight", async (t) => {
  if (!hostHas(t, 'tool:fio')) return;
  const { uri } = await serve(t, true);
  const engines = await execute('fio', ['--enghelp']);
  if (!/^\s*nbd$/m.test(engines.stdout)) return t.skip('this fio has no NBD engine');
  const shape = ['--rw=randwrite', '--bsrange=512-64k', '--blockalign=512', '--size=8m'];
  const check = ['--verify=crc32c', '--do_verify=1', '--verify_fatal=1', '--verify_state_save=0'];
  const engine = ['--name=nbd', '--ioengine=nbd', `--uri=${uri}`, '--iodepth=8', '--thread'];
  await execute('fio', [...engine, ...shape, ...check, '--output-format=terse']);
});
