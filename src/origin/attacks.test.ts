import assert from 'node:assert/strict';
import { cpSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import fc from 'fast-check';
import { propertyRuns } from '../../test/support/property-runs.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { CHUNK_SIZE_BYTES, SluiceError, systemClock, systemRandom } from '../base/mod.ts';
import {
  chunkSalt,
  openManifest,
  openRange,
  readManifestHeader,
  sealChunk,
  sealManifest,
  unwrapDataKey,
} from '../seal/mod.ts';
import { directoryOrigin, LocalKeyService } from './mod.ts';

const MARK = 'customer-secret-';
const account = '000000000000';

/** An origin with an account's images, as an attacker with the run of its files finds it. */
async function region(t: TestContext) {
  const directory = temporaryDirectory(t);
  const files = join(directory, 'origin');
  const origin = directoryOrigin(files, { clock: systemClock, random: systemRandom });
  const keys = new LocalKeyService(join(directory, 'keys'), systemClock, systemRandom);
  const rootId = await origin.activeRoot();
  const parts = { rootId, epoch: 0, scope: 'region', placement: '' } as const;
  const salt = chunkSalt(await keys.dedupSecret(), parts);
  const put = async (manifestId: string, accountId: string, ...blocks: number[]) => {
    const chunks = [];
    for (const block of blocks) {
      const plaintext = Buffer.alloc(CHUNK_SIZE_BYTES, `${MARK}${block} `);
      const { name, key, ciphertext } = sealChunk(salt, plaintext);
      await origin.put({ rootId, name }, ciphertext);
      chunks.push({ name, key });
    }
    const facts = { manifestId, rootId, accountId, diskBytes: blocks.length * CHUNK_SIZE_BYTES };
    const metadata = { environment: [`TOKEN=${MARK}token`] };
    const contents = { ...facts, chunks, createdAtMs: 0, metadata };
    await origin.putManifest(rootId, manifestId, await sealManifest(contents, keys, systemRandom));
  };
  /** Reads a whole disk as a worker does: the blocks that it holds, or an error. */
  const read = async (manifestId: string, as = account): Promise<number[]> => {
    const { bytes } = await origin.findManifest(manifestId);
    if (readManifestHeader(bytes).accountId !== as) throw new SluiceError('ACCESS_DENIED', as);
    const manifest = openManifest(bytes, await unwrapDataKey(bytes, keys));
    const blocks: number[] = [];
    for (let index = 0; index < manifest.chunkCount; index++) {
      const name = manifest.chunkName(index) ?? assert.fail('no zero chunks here');
      const ciphertext = await origin.get({ rootId, name });
      const text = openRange(manifest.chunkKey(index), ciphertext, 0, 40).toString();
      blocks.push(Number(/^customer-secret-(\d+) /.exec(text)?.[1]));
    }
    return blocks;
  };
  const manifestPath = (id: string) => join(files, 'roots', rootId, 'manifests', id);
  return { directory, files, origin, keys, rootId, put, read, manifestPath };
}

function filesBelow(directory: string): string[] {
  return readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((each) => each.isFile())
    .map((each) => join(each.parentPath, each.name))
    .sort();
}

test('whatever is done to the stored files, a read answers the right bytes or fails', async (t) => {
  const { files, rootId, put, read } = await region(t);
  await put('m-1', account, 1, 2, 3);
  await put('m-2', account, 3, 4);
  const pristine = join(temporaryDirectory(t), 'copy');
  cpSync(files, pristine, { recursive: true });
  const targets = filesBelow(join(files, 'roots', rootId));
  const damage = fc.record({
    how: fc.constantFrom('flip', 'cut', 'swap', 'zero'),
    at: fc.nat(),
    file: fc.nat(targets.length - 1),
    other: fc.nat(targets.length - 1),
  });
  let [runs, failed] = [0, 0];
  const property = fc.asyncProperty(damage, async ({ how, at, file, other }) => {
    runs++;
    const [path, otherPath] = [targets[file] as string, targets[other] as string];
    const bytes = readFileSync(path);
    const place = at % bytes.length;
    const damaged: Record<string, () => Buffer> = {
      flip: () =>
        Buffer.from(bytes.map((each, i) => (i === place ? each ^ (1 << (at % 8)) : each))),
      cut: () => bytes.subarray(0, place),
      swap: () => readFileSync(otherPath),
      zero: () => Buffer.alloc(bytes.length),
    };
    writeFileSync(path, damaged[how]?.() ?? assert.fail(how));
    for (const [id, blocks] of [
      ['m-1', [1, 2, 3]],
      ['m-2', [3, 4]],
    ] as const) {
      const answer = await read(id).catch((error) => {
        assert.ok(error instanceof SluiceError, String(error));
        failed++;
        return blocks;
      });
      assert.deepEqual(answer, blocks);
    }
    writeFileSync(path, bytes);
  });
  await fc.assert(property, { numRuns: propertyRuns(40) });
  assert.ok(failed >= (runs - 2) / 2, `the damage was felt: ${failed} of ${runs}`);
  assert.deepEqual(await read('m-1'), [1, 2, 3]);
});

test('a reader of the origin finds neither plaintext, nor key, nor configuration', async (t) => {
  const { files, put, origin, keys } = await region(t);
  await put('m-1', account, 1, 2);
  const { bytes } = await origin.findManifest('m-1');
  const dataKey = await unwrapDataKey(bytes, keys);
  const key = openManifest(bytes, dataKey).chunkKey(0);
  for (const file of filesBelow(files)) {
    const stored = readFileSync(file);
    assert.ok(!stored.includes(MARK), file);
    assert.ok(!stored.includes(key) && !stored.includes(dataKey), file);
  }
});

test('a reader who guesses a plaintext cannot confirm the guess', async (t) => {
  const { files, rootId, put } = await region(t);
  await put('m-1', account, 1);
  const guess = Buffer.alloc(CHUNK_SIZE_BYTES, `${MARK}1 `);
  const parts = { rootId, epoch: 0, scope: 'region', placement: '' } as const;
  const { name } = sealChunk(chunkSalt(Buffer.alloc(32), parts), guess);
  assert.ok(filesBelow(files).every((file) => !file.endsWith(name)));
});

test('a manifest put in another’s place is refused', async (t) => {
  const { put, read, manifestPath } = await region(t);
  await put('m-1', account, 1);
  await put('m-2', account, 2);
  writeFileSync(manifestPath('m-1'), readFileSync(manifestPath('m-2')));
  await assert.rejects(read('m-1'), { code: 'MANIFEST_TAMPERED' });
});

test('a manifest is not read for another account or with its keys', async (t) => {
  const { put, read, origin, keys } = await region(t);
  await put('m-1', account, 1);
  await put('m-2', '000000000001', 2);
  await assert.rejects(read('m-1', '000000000001'), { code: 'ACCESS_DENIED' });
  const [mine, theirs] = [await origin.findManifest('m-1'), await origin.findManifest('m-2')];
  const myKey = await unwrapDataKey(mine.bytes, keys);
  assert.throws(() => openManifest(theirs.bytes, myKey), { code: 'MANIFEST_TAMPERED' });
});

test('a forger with their own key service cannot make a manifest that opens', async (t) => {
  const { directory, put, read, rootId, manifestPath } = await region(t);
  await put('m-1', account, 1);
  const own = new LocalKeyService(join(directory, 'forger'), systemClock, systemRandom);
  const contents = { manifestId: 'm-1', rootId, accountId: account, diskBytes: 0, chunks: [] };
  const metadata = { entrypoint: ['/bin/evil'] };
  const forged = await sealManifest({ ...contents, createdAtMs: 0, metadata }, own, systemRandom);
  writeFileSync(manifestPath('m-1'), forged);
  await assert.rejects(read('m-1'), { code: 'KEY_DENIED' });
});

test('wrong bytes under a name: puts refuse them, reads fail and never lie, a put heals', async (t) => {
  const { files, origin, rootId, put, read } = await region(t);
  await put('m-1', account, 1);
  const { bytes } = await origin.findManifest('m-1');
  const [name = ''] = readManifestHeader(bytes).names();
  const evil = Buffer.alloc(CHUNK_SIZE_BYTES, 'evil');
  await assert.rejects(origin.put({ rootId, name }, evil), { code: 'CHUNK_CORRUPT' });
  assert.deepEqual(await read('m-1'), [1], 'what is there stays');
  writeFileSync(join(files, 'roots', rootId, 'chunks', name.slice(0, 2), name), evil);
  await assert.rejects(read('m-1'), { code: 'CHUNK_CORRUPT' });
  await put('m-2', account, 1);
  assert.deepEqual(await read('m-1'), [1], 'the next image with this chunk has put it right');
  assert.deepEqual(readdirSync(join(files, 'roots', rootId)).sort(), ['chunks', 'manifests']);
});
