import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { OciImage, TarWriter } from '../oci/mod.ts';
import { readZipDirectory } from '../zip/mod.ts';
import { UnpackedBudget, writeArchive } from './archive-layer.ts';
import { type MadeLayer, withLayers } from './layered-image.ts';

/** What stands on a base: paths of archives, and how the result is started. */
export interface ZipCode {
  readonly runtime: string;
  /** Whether the base has its languages in /var/lang; else they are looked for on its PATH. */
  readonly isHostBase: boolean;
  /** What goes to /var/task. */
  readonly codePath: string;
  /** What goes to /opt, in this order. */
  readonly layerPaths: readonly string[];
}

const clients = join(import.meta.dirname, '..', 'runtime', 'clients');
const hexSha256 = (bytes: Buffer | string) => createHash('sha256').update(bytes).digest('hex');

type Family = 'nodejs' | 'python' | 'provided';

function familyOf(runtime: string): Family {
  const [family] = /^(nodejs|python)/.exec(runtime) ?? [];
  return (family as Family | undefined) ?? 'provided';
}

interface ClientFile {
  readonly path: string;
  readonly content: Buffer;
}

async function readClient(family: Family): Promise<ClientFile[]> {
  if (family === 'provided') return [];
  const directory = join(clients, family);
  const entries = await readdir(directory, { recursive: true, withFileTypes: true });
  const paths = entries
    .filter((entry) => entry.isFile() && /\.(mjs|py)$/.test(entry.name))
    .map((entry) => join(entry.parentPath, entry.name))
    .sort();
  return Promise.all(
    paths.map(async (path) => ({
      path: `var/runtime/${path.slice(directory.length + 1)}`,
      content: await readFile(path),
    })),
  );
}

/** The runtime client, and the directories that every function has. */
function clientLayer(files: readonly ClientFile[]): MadeLayer {
  const sizeBytes = files.reduce((sum, { content }) => sum + content.length, 0);
  return {
    sha256: hexSha256(files.map(({ path, content }) => `${path} ${hexSha256(content)}`).join()),
    sizeBytes,
    write: async (tar: TarWriter) => {
      for (const path of ['opt', 'tmp', 'var/lang', 'var/runtime', 'var/task']) {
        await tar.add({ path, kind: 'directory' });
      }
      for (const { path, content } of files) await tar.add({ path }, content);
    },
  };
}

function archiveLayer(archive: Buffer, root: string, budget: UnpackedBudget): MadeLayer {
  return {
    sha256: hexSha256(archive),
    sizeBytes: archive.length,
    write: (tar) => writeArchive(tar, archive, root, budget),
  };
}

/** Where a custom runtime begins: the function's own bootstrap goes before a layer's. */
function bootstrapOf(code: Buffer, layers: readonly Buffer[]): string {
  const has = (archive: Buffer) =>
    readZipDirectory(archive).some(
      ({ name, kind }) => name === 'bootstrap' && kind !== 'directory',
    );
  return !has(code) && layers.some(has) ? '/opt/bootstrap' : '/var/task/bootstrap';
}

/**
 * Up to Node 22 Lambda runs Node without `require` of ES modules and without guesses at a module's
 * kind. A base of the operator's own may have a Node that does not know these words.
 */
function nodeFlags({ runtime, isHostBase }: ZipCode): string[] {
  const major = Number(/^nodejs(\d+)/.exec(runtime)?.[1]);
  if (!isHostBase || major >= 24) return [];
  return ['--no-experimental-require-module', '--no-experimental-detect-module'];
}

function entrypointOf(zip: ZipCode, code: Buffer, layers: readonly Buffer[]): string[] {
  const family = familyOf(zip.runtime);
  const lang = zip.isHostBase ? '/var/lang/bin/' : '';
  if (family === 'nodejs') {
    return [`${lang}node`, ...nodeFlags(zip), '/var/runtime/bootstrap.mjs'];
  }
  if (family === 'python') return [`${lang}python3`, '-u', '/var/runtime/bootstrap.py'];
  return [bootstrapOf(code, layers)];
}

/**
 * Zip code as an image: base, runtime client, layers, code, in this order, so that functions of one
 * runtime share their chunks up to the first that differs. Throws `CODE_INVALID`, and
 * `CODE_TOO_LARGE` when it is read.
 */
export async function zipImage(base: OciImage, zip: ZipCode): Promise<OciImage> {
  const files = await readClient(familyOf(zip.runtime));
  const code = await readFile(zip.codePath);
  const layers = await Promise.all(zip.layerPaths.map((path) => readFile(path)));
  const budget = new UnpackedBudget();
  const made = [
    clientLayer(files),
    ...layers.map((layer) => archiveLayer(layer, 'opt', budget)),
    archiveLayer(code, 'var/task', budget),
  ];
  return withLayers(base, made, {
    entrypoint: entrypointOf(zip, code, layers),
    cmd: [],
    workingDir: '/var/task',
  });
}
