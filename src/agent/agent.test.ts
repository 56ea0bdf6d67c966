import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { open, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import fc from 'fast-check';
import { hostHas } from '../../test/support/host.ts';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { CHUNK_SIZE_BYTES, MIB, systemRandom } from '../base/mod.ts';
import { sealKeyFor } from '../seal/mod.ts';
import { mountsBelow, rig, someDisk } from './agent.fixture.ts';

const execute = promisify(execFile);

test('a device shows the bytes of its disk, and does not appear in the host’s mounts', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, show, directory } = rig(t);
  const disk = someDisk(8 * MIB);
  const sealed = await seal(disk);
  const device = await show(sealed);
  assert.ok(disk.equals(await readFile(device.path)));
  assert.deepEqual(mountsBelow(directory), []);
  const stats = await device.stats();
  assert.equal(stats.chunksFetched, 14);
  assert.equal(stats.tiers.origin.reads > 0, true);
  await device.close();
  await assert.rejects(readFile(device.path), { code: 'ENOENT' });
  const again = await show(sealed);
  assert.ok(disk.equals(await readFile(again.path)), 'from memory that another device filled');
  assert.equal((await again.stats()).chunksFetched, 0);
});

test('an agent has no rights, and sees neither keys nor the host', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, show, directory } = rig(t);
  const [one, two] = [
    await show(await seal(someDisk(4 * MIB))),
    await show({ ...(await seal(someDisk(4 * MIB))), accountId: '111111111111' }),
  ];
  const pids = [one, two].map((device) => /^\/proc\/(\d+)\//.exec(device.path)?.[1]);
  const [status, other] = pids.map((pid) => readFileSync(`/proc/${pid}/status`, 'utf8'));
  assert.match(status ?? '', /^CapEff:\t0{16}$/m);
  assert.match(status ?? '', /^NoNewPrivs:\t1$/m);
  assert.match(status ?? '', /^Seccomp:\t2$/m);
  const uidOf = (text = '') => /^Uid:\t(\d+)/m.exec(text)?.[1];
  assert.notEqual(uidOf(status), '0');
  assert.notEqual(uidOf(status), uidOf(other), 'each account has an uid of its own');
  assert.ok(existsSync(join(directory, 'keys')));
  assert.equal(existsSync(`/proc/${pids[0]}/root${directory}/keys`), false);
  const own = readdirSync(`/proc/${pids[0]}/root${directory}/agents`);
  assert.equal(own.length, 1, 'no other agent’s directory is there');
  assert.deepEqual(readdirSync(`/proc/${pids[0]}/root`).includes('etc'), false);
  const mounts = readFileSync(`/proc/${pids[0]}/mountinfo`, 'utf8');
  assert.doesNotMatch(mounts, / (shared|master):/, 'it holds no mount that the host may unmount');
});

test('a refusal comes from the agent’s process with the facts of its error', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, show } = rig(t);
  const sealed = await seal(someDisk(4 * MIB));
  const { manifestId, accountId } = sealed;
  const sealKey = async (recipient: Uint8Array) =>
    sealKeyFor(recipient, randomBytes(32), { accountId, manifestId }, systemRandom);
  await assert.rejects(show({ ...sealed, sealKey }), {
    code: 'MANIFEST_TAMPERED',
    data: { manifestId },
  });
});

test('an agent serves one account, whatever it is asked for', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, show } = rig(t);
  const mine = await seal(someDisk(4 * MIB), '111111111111');
  const theirs = await seal(someDisk(4 * MIB), '222222222222');
  const first = await show(mine);
  const asMine = { ...theirs, accountId: mine.accountId };
  await assert.rejects(show(asMine), { code: 'ACCESS_DENIED' });
  await first.close();
  await assert.rejects(show(asMine), { code: 'ACCESS_DENIED' });
  await (await show(theirs)).close();
});

test('what is written is read back, and base pages around it stay', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, show } = rig(t);
  const disk = someDisk(4 * MIB);
  const device = await show(await seal(disk), { writable: true });
  const file = await open(device.path, 'r+');
  t.after(() => file.close());
  const written = randomBytes(3 * CHUNK_SIZE_BYTES + 777);
  await file.write(written, 0, written.length, 300_001);
  written.copy(disk, 300_001);
  assert.ok(disk.equals(await readFile(device.path)));
  await assert.rejects(file.truncate(100), { code: 'EPERM' });
  await assert.rejects(file.write(Buffer.alloc(10), 0, 10, disk.length), { code: 'EFBIG' });
});

