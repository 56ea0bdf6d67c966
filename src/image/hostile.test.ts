import assert from 'node:assert/strict';
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { type ErrorCode, isSluiceError, MIB } from '../base/mod.ts';
import { openImage, TarWriter, writeImageLayout } from '../oci/mod.ts';
import { applyLayer } from './apply-layer.ts';
import { type FlattenOptions, flattenToFile } from './mod.ts';

type Write = (tar: TarWriter) => Promise<void>;

async function flattened(
  t: TestContext,
  layers: readonly Write[],
  options: Partial<FlattenOptions> = {},
): Promise<void> {
  const layout = temporaryDirectory(t, 'layout');
  const spoolDirectory = join(layout, 'spool');
  const output = join(layout, 'disk');
  await writeImageLayout(layout, {
    layers: layers.map((write) => ({ write, gzipLevel: 1 })),
  });
  const image = await openImage(`oci:${layout}`);
  try {
    await flattenToFile(image, output, { spoolDirectory, ...options });
  } catch (error) {
    assert.deepEqual(readdirSync(spoolDirectory), [], 'nothing is spooled any more');
    assert.equal(existsSync(output), false, 'no half of a disk is left');
    throw error;
  } finally {
    await image.close();
  }
}

/** The error has the code, and its message names the layer and the entry. */
async function refuses(
  t: TestContext,
  code: ErrorCode,
  entry: string | undefined,
  layers: readonly Write[],
  options: Partial<FlattenOptions> = {},
): Promise<void> {
  await assert.rejects(flattened(t, layers, options), (error) => {
    assert.ok(isSluiceError(error, code), `${String(error)} instead of ${code}`);
    if (entry === undefined) return true;
    assert.match(error.message, /^layer sha256:[0-9a-f]{64}: entry "/);
    assert.ok(error.message.includes(`entry "${entry}"`), error.message);
    return true;
  });
}

test('paths that climb out', async (t) => {
  for (const path of ['../out', 'a/../../out', '/../out', './../out', '..']) {
    await refuses(t, 'IMAGE_PATH_ESCAPES', path, [(tar) => tar.add({ path })]);
  }
  await refuses(t, 'IMAGE_PATH_ESCAPES', 'hard', [
    (tar) => tar.add({ path: 'hard', kind: 'hardlink', linkTarget: '../../etc/passwd' }),
  ]);
  await refuses(t, 'IMAGE_PATH_ESCAPES', 'a/../../.wh.x', [
    (tar) => tar.add({ path: 'a/../../.wh.x' }),
  ]);
});

test('links that lead in circles, to nothing, or to directories', async (t) => {
  const circle: Write = async (tar) => {
    await tar.add({ path: 'a', kind: 'symlink', linkTarget: 'b' });
    await tar.add({ path: 'b', kind: 'symlink', linkTarget: '/a' });
    await tar.add({ path: 'a/file' });
  };
  await refuses(t, 'IMAGE_ENTRY_INVALID', 'a/file', [circle]);
  await refuses(t, 'IMAGE_ENTRY_INVALID', 'self', [
    (tar) => tar.add({ path: 'self', kind: 'hardlink', linkTarget: 'self' }),
  ]);
  await refuses(t, 'IMAGE_ENTRY_INVALID', 'hard', [
    (tar) => tar.add({ path: 'hard', kind: 'hardlink', linkTarget: 'missing' }),
  ]);
  const toDirectory: Write = async (tar) => {
    await tar.add({ path: 'd', kind: 'directory' });
    await tar.add({ path: 'hard', kind: 'hardlink', linkTarget: 'd' });
  };
  await refuses(t, 'IMAGE_ENTRY_INVALID', 'hard', [toDirectory]);
  const growing: Write = async (tar) => {
    await tar.add({ path: 'g', kind: 'symlink', linkTarget: `g/${'x/'.repeat(1000)}` });
    await tar.add({ path: 'g/file' });
  };
  await refuses(t, 'IMAGE_ENTRY_INVALID', 'g/file', [growing]);
});

test('entries that cannot be', async (t) => {
  const cases: [string, Write][] = [
    ['./', (tar) => tar.add({ path: './', kind: 'file' })],
    ['.wh.', (tar) => tar.add({ path: '.wh.' })],
    ['d/.wh..', (tar) => tar.add({ path: 'd/.wh..' })],
    ['.wh...', (tar) => tar.add({ path: '.wh...' })],
    ['n'.repeat(256), (tar) => tar.add({ path: 'n'.repeat(256) })],
    ['link', (tar) => tar.add({ path: 'link', kind: 'symlink', linkTarget: 'x'.repeat(5000) })],
    [
      'file/below',
      async (tar) => {
        await tar.add({ path: 'file' });
        await tar.add({ path: 'file/below' });
      },
    ],
  ];
  for (const [entry, write] of cases) {
    const shown = entry.length > 200 ? `${entry.slice(0, 200)}…` : entry;
    await t.test(shown.slice(0, 20), () => refuses(t, 'IMAGE_ENTRY_INVALID', shown, [write]));
  }
});

test('a gzip bomb is stopped at the limit, long before its end', async (t) => {
  const bomb: Write = (tar) => {
    const piece = Buffer.alloc(MIB);
    const content = (async function* () {
      for (let i = 0; i < 256; i++) yield piece;
    })();
    return tar.add({ path: 'bomb', sizeBytes: 256 * MIB }, content);
  };
  await assert.rejects(flattened(t, [bomb], { sizeLimitBytes: 20 * MIB }), (error) => {
    assert.ok(isSluiceError(error, 'IMAGE_TOO_LARGE'));
    assert.equal(error.message, 'Uncompressed container image size exceeds 20.0 MiB limit');
    return true;
  });
});

test('more entries than the limit', async () => {
  const entries = 2000;
  const parts: Buffer[] = [];
  const tar = new TarWriter((bytes) => void parts.push(bytes));
  for (let i = 0; i < entries; i++) await tar.add({ path: `file-${i}` });
  await tar.end();
  let added = 0;
  const disk = {
    beginLayer: () => {},
    add: async () => void added++,
    remove: () => {},
    removeChildren: () => {},
    lookup: () => undefined,
    endLayer: async () => {},
  };
  const source = (async function* () {
    yield* parts;
  })();
  await assert.rejects(
    applyLayer(source, disk, { layerDigest: 'sha256:x', entriesLimit: 1000 }),
    (error) => isSluiceError(error, 'IMAGE_TOO_LARGE') && /1000 entries/.test(error.message),
  );
  assert.equal(added, 1000);
});

test('AUFS leftovers are passed over, as containerd and docker do', async (t) => {
  await flattened(t, [
    async (tar) => {
      await tar.add({ path: '.wh..wh.aufs' });
      await tar.add({ path: '.wh..wh.plnk', kind: 'directory' });
      await tar.add({ path: '.wh..wh.plnk/123.45' }, Buffer.from('x'));
    },
  ]);
});
