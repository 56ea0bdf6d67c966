/** The media types of image-spec (media-types.md) and of Docker's schema 2 that are read here. */
export const mediaTypes = {
  ociIndex: 'application/vnd.oci.image.index.v1+json',
  ociManifest: 'application/vnd.oci.image.manifest.v1+json',
  ociConfig: 'application/vnd.oci.image.config.v1+json',
  ociLayer: 'application/vnd.oci.image.layer.v1.tar',
  dockerList: 'application/vnd.docker.distribution.manifest.list.v2+json',
  dockerManifest: 'application/vnd.docker.distribution.manifest.v2+json',
  dockerConfig: 'application/vnd.docker.container.image.v1+json',
  dockerLayer: 'application/vnd.docker.image.rootfs.diff.tar',
} as const;

export const indexMediaTypes: readonly string[] = [mediaTypes.ociIndex, mediaTypes.dockerList];
export const manifestMediaTypes: readonly string[] = [
  mediaTypes.ociManifest,
  mediaTypes.dockerManifest,
];
/**
 * Besides the two that are right, what registries and builders have written in their stead, as
 * Docker's engine and containerd accept it; what the config holds is checked when it is read.
 */
export const configMediaTypes: readonly string[] = [
  mediaTypes.ociConfig,
  mediaTypes.dockerConfig,
  'application/octet-stream',
  'application/json',
  'text/html',
  '',
];

const layerMediaTypes: ReadonlySet<string> = new Set(
  [mediaTypes.ociLayer, mediaTypes.dockerLayer].flatMap((base) => [
    base,
    `${base}+gzip`,
    `${base}+zstd`,
    `${base}.gzip`,
    `${base}.zstd`,
  ]),
);

export function isLayerMediaType(mediaType: string): boolean {
  return layerMediaTypes.has(mediaType);
}

/** The compression that a layer's media type names and that is not read here. */
export function unreadCompression(mediaType: string): 'xz' | 'bzip2' | undefined {
  const suffix = /[.+](xz|bzip2|bz2)$/.exec(mediaType)?.[1];
  return suffix === 'bz2' ? 'bzip2' : (suffix as 'xz' | 'bzip2' | undefined);
}

/** Layers that may not be pushed to a registry and lie elsewhere (Windows bases). */
export function isForeignLayerMediaType(mediaType: string): boolean {
  return mediaType.includes('nondistributable') || mediaType.includes('rootfs.foreign');
}
