import assert from 'node:assert/strict';
import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { damages, judgeStart, makeDataDirectory } from '../support/damaged-files.ts';
import { hostHas } from '../support/host.ts';
import { writeLayout } from '../support/oci-image.ts';
import { temporaryDirectory } from '../support/temporary.ts';

/** A few of what `npm run bench -- damage` tries: each file that a start reads, damaged in each way. */
const cases = [
  ['state/functions.sqlite', 'truncated', 'refused'],
  ['keys/region.json', 'flipped', 'refused'],
  ['credentials', 'fifo', 'refused'],
  ['address.json', 'empty', 'serves'],
] as const;

test('a start on a damaged file serves what there was or names the file, and never hangs or begins anew', async (t) => {
  if (!hostHas(t, 'root', 'fuse', 'loop', 'cgroup')) return;
  const directory = temporaryDirectory(t, 'damaged-files');
  const [base, data] = [join(directory, 'base'), join(directory, 'data')];
  await makeDataDirectory(base, `oci:${await writeLayout(t)}:latest`, 'stop');
  rmSync(join(base, 'cache'), { recursive: true, force: true });
  for (const [file, damage, verdict] of cases) {
    cpSync(base, data, { recursive: true });
    damages[damage]?.(join(data, file));
    assert.equal(await judgeStart(data, file), verdict, `${file}, ${damage}`);
    rmSync(data, { recursive: true });
  }
});
