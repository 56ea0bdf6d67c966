import { createHash } from 'node:crypto';
import { gzipSync } from 'node:zlib';
import { mediaTypes } from '../../src/oci/media-types.ts';
import type { Root } from './document-case.ts';
import { configOf, type Descriptor, type RawLayout } from './raw-layout.ts';
import { file, layer } from './raw-tar.ts';

export const GZIP_LAYER = `${mediaTypes.ociLayer}+gzip`;

/** A layer with one file, by which its image is told from another. */
export const tarOf = (name: string): Buffer => layer(file(name, 'x'));

export function digestOf(bytes: Buffer): string {
  return `sha256:${createHash('sha256').update(bytes).digest('hex')}`;
}

// biome-ignore lint/suspicious/noExplicitAny: cases take documents apart.
export type Json = Record<string, any>;

export interface Parts {
  /** Of the layer's file. */
  readonly file?: string;
  /** Makes another configuration of the usual one. */
  readonly config?: (config: Json) => object;
  readonly configType?: string | null;
  readonly manifest?: (manifest: Json) => object;
}

/** A manifest of one gzip layer, with what the case changes. */
export function manifestOf(layout: RawLayout, parts: Parts = {}): Json {
  const tar = tarOf(parts.file ?? 'f');
  const stored = layout.put(GZIP_LAYER, gzipSync(tar));
  const usual = configOf([digestOf(tar)]) as Json;
  const config = layout.put(mediaTypes.ociConfig, parts.config?.(usual) ?? usual);
  const { mediaType: _, ...untyped } = config;
  const type = parts.configType;
  const manifest = {
    schemaVersion: 2,
    mediaType: mediaTypes.ociManifest,
    config: type === null ? untyped : { ...config, ...(type !== undefined && { mediaType: type }) },
    layers: [stored],
  };
  return (parts.manifest?.(manifest) ?? manifest) as Json;
}

export const asRoot = (content: Json): Root => ({
  content,
  contentType: content['mediaType'] as string | undefined,
});

/** An index of what `put` makes; each entry is a manifest and what stands beside its descriptor. */
export function indexOf(
  layout: RawLayout,
  entries: readonly (readonly [manifest: Json, beside: object])[],
  mediaType: string = mediaTypes.ociIndex,
): Json {
  const manifests = entries.map(([manifest, beside]) => ({
    ...put(layout, manifest),
    ...beside,
  }));
  return { schemaVersion: 2, mediaType, manifests };
}

export function put(layout: RawLayout, document: Json): Descriptor {
  return layout.put(document['mediaType'] ?? mediaTypes.ociManifest, document);
}
