import { mkdir } from 'node:fs/promises';
import { formatBytes, limits, MIB, SluiceError } from '../base/mod.ts';
import { type DiskSink, type DiskSummary, DiskWriter } from '../ext4/mod.ts';
import { type ByteString, type OciImage, printable } from '../oci/mod.ts';
import { applyLayer } from './apply-layer.ts';
import type { ImageProcess } from './image-process.ts';
import { missingOnDisk } from './process-on-disk.ts';
import type { ImagePhase } from './progress.ts';

export interface FlattenOptions {
  readonly sink: DiskSink;
  /** Where small files wait for their layer's end; nothing is left there. */
  readonly spoolDirectory: string;
  /** Of the uncompressed layers together; Lambda's 10 GiB unless given. */
  readonly sizeLimitBytes?: number;
  readonly signal?: AbortSignal;
  /** What is to run on the disk; what of it is not there is a warning. */
  readonly process?: ImageProcess;
  /** Called as the stored layers are read, and when the next phase begins. */
  readonly onBytes?: (phase: ImagePhase, bytesDone: number, bytesTotal: number) => void;
}

export interface FlattenSummary extends DiskSummary {
  readonly layers: number;
  readonly entries: number;
  /** Of the layers, uncompressed. */
  readonly tarBytes: number;
  /** What of the image is not on the disk, in words for whoever made it. */
  readonly warnings: readonly string[];
}

/** Progress is told this often, and at each layer's start. */
const PROGRESS_BYTES = 4 * MIB;
const WARNINGS_MAX = 20;

/**
 * Flattens an image to an ext4 disk, layer by layer, each read once as a stream. On an error the
 * sink may hold chunks that nothing names; everything else is cleaned up.
 */
export async function flattenImage(
  image: OciImage,
  options: FlattenOptions,
): Promise<FlattenSummary> {
  const { sink, spoolDirectory } = options;
  const sizeLimitBytes = options.sizeLimitBytes ?? limits.image.flattenedSizeBytes;
  await mkdir(spoolDirectory, { recursive: true });
  const disk = new DiskWriter({ sink, spoolDirectory, sizeLimitBytes });
  const bytesTotal = image.layers.reduce((sum, layer) => sum + layer.sizeBytes, 0);
  let bytesDone = 0;
  let entries = 0;
  const warnings: string[] = [];
  const budget = new SizeBudget(sizeLimitBytes);
  try {
    for (const [index, layer] of image.layers.entries()) {
      options.onBytes?.('layers', bytesDone, bytesTotal);
      const stored = image.openLayer(index, options.signal, (count) => {
        const steps = Math.floor(bytesDone / PROGRESS_BYTES);
        bytesDone += count;
        if (Math.floor(bytesDone / PROGRESS_BYTES) === steps) return;
        options.onBytes?.('layers', bytesDone, bytesTotal);
      });
      const applied = await applyLayer(budget.limited(stored), disk, {
        layerDigest: layer.digest,
        entriesBefore: entries,
        ...(options.signal && { signal: options.signal }),
      });
      entries += applied.entries;
      for (const [name, count] of applied.leftOut) {
        if (warnings.length < WARNINGS_MAX)
          warnings.push(leftOutWarning(layer.digest, name, count));
      }
    }
    if (options.process) warnings.push(...missingOnDisk(disk, options.process));
    options.onBytes?.('metadata', bytesDone, bytesTotal);
    const summary = await disk.finish();
    const tarBytes = budget.usedBytes;
    return { ...summary, layers: image.layers.length, entries, tarBytes, warnings };
  } catch (error) {
    await disk.abort();
    throw error;
  }
}

function leftOutWarning(layerDigest: string, name: ByteString, entries: number): string {
  return (
    `layer ${layerDigest}: attribute "${printable(name)}" of ${entries} ` +
    `${entries === 1 ? 'entry' : 'entries'} was left out: no Linux file system stores it`
  );
}

/** Stops a stream that decompresses to more than an image may have, before it is all read. */
class SizeBudget {
  readonly #limitBytes: number;
  usedBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  async *limited(source: AsyncIterable<Buffer>): AsyncGenerator<Buffer> {
    for await (const bytes of source) {
      this.usedBytes += bytes.length;
      if (this.usedBytes > this.#limitBytes) {
        throw new SluiceError(
          'IMAGE_TOO_LARGE',
          `Uncompressed container image size exceeds ${formatBytes(this.#limitBytes)} limit`,
          { data: { limitBytes: this.#limitBytes } },
        );
      }
      yield bytes;
    }
  }
}
