import { realpathSync } from 'node:fs';
import { readFile, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  byteString,
  type LayerToWrite,
  type TarWriter,
  writeImageLayout,
} from '../../src/oci/mod.ts';
import { type HostFile, parentDirectories, sharedLibraries } from './host-files.ts';

export interface NodeImage {
  /** Image paths without a leading slash, and what stands there. */
  readonly files: Readonly<Record<string, string | Buffer>>;
  /** `FILE.FUNCTION`, as Lambda's handler setting has it. */
  readonly handler: string;
}

const MTIME_SECONDS = 1_700_000_000;
const bootstrap = join(import.meta.dirname, 'image/bootstrap.mjs');

async function addDirectories(tar: TarWriter, paths: readonly string[]): Promise<void> {
  for (const path of paths) {
    const entry = { path: byteString(path.replace(/^\//, '')), kind: 'directory' } as const;
    await tar.add({ ...entry, mode: 0o755, mtimeSeconds: MTIME_SECONDS });
  }
}

function hostLayer(files: readonly HostFile[]): LayerToWrite {
  return {
    compression: 'zstd',
    write: async (tar) => {
      await addDirectories(tar, parentDirectories(files));
      for (const { source, target } of files) {
        const mode = (await stat(source)).mode & 0o7777;
        const entry = { path: byteString(target.slice(1)), mode, mtimeSeconds: MTIME_SECONDS };
        await tar.add(entry, await readFile(source));
      }
    },
  };
}

function textLayer(files: Readonly<Record<string, string | Buffer>>): LayerToWrite {
  const targets = Object.keys(files).map((path) => ({ source: '', target: `/${path}` }));
  return {
    compression: 'gzip',
    write: async (tar) => {
      await addDirectories(tar, parentDirectories(targets));
      for (const [path, content] of Object.entries(files)) {
        const entry = { path: byteString(path), mode: 0o644, mtimeSeconds: MTIME_SECONDS };
        await tar.add(entry, Buffer.from(content));
      }
    },
  };
}

/**
 * Writes an OCI layout out of what this machine has: its shared libraries, its Node binary, a small
 * runtime client and the function, a layer each. Answers the reference to give to `create-function`.
 */
export async function buildNodeImage(directory: string, image: NodeImage): Promise<string> {
  const node = realpathSync(process.execPath);
  await writeImageLayout(directory, {
    layers: [
      hostLayer(sharedLibraries(node)),
      hostLayer([{ source: node, target: '/usr/bin/node' }]),
      textLayer({
        'etc/passwd': 'root:x:0:0:root:/root:/sbin/nologin\n',
        'etc/group': 'root:x:0:\n',
        'var/runtime/bootstrap.mjs': await readFile(bootstrap),
      }),
      textLayer(image.files),
    ],
    config: {
      entrypoint: ['/usr/bin/node', '/var/runtime/bootstrap.mjs'],
      cmd: [image.handler],
      workingDir: '/var/task',
    },
    platform: { os: 'linux', architecture: process.arch === 'arm64' ? 'arm64' : 'amd64' },
  });
  return `oci:${directory}:latest`;
}
