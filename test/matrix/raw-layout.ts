import { createHash } from 'node:crypto';
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { mediaTypes } from '../../src/oci/media-types.ts';

export interface Descriptor {
  readonly mediaType: string;
  readonly digest: string;
  readonly size: number;
}

/** An image layout of raw bytes, each document as the case wants it. */
export class RawLayout {
  readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(join(directory, 'blobs', 'sha256'), { recursive: true });
    writeFileSync(join(directory, 'oci-layout'), '{"imageLayoutVersion":"1.0.0"}');
  }

  put(mediaType: string, content: Buffer | object): Descriptor {
    const bytes = Buffer.isBuffer(content) ? content : Buffer.from(JSON.stringify(content));
    const hex = createHash('sha256').update(bytes).digest('hex');
    writeFileSync(join(this.directory, 'blobs', 'sha256', hex), bytes);
    return { mediaType, digest: `sha256:${hex}`, size: bytes.length };
  }

  index(manifests: readonly object[]): void {
    const index = { schemaVersion: 2, manifests };
    writeFileSync(join(this.directory, 'index.json'), JSON.stringify(index));
  }

  /** An image of raw, uncompressed layers, named `latest`. */
  image(layers: readonly Buffer[]): void {
    const made = layers.map((bytes) => this.put(mediaTypes.ociLayer, bytes));
    const config = this.put(mediaTypes.ociConfig, configOf(made.map((each) => each.digest)));
    const manifest = this.put(mediaTypes.ociManifest, {
      ...{ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: made },
    });
    this.index([latest(manifest)]);
  }
}

export const platform = { os: 'linux', architecture: 'amd64' };
const CREATED = '1970-01-01T00:00:00Z';

export function configOf(diffIds: readonly string[] | null, more: object = {}): object {
  return {
    ...platform,
    created: CREATED,
    config: { Cmd: ['/run'] },
    rootfs: { type: 'layers', diff_ids: diffIds },
    history: (diffIds ?? []).map(() => ({ created: CREATED, created_by: 'matrix' })),
    ...more,
  };
}

/** An index's entry of the image that the cases name. */
export function latest(manifest: Descriptor, more: object = { platform }): object {
  return { ...manifest, ...more, annotations: { 'org.opencontainers.image.ref.name': 'latest' } };
}
