import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readdirSync, renameSync, writeFileSync } from 'node:fs';
import { open } from 'node:fs/promises';
import { join } from 'node:path';
import { test } from 'node:test';
import { MIB, SeededRandom } from '../../src/base/mod.ts';
import { writeImageLayout } from '../../src/oci/mod.ts';
import { repositoryRoot } from '../repo/repository.ts';
import { hostHas } from '../support/host.ts';
import { endAll, startNodes } from '../support/l2-nodes.ts';
import { runOrThrow } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const sluice = join(repositoryRoot, 'bin/sluice');

const PIECE_BYTES = 4 * MIB;

/** Compares what of `expected` is not zero; answers how many bytes that were. */
async function comparePieces(actual: string, expected: string): Promise<number> {
  await using a = await open(actual);
  await using b = await open(expected);
  const zeros = Buffer.alloc(PIECE_BYTES);
  const [got, wanted] = [Buffer.alloc(PIECE_BYTES), Buffer.alloc(PIECE_BYTES)];
  let compared = 0;
  const { size } = await b.stat();
  for (let at = 0; at < size; at += PIECE_BYTES) {
    await b.read(wanted, 0, PIECE_BYTES, at);
    if (wanted.equals(zeros)) continue;
    await a.read(got, 0, PIECE_BYTES, at);
    assert.ok(got.equals(wanted), `bytes from ${at}`);
    compared += PIECE_BYTES;
  }
  return compared;
}

test('a disk is read from L2 alone: primed by image add, the origin emptied, a node killed', async (t) => {
  if (!hostHas(t, 'root', 'fuse')) return;
  const directory = temporaryDirectory(t, 'l2-image');
  const [layout, disk, data] = ['layout', 'disk', 'data'].map((name) => join(directory, name));
  const file = new SeededRandom(1).bytes(6_000_000);
  await writeImageLayout(layout!, {
    layers: [{ compression: 'none', write: (tar) => tar.add({ path: 'file' }, file) }],
  });
  await runOrThrow(sluice, ['image', 'flatten', `oci:${layout}`, '--output', disk!]);

  const nodes = await startNodes({ directory, count: 6 });
  t.after(() => endAll(nodes));
  const addresses = nodes.map(({ address }) => address).join();
  const l2 = ['--l2', addresses, '--l2-secret-file', join(directory, 'secret')];
  const more = ['--data', data!, '--json', ...l2];
  const added = JSON.parse(await runOrThrow(sluice, ['image', 'add', `oci:${layout}`, ...more]));
  const { manifestId, newChunks } = added as { manifestId: string; newChunks: number };
  assert.ok(newChunks >= 12);

  const roots = join(data!, 'origin', 'roots');
  for (const root of readdirSync(roots)) {
    renameSync(join(roots, root, 'chunks'), join(directory, `chunks-${root}`));
  }
  await nodes[2]!.end('SIGKILL');

  const mounted = join(directory, 'mounted');
  writeFileSync(mounted, '');
  const serve = ['device', 'serve', manifestId, '--fuse', mounted, ...more];
  const device = spawn(sluice, serve, { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(device, 'exit');
  try {
    await once(device.stdout, 'data');
    assert.ok((await comparePieces(mounted, disk!)) >= file.length, 'the file was compared too');
  } finally {
    device.kill('SIGTERM');
    await exited;
  }
});
