import { execFileSync } from 'node:child_process';
import { createHash } from 'node:crypto';
import {
  createReadStream,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
} from 'node:fs';
import { join } from 'node:path';
import { zstdDecompressSync } from 'node:zlib';
import { CHUNK_SIZE_BYTES } from '../src/base/mod.ts';
import { flattenImage } from '../src/image/mod.ts';
import { type OciImage, readTar } from '../src/oci/mod.ts';
import type { BenchImage } from './dedup-images.ts';

/** What an image consists of in a store that keeps equal parts once: part ids and their bytes. */
export type Parts = ReadonlyMap<string, number>;

export interface DiskParts {
  /** Chunks of file content. */
  readonly data: Parts;
  /** All other chunks. */
  readonly metadata: Parts;
}

const zeroChunk = Buffer.alloc(CHUNK_SIZE_BYTES);
/** Where file content begins on a disk (src/ext4/geometry.ts). */
const DATA_FIRST_CHUNK = 1024;

const sha256 = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');

const readLayer = (path: string): AsyncIterable<Buffer> =>
  createReadStream(path, { highWaterMark: 1 << 20 });

/** The chunks of the disk that we flatten the image to. */
export async function diskParts(image: BenchImage, scratch: string): Promise<DiskParts> {
  const data = new Map<string, number>();
  const metadata = new Map<string, number>();
  const source = {
    layers: image.layers.map((path) => ({ digest: path, sizeBytes: statSync(path).size })),
    openLayer: (index: number) => readLayer(image.layers[index]!),
  } as unknown as OciImage;
  const sink = {
    async writeChunk(index: number, chunk: Buffer): Promise<void> {
      if (chunk.equals(zeroChunk)) return;
      const parts = index >= DATA_FIRST_CHUNK ? data : metadata;
      parts.set(sha256(chunk), chunk.length);
    },
  };
  await flattenImage(source, { sink, spoolDirectory: join(scratch, 'spool') });
  return { data, metadata };
}

/** Whole files by content: the lower bound of any store that does not look into files. */
export async function fileParts(image: BenchImage): Promise<Parts> {
  const parts = new Map<string, number>();
  for (const layer of image.layers) {
    for await (const entry of readTar(readLayer(layer), { where: layer })) {
      if (entry.kind !== 'file' || entry.sizeBytes === 0) continue;
      const hash = createHash('sha256');
      for await (const piece of entry.content()) hash.update(piece);
      parts.set(hash.digest('hex'), entry.sizeBytes);
    }
  }
  return parts;
}

/** Whole layers, uncompressed: what a registry keeps. */
export async function layerParts(image: BenchImage): Promise<Parts> {
  const parts = new Map<string, number>();
  for (const layer of image.layers) {
    const hash = createHash('sha256');
    for await (const piece of readLayer(layer)) hash.update(piece);
    parts.set(hash.digest('hex'), statSync(layer).size);
  }
  return parts;
}

/** casync's content-defined chunks (64 KiB on average) of the tree, by their size unpacked. */
export function casyncParts(tree: string, scratch: string): Parts {
  const work = mkdtempSync(join(scratch, 'casync-'));
  try {
    const store = join(work, 'store');
    execFileSync('casync', ['make', `--store=${store}`, join(work, 'index.caidx'), tree], {
      stdio: ['ignore', 'ignore', 'inherit'],
    });
    const parts = new Map<string, number>();
    for (const directory of readdirSync(store)) {
      for (const chunk of readdirSync(join(store, directory))) {
        parts.set(chunk, zstdDecompressSync(readFileSync(join(store, directory, chunk))).length);
      }
    }
    return parts;
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

/** A restic repository without compression; answers the bytes that each backup adds. */
export class ResticRepository {
  readonly #directory: string;
  readonly #environment: NodeJS.ProcessEnv;

  constructor(scratch: string) {
    this.#directory = mkdtempSync(join(scratch, 'restic-'));
    this.#environment = { ...process.env, RESTIC_PASSWORD: 'benchmark' };
    this.#run(['init']);
  }

  addedBytes(tree: string): number {
    const output = this.#run(['backup', '--json', '--compression', 'off', tree]);
    const last = output.trim().split('\n').at(-1) ?? '{}';
    return (JSON.parse(last) as { data_added: number }).data_added;
  }

  close(): void {
    rmSync(this.#directory, { recursive: true, force: true });
  }

  #run(command: readonly string[]): string {
    return execFileSync('restic', ['-q', '--no-cache', '-r', this.#directory, ...command], {
      encoding: 'utf8',
      env: this.#environment,
      maxBuffer: 2 ** 28,
      stdio: ['ignore', 'pipe', 'inherit'],
    });
  }
}

/** Unpacks an image for the time of `work`. */
export async function whileUnpacked<T>(
  image: BenchImage,
  scratch: string,
  work: (tree: string) => T,
): Promise<T> {
  const tree = join(scratch, 'tree');
  rmSync(tree, { recursive: true, force: true });
  mkdirSync(tree);
  try {
    for (const layer of image.layers) {
      execFileSync('tar', ['--numeric-owner', '-xpf', layer, '-C', tree]);
    }
    return work(tree);
  } finally {
    rmSync(tree, { recursive: true, force: true });
  }
}
