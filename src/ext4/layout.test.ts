import assert from 'node:assert/strict';
import { createHash } from 'node:crypto';
import { test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { CHUNK_SIZE_BYTES, GIB, SeededRandom } from '../base/mod.ts';
import { directory, file, type LayerStep, type MemoryDisk, writeLayers } from './disk.fixture.ts';
import { DATA_FIRST_CHUNK } from './geometry.ts';
import { everything } from './tree.fixture.ts';

const mtimeSeconds = 1_600_000_000;

/** A layer of `packages` directories with 10 to 50 files each, most small, a few large. */
function makeLayer(name: string, packages: number, seed: number): LayerStep[] {
  const random = new SeededRandom(seed);
  const noise = random.bytes(1_600_000);
  const steps: LayerStep[] = [directory(name)];
  for (let p = 0; p < packages; p++) {
    steps.push(directory(`${name}/package-${p}`));
    const files = 10 + Math.floor(random.float() * 40);
    for (let f = 0; f < files; f++) {
      const size = Math.floor(random.float() ** 30 * 1_500_000) + Math.floor(random.float() * 9000);
      const at = Math.floor(random.float() * (noise.length - size));
      const content = Buffer.from(noise.subarray(at, at + size));
      steps.push(file(`${name}/package-${p}/file-${f}`, content, { mtimeSeconds }));
    }
  }
  return steps;
}

const layers = [makeLayer('base', 60, 1), makeLayer('middle', 20, 2), makeLayer('app', 3, 3)];

const dataChunks = (disk: MemoryDisk): Map<number, Buffer> =>
  new Map([...disk.chunks].filter(([index]) => index >= DATA_FIRST_CHUNK));

const hashes = (chunks: Iterable<Buffer>): Set<string> => {
  const set = new Set<string>();
  for (const chunk of chunks) set.add(createHash('sha256').update(chunk).digest('hex'));
  return set;
};

function sharedShare(before: Map<number, Buffer>, after: Map<number, Buffer>): number {
  const known = hashes(before.values());
  const found = [...hashes(after.values())];
  return found.filter((each) => known.has(each)).length / found.length;
}

test('adding layers changes no data chunk of the layers below', async (t) => {
  const work = temporaryDirectory(t, 'layout');
  const whiteouts: LayerStep[] = [{ remove: 'base/package-3' }, { removeChildren: 'middle' }];
  const { disk: lower } = await writeLayers(layers.slice(0, 2), work);
  const { disk: upper } = await writeLayers([...layers, whiteouts], work);
  for (const [index, chunk] of dataChunks(lower)) {
    assert.ok(upper.chunks.get(index)?.equals(chunk), `chunk ${index}`);
  }
});

test('one small file changed changes at most four chunks, metadata included', async (t) => {
  const work = temporaryDirectory(t, 'layout');
  const { disk: before } = await writeLayers(layers, work);
  const random = new SeededRandom(11);
  for (const [layerIndex, stepIndex] of [
    [0, 100],
    [0, 900],
    [1, 200],
    [2, 40],
  ] as const) {
    const step = layers[layerIndex]![stepIndex]!;
    assert.ok('add' in step && step.add.kind === 'file' && step.content);
    const content = random.bytes(step.content.length + 100);
    assert.ok(content.length < CHUNK_SIZE_BYTES);
    const changed = layers.map((layer) => [...layer]);
    changed[layerIndex]![stepIndex] = file(step.add.path, content, { mtimeSeconds: 1_600_000_001 });
    const { disk: after } = await writeLayers(changed, work);
    const known = hashes(before.chunks.values());
    const fresh = [...hashes(after.chunks.values())].filter((each) => !known.has(each));
    assert.ok(fresh.length <= 4, `${step.add.path}: ${fresh.length} chunks`);
  }
});

test('another order of the tar and other mtimes give the same data chunks', async (t) => {
  const work = temporaryDirectory(t, 'layout');
  const { disk: before } = await writeLayers(layers, work);
  const [top, ...rest] = layers[0]!;
  const directories = rest.filter((step) => 'add' in step && step.add.kind === 'directory');
  const files = rest.filter((step) => 'add' in step && step.add.kind === 'file').toReversed();
  const otherTimes = [top!, ...directories, ...files].map((step, i) =>
    'add' in step ? { ...step, add: { ...step.add, mtimeSeconds: 1_700_000_000 + i } } : step,
  );
  const { disk: after } = await writeLayers([otherTimes, ...layers.slice(1)], work);
  assert.equal(sharedShare(dataChunks(before), dataChunks(after)), 1);
});

/** 60 packages with their lists, installed at a time that directories and lists have. */
function installed(installedSeconds: number): LayerStep[] {
  const made = { mtimeSeconds: installedSeconds };
  const steps: LayerStep[] = ['var', 'var/lib', 'var/lib/dpkg', 'var/lib/dpkg/info', 'usr'].map(
    (path) => directory(path, made),
  );
  for (let p = 0; p < 60; p++) {
    const paths = Array.from({ length: 100 }, (_, f) => `usr/package-${p}/file-${f}`);
    const list = ['', 'usr', `usr/package-${p}`, ...paths].map((path) => `/${path}\n`).join('');
    steps.push(directory(`usr/package-${p}`, made));
    for (const path of paths) steps.push(file(path, Buffer.from(path), { mtimeSeconds }));
    steps.push(file(`var/lib/dpkg/info/package-${p}.list`, Buffer.from(list), made));
  }
  return steps;
}

test('packages installed at another time change few of the chunks with inodes', async (t) => {
  const work = temporaryDirectory(t, 'layout');
  const { disk: before } = await writeLayers([installed(1_700_000_000)], work);
  const { disk: after } = await writeLayers([installed(1_700_000_007)], work);
  const known = hashes(before.chunks.values());
  const fresh = [...after.chunks].filter(([, chunk]) =>
    [...hashes([chunk])].some((hash) => !known.has(hash)),
  );
  const tables = [...after.chunks.keys()].filter((index) => index > 0 && index <= 512);
  assert.ok(tables.length > 3);
  assert.deepEqual(
    fresh.map(([index]) => index),
    [1],
  );
});

test('many small groups of inodes leave the disk small', async (t) => {
  const steps = Array.from({ length: 20_000 }, (_, i) => directory(`${i}`));
  const { summary } = await writeLayers([steps], temporaryDirectory(t, 'layout'));
  assert.equal(summary.inodes, 20_001);
  assert.equal(summary.diskBytes, GIB);
});

test('the same files in other layers share most of their data chunks', async (t) => {
  const work = temporaryDirectory(t, 'layout');
  const { disk: before } = await writeLayers(layers, work);
  const { disk: after } = await writeLayers([[...layers[1]!], layers[0]!.concat(layers[2]!)], work);
  assert.ok(sharedShare(dataChunks(before), dataChunks(after)) >= 0.95);
});

async function diskHash(steps: readonly (readonly LayerStep[])[], work: string): Promise<string> {
  const { disk, summary } = await writeLayers(steps, work);
  const hash = createHash('sha256').update(JSON.stringify(summary));
  for (const index of [...disk.chunks.keys()].sort((a, b) => a - b)) {
    hash.update(`${index}:`).update(disk.chunks.get(index)!);
  }
  return hash.digest('hex');
}

test('equal layers give the same bytes as in earlier versions', async (t) => {
  const work = temporaryDirectory(t, 'layout');
  // A change here changes the chunks of every image in every store: say so in the changelog.
  assert.equal(
    await diskHash(layers, work),
    '460d9050b1608d9128be66dd241bb23b8f2c06b688d0c8d31d370eb7c01449a4',
  );
  assert.equal(
    await diskHash(everything(), work),
    'e9b2f141f9dce6ff695c69d662119e5c0ad325ed91fef976fa80a147ba89d717',
  );
  assert.equal(
    await diskHash([installed(mtimeSeconds)], work),
    '7317850faf27d2b5444e53caed95dac914f6c6cbe9a0b0413c093479527e6e66',
  );
});
