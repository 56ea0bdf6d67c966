import { createHash } from 'node:crypto';
import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { CHUNK_SIZE_BYTES, GIB, limits, SeededRandom } from '../src/base/mod.ts';
import { flattenImage } from '../src/image/mod.ts';
import { type OciImage, openImage, type TarWriter, writeImageLayout } from '../src/oci/mod.ts';
import { repositoryRoot } from '../test/repo/repository.ts';
import { run, runOrThrow } from '../test/support/run.ts';

const sluice = join(repositoryRoot, 'bin/sluice');
const mtimeSeconds = 1_700_000_000;

const LAYERS = 4;
const ENTRIES_PER_DIRECTORY = 1000;
const TIMEOUT = { timeoutMs: 3_600_000 };

/** Directories of files with a few bytes, empty ones, symlinks and hard links. */
async function writeMany(tar: TarWriter, layer: number, entries: number): Promise<void> {
  const common = { mtimeSeconds };
  const small = Buffer.from('small');
  let directory = '';
  for (let i = 0; i < entries; i++) {
    const place = i % ENTRIES_PER_DIRECTORY;
    if (place === 0) directory = `layer-${layer}-${i / ENTRIES_PER_DIRECTORY}`;
    const path = `${directory}/entry-${i}`;
    if (place === 0) await tar.add({ path: directory, kind: 'directory', ...common });
    else if (place % 50 === 1) await tar.add({ path, ...common }, small);
    else if (place % 50 === 2) {
      await tar.add({ path, kind: 'symlink', linkTarget: `entry-${i - 1}`, ...common });
    } else if (place % 50 === 3) {
      const linkTarget = `${directory}/entry-${i - 2}`;
      await tar.add({ path, kind: 'hardlink', linkTarget, ...common });
    } else await tar.add({ path, ...common });
  }
}

async function writeManyImage(layout: string, entries: number): Promise<void> {
  const share = Math.ceil(entries / LAYERS);
  await writeImageLayout(layout, {
    layers: Array.from({ length: LAYERS }, (_, layer) => ({
      compression: 'zstd',
      write: (tar: TarWriter) => writeMany(tar, layer, Math.min(share, entries - layer * share)),
    })),
  });
}

/** As many entries as an image may have, judged by e2fsck, and one more. */
export async function million(directory: string): Promise<unknown> {
  const layout = join(directory, 'many');
  const disk = join(directory, 'disk');
  const data = join(directory, 'data');
  await writeManyImage(layout, limits.image.entries);
  const words = ['image', 'add', `oci:${layout}`, '--data', data, '--json'];
  const events = (await runOrThrow(sluice, words, TIMEOUT)).trim().split('\n');
  const { seconds, peakMemoryBytes } = JSON.parse(events.at(-1) ?? '{}');
  rmSync(data, { recursive: true });
  await runOrThrow(sluice, ['image', 'flatten', `oci:${layout}`, '--output', disk], TIMEOUT);
  await runOrThrow('e2fsck', ['-fn', disk], TIMEOUT);
  rmSync(disk);
  rmSync(layout, { recursive: true });
  await writeManyImage(layout, limits.image.entries + 1);
  const refused = await run(sluice, words.slice(0, -1), TIMEOUT);
  return {
    entries: limits.image.entries,
    ...{ seconds, peakMemoryMb: peakMemoryBytes / 1e6, e2fsck: 'clean' },
    oneMore: { status: refused.status, message: refused.stderr.trim() },
  };
}

const PACKAGES = 60;

/** One layer of a gigabyte: packages of mostly small files, some of a megabyte or two. */
async function writeGigabyte(tar: TarWriter, changed: number | undefined): Promise<void> {
  const random = new SeededRandom(5);
  const noise = random.bytes(4 * CHUNK_SIZE_BYTES);
  let bytes = 0;
  for (let i = 0; bytes < GIB; i++) {
    const large = i % 100 === 0;
    const size = Math.floor(random.float() * (large ? 3.5 * CHUNK_SIZE_BYTES : 40_000));
    const at = Math.floor(random.float() * (noise.length - size));
    const content = Buffer.from(noise.subarray(at, at + size));
    const path = `package-${i % PACKAGES}/${i % 7}/file-${i}`;
    if (i !== changed) await tar.add({ path, mtimeSeconds }, content);
    else {
      const other = Buffer.concat([content.fill(1), Buffer.alloc(100, 2)]);
      await tar.add({ path, mtimeSeconds: mtimeSeconds + 1 }, other);
    }
    bytes += size;
  }
}

async function chunksOf(layout: string, spoolDirectory: string): Promise<Set<string>> {
  const hashes = new Set<string>();
  const image: OciImage = await openImage(`oci:${layout}`);
  const sink = {
    writeChunk: async (_: number, chunk: Buffer) => {
      hashes.add(createHash('sha1').update(chunk).digest('hex'));
    },
  };
  await flattenImage(image, { sink, spoolDirectory });
  await image.close();
  return hashes;
}

/** How many chunks of a gigabyte change when one small file does. */
export async function locality(directory: string): Promise<unknown> {
  const spool = join(directory, 'spool');
  const chunksWith = async (changed?: number) => {
    const layout = join(directory, 'gigabyte');
    await writeImageLayout(layout, {
      layers: [{ compression: 'none', write: (tar) => writeGigabyte(tar, changed) }],
    });
    const chunks = await chunksOf(layout, spool);
    rmSync(layout, { recursive: true });
    return chunks;
  };
  const before = await chunksWith();
  const changedChunks: number[] = [];
  for (const file of [1, 4321, 9999]) {
    const after = await chunksWith(file);
    changedChunks.push([...after].filter((hash) => !before.has(hash)).length);
  }
  return { chunks: before.size, changedChunks };
}
