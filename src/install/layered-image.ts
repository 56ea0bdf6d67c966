import { createHash } from 'node:crypto';
import { once } from 'node:events';
import { PassThrough } from 'node:stream';
import { type ImageConfig, type OciImage, TarWriter } from '../oci/mod.ts';

/** A layer that is made as it is read. */
export interface MadeLayer {
  /** What it is made of, in hexadecimal SHA-256; for messages and the image's digest. */
  readonly sha256: string;
  readonly sizeBytes: number;
  readonly write: (tar: TarWriter) => Promise<void>;
}

/** An image with further layers on top, that nothing has to be written for. */
export function withLayers(
  base: OciImage,
  made: readonly MadeLayer[],
  config: Pick<ImageConfig, 'entrypoint' | 'cmd' | 'workingDir'>,
): OciImage {
  const digest = createHash('sha256').update(base.digest);
  for (const { sha256 } of made) digest.update(sha256);
  const above = made.map(({ sha256, sizeBytes }) => ({
    mediaType: 'application/vnd.oci.image.layer.v1.tar',
    digest: `sha256:${sha256}`,
    diffId: `sha256:${sha256}`,
    sizeBytes,
  }));
  return {
    ...base,
    digest: `sha256:${digest.digest('hex')}`,
    config: { ...base.config, ...config },
    layers: [...base.layers, ...above],
    openLayer: (index, signal, onStoredBytes) => {
      const layer = made[index - base.layers.length];
      return layer ? tarOf(layer.write) : base.openLayer(index, signal, onStoredBytes);
    },
  };
}

/** The tar stream that `write` makes, no faster than it is read. */
async function* tarOf(write: MadeLayer['write']): AsyncGenerator<Buffer> {
  const stream = new PassThrough();
  const tar = new TarWriter(async (bytes) => {
    if (stream.destroyed) throw stream.errored ?? new Error('nobody reads the layer any more');
    if (!stream.write(bytes)) await once(stream, 'drain');
  });
  const written = write(tar)
    .then(() => tar.end())
    .then(
      () => stream.end(),
      (error) => stream.destroy(error),
    );
  try {
    for await (const bytes of stream) yield bytes as Buffer;
  } finally {
    stream.destroy();
    await written;
  }
}
