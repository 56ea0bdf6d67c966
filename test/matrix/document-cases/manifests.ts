import { gzipSync, zstdCompressSync } from 'node:zlib';
import { mediaTypes } from '../../../src/oci/media-types.ts';
import type { DocumentCase, Root } from '../document-case.ts';
import { asRoot, digestOf, GZIP_LAYER, type Json, manifestOf, tarOf } from '../documents.ts';
import { configOf, type RawLayout } from '../raw-layout.ts';

const manifest = (name: string, change: (manifest: Json) => object): DocumentCase => ({
  name,
  build: (layout) => asRoot(manifestOf(layout, { manifest: change })),
});
const refused = (name: string, refuses: DocumentCase['refuses'], change: (m: Json) => object) => ({
  ...manifest(name, change),
  ...(refuses && { refuses }),
});
const typed = (name: string, contentType: string | undefined): DocumentCase => ({
  name,
  build: (layout) => ({ content: manifestOf(layout), contentType }),
});
const bytes = (name: string, content: (manifest: string) => string): DocumentCase => ({
  name,
  build: (layout) => ({
    content: Buffer.from(content(JSON.stringify(manifestOf(layout)))),
    contentType: mediaTypes.ociManifest,
  }),
});

/** One layer, stored as these bytes under this type. */
function stored(layout: RawLayout, mediaType: string, made: Buffer, tar: Buffer): Root {
  const config = layout.put(mediaTypes.ociConfig, configOf([digestOf(tar)]));
  const layers = [layout.put(mediaType, made)];
  return asRoot({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers });
}
const layerAs = (name: string, mediaType: string, pack: (tar: Buffer) => Buffer): DocumentCase => ({
  name,
  build: (layout) => stored(layout, mediaType, pack(tarOf('f')), tarOf('f')),
});
const plain = (tar: Buffer) => tar;
const gzip = (tar: Buffer) => gzipSync(tar);
const split = (tar: Buffer) =>
  Buffer.concat([gzipSync(tar.subarray(0, 700)), gzipSync(tar.subarray(700))]);

/** What `xz` and `bzip2` begin with; that is all that is read of it. */
const xz = () => Buffer.from('fd377a585a000004e6d6b446', 'hex');
const bzip2 = () => Buffer.from('425a6839314159265359', 'hex');

const UMOCI_KNOWS_NO_ZSTD = 'umoci 0.4.7 knows no zstd';
const TOLD_BY_BYTES = 'what a layer is compressed with is told by its bytes, as containerd does';

function withDockerTypes(usual: Json): Json {
  return {
    ...usual,
    mediaType: mediaTypes.dockerManifest,
    config: { ...usual['config'], mediaType: mediaTypes.dockerConfig },
    layers: usual['layers'].map((each: Json) => ({
      ...each,
      mediaType: `${mediaTypes.dockerLayer}.gzip`,
    })),
  };
}

const firstLayer = (change: (layer: Json) => object) => (usual: Json) => ({
  ...usual,
  layers: [change(usual['layers'][0])],
});

