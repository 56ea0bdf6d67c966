import { limits, SluiceError } from '../base/mod.ts';
import { type Digest, isDigest } from './digest.ts';
import {
  configMediaTypes,
  indexMediaTypes,
  isForeignLayerMediaType,
  isLayerMediaType,
  manifestMediaTypes,
  unreadCompression,
} from './media-types.ts';

/** image-spec, descriptor.md. */
export interface Descriptor {
  readonly mediaType: string;
  readonly digest: Digest;
  readonly sizeBytes: number;
}

export interface IndexEntry extends Descriptor {
  readonly platform?: { os: string; architecture: string; variant?: string };
  readonly annotations: Readonly<Record<string, string>>;
}

export type ImageDocument =
  | { readonly kind: 'index'; readonly entries: readonly IndexEntry[] }
  | { readonly kind: 'manifest'; readonly config: Descriptor; readonly layers: Descriptor[] };

type Json = Readonly<Record<string, unknown>>;

export function malformed(where: string, what: string): SluiceError {
  return new SluiceError('IMAGE_MALFORMED', `${where}: ${what}`, { data: { where } });
}

function unknownMediaType(where: string, mediaType: string, hint: string): SluiceError {
  const shown = mediaType.slice(0, 200);
  return new SluiceError('IMAGE_MEDIA_TYPE_UNKNOWN', `${where}: media type ${shown} ${hint}`, {
    data: { mediaType: shown },
  });
}

/** `where`: the layer or the archive. */
export function unknownCompression(where: string, compression: string): SluiceError {
  return new SluiceError(
    'IMAGE_COMPRESSION_UNKNOWN',
    `${where}: it is compressed with ${compression}, which is not read here; ` +
      'build or copy the image with gzip or zstd',
    { data: { where, compression } },
  );
}

/** A JSON object, or `IMAGE_MALFORMED`. */
export function parseJsonObject(bytes: Buffer, where: string): Json {
  const value = parseJson(bytes, where);
  if (!isObject(value)) throw malformed(where, 'it is no JSON object');
  return value;
}

export function parseJson(bytes: Buffer, where: string): unknown {
  try {
    return JSON.parse(bytes.toString('utf8'));
  } catch (error) {
    throw new SluiceError('IMAGE_MALFORMED', `${where}: it is no JSON (${String(error)})`, {
      cause: error,
    });
  }
}

export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Strings of an object, the others left out. */
export function stringMap(value: unknown): Readonly<Record<string, string>> {
  if (!isObject(value)) return {};
  return Object.fromEntries(
    Object.entries(value).filter((pair): pair is [string, string] => typeof pair[1] === 'string'),
  );
}

/**
 * Reads an index or a manifest, of OCI or of Docker's schema 2. `declaredType` is what the
 * descriptor or the registry said; the document's own word must agree with it.
 */
export function parseImageDocument(
  bytes: Buffer,
  where: string,
  declaredType?: string,
): ImageDocument {
  const json = parseJsonObject(bytes, where);
  const own = typeof json['mediaType'] === 'string' ? json['mediaType'] : undefined;
  const known = [...indexMediaTypes, ...manifestMediaTypes];
  const declared = declaredType !== undefined && known.includes(declaredType);
  if (own !== undefined && declared && own !== declaredType) {
    throw malformed(where, `it says that it is ${own}, and its descriptor says ${declaredType}`);
  }
  const mediaType = own ?? (declared ? declaredType : guessMediaType(json)) ?? declaredType;
  if (json['schemaVersion'] === 1 || mediaType?.includes('distribution.manifest.v1')) {
    const shown = mediaType ?? 'application/vnd.docker.distribution.manifest.v1+json';
    throw unknownMediaType(where, shown, 'is Docker schema 1; push the image again in schema 2');
  }
  // One document read as two things is an old confusion attack (CVE-2021-41190).
  if (json['manifests'] !== undefined && json['layers'] !== undefined) {
    throw malformed(where, 'it has both "manifests" and "layers"');
  }
  if (mediaType !== undefined && indexMediaTypes.includes(mediaType)) {
    return { kind: 'index', entries: indexEntries(json, where) };
  }
  if (mediaType !== undefined && manifestMediaTypes.includes(mediaType)) {
    return manifestOf(json, where);
  }
  throw unknownMediaType(where, mediaType ?? '(none)', 'is no image that can be read here');
}

function guessMediaType(json: Json): string | undefined {
  if (Array.isArray(json['manifests'])) return indexMediaTypes[0];
  if (Array.isArray(json['layers'])) return manifestMediaTypes[0];
  return undefined;
}

/** The `manifests` of an index, or of a layout's `index.json`. */
export function indexEntries(json: Json, where: string): IndexEntry[] {
  const manifests = json['manifests'] ?? [];
  if (!Array.isArray(manifests)) throw malformed(where, '"manifests" is no list');
  return manifests.map((each, index) => {
    const at = `${where}: manifests[${index}]`;
    const descriptor = parseDescriptor(each, at);
    const json = each as Json;
    const platform = platformOf(json['platform']);
    return {
      ...descriptor,
      ...(platform && { platform }),
      annotations: stringMap(json['annotations']),
    };
  });
}

/** Empty words are Go's for no word: a platform of them names none. */
function platformOf(value: unknown): IndexEntry['platform'] {
  if (!isObject(value)) return undefined;
  const word = (key: string) => (typeof value[key] === 'string' ? value[key] : '');
  const [os, architecture, variant] = [word('os'), word('architecture'), word('variant')];
  if (os === '' && architecture === '') return undefined;
  return { os, architecture, ...(variant !== '' && { variant }) };
}

function manifestOf(json: Json, where: string): ImageDocument {
  const config = parseDescriptor(json['config'], `${where}: config`);
  if (!configMediaTypes.includes(config.mediaType)) {
    throw unknownMediaType(where, config.mediaType, 'of its config is no container image');
  }
  // Go writes an empty list as null.
  const list = json['layers'] ?? [];
  if (!Array.isArray(list)) throw malformed(where, '"layers" is no list');
  if (list.length > limits.image.layers) {
    throw malformed(where, `it has ${list.length} layers; the limit is ${limits.image.layers}`);
  }
  const layers = list.map((each, index) => {
    const layer = parseDescriptor(each, `${where}: layers[${index}]`);
    if (isForeignLayerMediaType(layer.mediaType)) {
      const hint = `of layer ${layer.digest} is non-distributable; build the image without it`;
      throw unknownMediaType(where, layer.mediaType, hint);
    }
    const compression = unreadCompression(layer.mediaType);
    if (compression) throw unknownCompression(`layer ${layer.digest}`, compression);
    if (!isLayerMediaType(layer.mediaType)) {
      const hint = `of layer ${layer.digest} is unknown; use tar, tar+gzip or tar+zstd`;
      throw unknownMediaType(where, layer.mediaType, hint);
    }
    return layer;
  });
  return { kind: 'manifest', config, layers };
}

function parseDescriptor(value: unknown, where: string): Descriptor {
  if (!isObject(value)) throw malformed(where, 'it is no descriptor');
  const { digest, size } = value;
  const mediaType = value['mediaType'] ?? '';
  if (typeof mediaType !== 'string') throw malformed(where, 'its "mediaType" is no string');
  if (!isDigest(digest)) {
    throw malformed(where, `its "digest" is ${JSON.stringify(digest)?.slice(0, 100)}`);
  }
  if (typeof size !== 'number' || !Number.isSafeInteger(size) || size < 0) {
    throw malformed(where, 'its "size" is no size');
  }
  return { mediaType, digest, sizeBytes: size };
}
