export { type ByteString, byteString, printable } from './byte-string.ts';
export type { Compression } from './decompress.ts';
export type { Digest } from './digest.ts';
export type { HistoryEntry, ImageConfig } from './image-config.ts';
export {
  type ConfigToWrite,
  type LayerToWrite,
  type LayoutToWrite,
  type WrittenLayout,
  writeImageLayout,
} from './layout-writer.ts';
export { isWrittenWithin } from './local-file.ts';
export {
  type LayerDescriptor,
  type OciImage,
  type OpenImageOptions,
  openImage,
} from './open-image.ts';
export type { Platform } from './platform.ts';
export { type ImageReference, parseImageReference } from './reference.ts';
export { findCredentials, type RepositoryName, registryAuthFiles } from './registry/auth-file.ts';
export {
  type CertificateAuthorities,
  type DispatcherFor,
  registryAgent,
} from './registry/connections.ts';
export type { Credentials } from './registry/credentials.ts';
export type { DataExtent, EntryKind, TarEntry } from './tar/tar-entry.ts';
export { type ReadTarOptions, readTar } from './tar/tar-reader.ts';
export { TarWriter, type TarWriterEntry } from './tar/tar-writer.ts';
