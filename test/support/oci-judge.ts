import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { flattenToFile } from '../../src/image/mod.ts';
import {
  openImage,
  type TarWriter,
  type TarWriterEntry,
  writeImageLayout,
} from '../../src/oci/mod.ts';
import { mountDisk, umociUnpack } from './oci-tools.ts';
import { type TreeNode, treeOf } from './oci-tree.ts';
import { runOrThrow } from './run.ts';
import { temporaryDirectory } from './temporary.ts';

export type LayerEntry = TarWriterEntry & { readonly content?: Buffer };

/** Writes the layers as an image layout, every second one uncompressed; answers its directory. */
export async function layoutOf(t: TestContext, layers: readonly LayerEntry[][]): Promise<string> {
  const layout = temporaryDirectory(t, 'layout');
  await writeImageLayout(layout, {
    layers: layers.map((entries, index) => ({
      compression: index % 2 === 0 ? 'gzip' : 'none',
      write: async (tar: TarWriter) => {
        for (const { content, ...entry } of entries) await tar.add(entry, content);
      },
    })),
  });
  return layout;
}

/** The tree of the disk that an image is flattened to: checked by e2fsck, mounted by the kernel. */
export async function flattenedTree(
  t: TestContext,
  layout: string,
): Promise<Map<string, TreeNode>> {
  const disk = join(temporaryDirectory(t, 'disk'), 'disk');
  const image = await openImage(`oci:${layout}`);
  try {
    await flattenToFile(image, disk, { spoolDirectory: temporaryDirectory(t, 'spool') });
  } finally {
    await image.close();
  }
  await runOrThrow('e2fsck', ['-fn', disk]);
  return treeOf(await mountDisk(t, disk));
}

/** The tree that umoci unpacks the same image to. */
export async function umociTree(t: TestContext, layout: string): Promise<Map<string, TreeNode>> {
  return treeOf(await umociUnpack(t, layout));
}
