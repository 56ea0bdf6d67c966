export type { DiskSink, DiskSummary } from './entry.ts';
export { readDisk } from './reader.ts';
export { DiskWriter } from './writer.ts';
export { isStorableXattr } from './xattr.ts';
