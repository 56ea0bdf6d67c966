import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readdirSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { hostHas } from '../../../test/support/host.ts';
import { temporaryDirectory } from '../../../test/support/temporary.ts';
import { MIB } from '../../base/mod.ts';
import { ScratchDisks } from './scratch-disks.ts';

const NEEDS = ['tool:mke2fs', 'tool:e2fsck', 'tool:dumpe2fs'] as const;

for (const sizeMib of [1, 16, 96, 600]) {
  test(`a scratch disk of ${sizeMib} MiB is sound, roomy, sparse and like every other`, async (t) => {
    if (!hostHas(t, ...NEEDS)) return;
    const disks = new ScratchDisks(temporaryDirectory(t, 'scratch'));
    const paths = [await disks.create(sizeMib * MIB), await disks.create(sizeMib * MIB)];
    for (const path of paths) {
      execFileSync('e2fsck', ['-f', '-n', path], { stdio: 'ignore' });
      const header = execFileSync('dumpe2fs', ['-h', path], {
        encoding: 'utf8',
        stdio: ['ignore', 'pipe', 'ignore'],
      });
      const free = Number(/^Free blocks:\s+(\d+)$/m.exec(header)?.[1]);
      assert.ok(free * 4096 >= sizeMib * MIB, `${free} blocks are free`);
      assert.ok(statSync(path).blocks * 512 < MIB);
    }
    execFileSync('cmp', ['-n', `${64 * MIB}`, ...paths]);
  });
}

test('keeps only disks that were made, and sweeps them', async (t) => {
  if (!hostHas(t, ...NEEDS)) return;
  const directory = join(temporaryDirectory(t, 'scratch'), 'made', 'when', 'needed');
  const disks = new ScratchDisks(directory);
  await disks.sweep();
  const made = await Promise.all([1, 2, 3].map(() => disks.create(MIB)));
  assert.equal(new Set(made).size, 3);
  assert.equal(readdirSync(directory).length, 3);
  await disks.remove(made[0] as string);
  await disks.remove(made[0] as string);
  writeFileSync(join(directory, 'of-an-earlier-life'), '');
  await disks.sweep();
  assert.deepEqual(readdirSync(directory), []);
});