test('a read-only device refuses to be opened for writing', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const { seal, show } = rig(t);
  const device = await show(await seal(someDisk(4 * MIB)));
  await assert.rejects(open(device.path, 'r+'), { code: 'EROFS' });
});

test('a full overlay is ENOSPC inside, and discarding makes room again', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'tool:fallocate')) return;
  const { seal, show } = rig(t, 1 * MIB);
  const disk = someDisk(8 * MIB);
  const device = await show(await seal(disk), { writable: true });
  const file = await open(device.path, 'r+');
  t.after(() => file.close());
  const half = randomBytes(MIB / 2);
  await file.write(half, 0, half.length, 0);
  await file.write(half, 0, half.length, MIB / 2);
  await assert.rejects(file.write(half, 0, half.length, 4 * MIB), { code: 'ENOSPC' });
  await execute('fallocate', ['-p', '-o', '0', '-l', `${MIB / 2}`, device.path]);
  await file.write(half, 0, half.length, 4 * MIB);
  disk.fill(0, 0, MIB / 2);
  half.copy(disk, MIB / 2);
  half.copy(disk, 4 * MIB);
  assert.ok(disk.equals(await readFile(device.path)));
  const stats = await device.stats();
  assert.equal(stats.overlayBytes, MIB);
});

test('fio reads back what it wrote at random, many requests in flight', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'tool:fio')) return;
  const { seal, show } = rig(t, 32 * MIB);
  const device = await show(await seal(someDisk(16 * MIB)), { writable: true });
  const shape = ['--rw=randwrite', '--bsrange=512-64k', '--blockalign=512', '--size=8m'];
  const check = ['--verify=crc32c', '--do_verify=1', '--verify_fatal=1', '--verify_state_save=0'];
  await execute('fio', [
    ...['--name=device', `--filename=${device.path}`, '--allow_file_create=0', '--thread'],
    ...['--ioengine=libaio', '--iodepth=8', '--direct=1', '--output-format=terse'],
    ...shape,
    ...check,
  ]);
  const { writes } = await device.stats();
  assert.ok(writes > 100, `${writes} writes went past the page cache`);
});

test('any mix of reads, writes and discards behaves as on a plain file', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'tool:fallocate')) return;
  const { seal, show } = rig(t, 64 * MIB);
  const size = 6 * MIB;
  const sealed = await seal(someDisk(size));
  const range = fc.record({
    at: fc.oneof(
      fc.nat(size - 1),
      fc.nat(size / 4096 - 1).map((page) => page * 4096),
    ),
    bytes: fc.oneof(fc.integer({ min: 1, max: 20_000 }), fc.constantFrom(4096, 65_536, MIB)),
  });
  const step = fc.record({ kind: fc.constantFrom('read', 'write', 'discard'), range });
  const run = fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
    const device = await show(sealed, { writable: true });
    const model = Buffer.from(await readFile(device.path));
    const file = await open(device.path, 'r+');
    try {
      for (const { kind, range } of steps) {
        const bytes = Math.min(range.bytes, size - range.at);
        if (kind === 'write') {
          const data = randomBytes(bytes);
          await file.write(data, 0, bytes, range.at);
          data.copy(model, range.at);
        } else if (kind === 'discard') {
          await execute('fallocate', ['-p', '-o', `${range.at}`, '-l', `${bytes}`, device.path]);
          model.fill(0, range.at, range.at + bytes);
        } else {
          const data = Buffer.alloc(bytes);
          await file.read(data, 0, bytes, range.at);
          assert.ok(data.equals(model.subarray(range.at, range.at + bytes)));
        }
      }
      // Past the kernel's page cache: what the device itself says.
      const { stdout } = await execute(
        'dd',
        [`if=${device.path}`, 'bs=1M', 'iflag=direct', 'status=none'],
        { encoding: 'buffer', maxBuffer: 2 * size },
      );
      assert.ok(model.equals(stdout));
    } finally {
      await file.close();
      await device.close();
    }
  });
  await fc.assert(run, { numRuns: propertyRuns(8) });
});
