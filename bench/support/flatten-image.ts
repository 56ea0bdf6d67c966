import { createCipheriv } from 'node:crypto';
import { existsSync, lstatSync, readdirSync, readFileSync, readlinkSync } from 'node:fs';
import { join } from 'node:path';
import { KIB, MIB } from '../../src/base/mod.ts';
import { byteString, type TarWriter, writeImageLayout } from '../../src/oci/mod.ts';

/** What most hosts have some of: Python, compilers, programs; about half a gigabyte on Debian. */
const HOST_DIRECTORIES = ['/usr/lib/python3', '/usr/lib/python3.11', '/usr/lib/gcc', '/usr/bin'];

async function addTree(tar: TarWriter, directory: string): Promise<void> {
  for (const name of readdirSync(directory).sort()) {
    const path = join(directory, name);
    const stat = lstatSync(path);
    const entry = {
      path: byteString(path.slice(1)),
      mode: stat.mode & 0o7777,
      mtimeSeconds: Math.floor(stat.mtimeMs / 1000),
    };
    if (stat.isDirectory()) {
      await tar.add({ ...entry, kind: 'directory' });
      await addTree(tar, path);
    } else if (stat.isSymbolicLink()) {
      await tar.add({ ...entry, kind: 'symlink', linkTarget: byteString(readlinkSync(path)) });
    } else if (stat.isFile()) {
      await tar.add(entry, readFileSync(path));
    }
  }
}

/** An image of this host's own files, gzip layers as registries have them. */
export async function writeHostImage(directory: string): Promise<void> {
  const layers = HOST_DIRECTORIES.filter(existsSync).map((path) => ({
    write: (tar: TarWriter) => addTree(tar, path),
  }));
  await writeImageLayout(directory, { layers });
}

/** Bytes of which a third compresses away, never the same twice. */
function* contentOf(): Generator<Buffer, never, number> {
  const cipher = createCipheriv('aes-128-ctr', Buffer.alloc(16, 1), Buffer.alloc(16));
  let size = yield Buffer.alloc(0);
  for (;;) {
    const bytes = cipher.update(Buffer.alloc(size));
    for (let at = 0; at + 64 <= size; at += 192) bytes.fill('sluice ', at, at + 64);
    size = yield bytes;
  }
}

const LARGE_FILES = 10_000;

/**
 * The largest image that Lambda takes: 10 GiB less the tar headers, in `files` files, most of them
 * small, as packages are.
 */
export async function writeLargeImage(directory: string, files: number): Promise<void> {
  const content = contentOf();
  content.next();
  const add = async (tar: TarWriter, path: string, size: number) => {
    await tar.add({ path, mtimeSeconds: 1_700_000_000 }, content.next(size).value);
  };
  const write = async (tar: TarWriter, layer: number) => {
    for (let i = layer; i < files - LARGE_FILES; i += LAYERS) {
      await add(tar, `small/${i % 500}/${(i >> 9) % 30}/file-${i}.py`, 1 + ((i * 37) % (14 * KIB)));
    }
    for (let i = layer; i < LARGE_FILES; i += LAYERS) {
      await add(tar, `large/${i % 100}/library-${i}.so`, Math.round(0.74 * MIB) + (i % 1000));
    }
  };
  await writeImageLayout(directory, {
    layers: Array.from({ length: LAYERS }, (_, layer) => ({
      compression: 'zstd',
      write: (tar: TarWriter) => write(tar, layer),
    })),
  });
}

const LAYERS = 8;
