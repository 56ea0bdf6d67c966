export type { ByteString, DataExtent, DiskEntry, DiskSink, DiskSummary } from './entry.ts';
export { type DiskSource, type ReadEntry, readDisk } from './reader.ts';
export { DiskWriter, type DiskWriterOptions } from './writer.ts';
export { isStorableXattr } from './xattr.ts';