export const manifestCases: readonly DocumentCase[] = [
  manifest('Docker’s schema 2', withDockerTypes),
  manifest('annotations, a subject and an artifact type', (usual) => ({
    ...usual,
    ...{ annotations: { a: 'b' }, artifactType: 'x/y' },
  })),
  manifest('annotations that are null', (usual) => ({ ...usual, annotations: null })),
  typed('a header with a charset', `${mediaTypes.ociManifest}; charset=utf-8`),
  {
    ...typed('a header that says nothing of it', 'text/plain'),
    why: 'the document’s own word goes before a header that means nothing',
    has: ['/f'],
  },
  {
    ...typed('no header', undefined),
    why: 'the document’s own word goes where the registry has none',
    has: ['/f'],
  },
  {
    name: 'a manifest without its type, and the header says it',
    build: (layout) => {
      const { mediaType: _, ...untyped } = manifestOf(layout);
      return { content: untyped, contentType: mediaTypes.ociManifest };
    },
  },
  {
    ...typed('a header of another kind', mediaTypes.ociIndex),
    refuses: 'IMAGE_MALFORMED',
  },
  bytes('spaces and lines around', (text) => `\n ${text}\n\n`),
  { ...bytes('a byte-order mark', (text) => `\ufeff${text}`), refuses: 'IMAGE_MALFORMED' },
  { ...bytes('what is no JSON', (text) => text.slice(0, -1)), refuses: 'IMAGE_MALFORMED' },
  { ...bytes('two documents', (text) => text + text), refuses: 'IMAGE_MALFORMED' },
  { ...bytes('a list', (text) => `[${text}]`), refuses: 'IMAGE_MALFORMED' },
  { ...bytes('nothing', () => ''), refuses: 'IMAGE_MALFORMED' },
  {
    ...bytes('5 MiB of spaces', (text) => text + ' '.repeat(5 << 20)),
    refuses: 'IMAGE_MALFORMED',
  },
  refused('Docker’s schema 1', 'IMAGE_MEDIA_TYPE_UNKNOWN', () => ({
    ...{ schemaVersion: 1, name: 'app', tag: 'latest', fsLayers: [], history: [] },
    mediaType: 'application/vnd.docker.distribution.manifest.v1+json',
  })),
  refused('a manifest that is an index too', 'IMAGE_MALFORMED', (usual) => ({
    ...usual,
    manifests: [],
  })),
  refused(
    'a digest in capitals',
    'IMAGE_MALFORMED',
    firstLayer((each) => ({
      ...each,
      digest: `sha256:${each['digest'].slice(7).toUpperCase()}`,
    })),
  ),
  refused(
    'a digest that is a path',
    'IMAGE_MALFORMED',
    firstLayer((each) => ({
      ...each,
      digest: 'sha256:../../../../etc/passwd',
    })),
  ),
  refused(
    'a digest of another algorithm',
    'IMAGE_MALFORMED',
    firstLayer((each) => ({
      ...each,
      digest: `md5:${'0'.repeat(32)}`,
    })),
  ),
  refused(
    'a layer that is not there',
    'IMAGE_NOT_FOUND',
    firstLayer((each) => ({
      ...each,
      digest: `sha256:${'2'.repeat(64)}`,
    })),
  ),
  {
    ...refused(
      'a negative size',
      'IMAGE_MALFORMED',
      firstLayer((each) => ({ ...each, size: -5 })),
    ),
    why: 'skopeo takes −1 and less for a size that is not known',
  },
  refused(
    'a size that is a word',
    'IMAGE_MALFORMED',
    firstLayer((each) => ({ ...each, size: '5' })),
  ),
  refused(
    'a size that is too small',
    'IMAGE_DIGEST_MISMATCH',
    firstLayer((each) => ({ ...each, size: 5 })),
  ),
  refused(
    'a size that is too large',
    'IMAGE_LAYER_TRUNCATED',
    firstLayer((each) => ({
      ...each,
      size: each['size'] + 5,
    })),
  ),
  refused('no config', 'IMAGE_MALFORMED', ({ config: _, ...rest }) => rest),
  {
    name: 'no layers, and diff ids that are null',
    build: (layout) => {
      const config = layout.put(mediaTypes.ociConfig, configOf(null));
      return asRoot({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: [] });
    },
  },
  {
    name: 'layers that are null',
    build: (layout) => {
      const config = layout.put(mediaTypes.ociConfig, configOf(null));
      return asRoot({ schemaVersion: 2, mediaType: mediaTypes.ociManifest, config, layers: null });
    },
  },
  layerAs('a layer that is not compressed', mediaTypes.ociLayer, plain),
  layerAs('a layer of several gzip members', GZIP_LAYER, split),
  {
    ...layerAs('a zstd layer', `${mediaTypes.ociLayer}+zstd`, (tar) => zstdCompressSync(tar)),
    why: UMOCI_KNOWS_NO_ZSTD,
    has: ['/f'],
  },
  {
    ...layerAs('gzip under the type of a plain tar', mediaTypes.ociLayer, gzip),
    why: TOLD_BY_BYTES,
    has: ['/f'],
  },
  layerAs('a plain tar under the type of gzip', GZIP_LAYER, plain),
  { ...layerAs('xz under the type of gzip', GZIP_LAYER, xz), refuses: 'IMAGE_COMPRESSION_UNKNOWN' },
  {
    ...layerAs('bzip2 under the type of a plain tar', mediaTypes.ociLayer, bzip2),
    refuses: 'IMAGE_COMPRESSION_UNKNOWN',
  },
  {
    ...layerAs('a type of xz', `${mediaTypes.ociLayer}+xz`, xz),
    refuses: 'IMAGE_COMPRESSION_UNKNOWN',
  },
  {
    ...layerAs('a type of bzip2', `${mediaTypes.ociLayer}+bzip2`, bzip2),
    refuses: 'IMAGE_COMPRESSION_UNKNOWN',
  },
  {
    ...layerAs('a squashfs', 'application/vnd.x.squashfs', plain),
    refuses: 'IMAGE_MEDIA_TYPE_UNKNOWN',
  },
  { ...layerAs('a layer without a type', '', gzip), refuses: 'IMAGE_MEDIA_TYPE_UNKNOWN' },
  {
    ...layerAs(
      'a layer that may not be distributed',
      'application/vnd.oci.image.layer.nondistributable.v1.tar+gzip',
      gzip,
    ),
    refuses: 'IMAGE_MEDIA_TYPE_UNKNOWN',
    why: 'such a layer lies elsewhere, and is for Windows',
  },
  {
    ...layerAs('gzip that ends early', GZIP_LAYER, (tar) => gzipSync(tar).subarray(0, 60)),
    refuses: 'IMAGE_LAYER_TRUNCATED',
  },
  {
    ...layerAs('gzip with a flipped bit', GZIP_LAYER, (tar) => {
      const made = gzipSync(tar);
      made[40] = made[40]! ^ 0x10;
      return made;
    }),
    refuses: 'IMAGE_LAYER_CORRUPT',
  },
];
