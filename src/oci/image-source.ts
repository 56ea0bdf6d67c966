import type { Digest } from './digest.ts';
import type { Descriptor } from './documents.ts';
import type { Platform } from './platform.ts';

/** A manifest or an index as it lies in its store, checked against `digest`. */
export interface ManifestBytes {
  readonly bytes: Buffer;
  readonly digest: Digest;
  readonly mediaType?: string;
}

/** Where an image comes from: a layout, a docker archive, a registry. */
export interface ImageSource {
  /** For messages. */
  readonly name: string;
  /** What the reference names. */
  root(platform: Platform, signal?: AbortSignal): Promise<ManifestBytes>;
  /** A manifest that an index names. */
  manifest(descriptor: Descriptor, signal?: AbortSignal): Promise<ManifestBytes>;
  /** A configuration, checked. */
  config(descriptor: Descriptor, signal?: AbortSignal): Promise<Buffer>;
  /** A layer's bytes as stored, unchecked. */
  layer(descriptor: Descriptor, index: number, signal?: AbortSignal): AsyncIterable<Buffer>;
  /** Whether `Descriptor.digest` and `sizeBytes` of layers are of the stored bytes. */
  readonly layersHaveDigests: boolean;
  close(): Promise<void>;
}
