export type { ByteString, DataExtent, DiskEntry, DiskSink, DiskSummary } from './entry.ts';
export { DiskWriter, type DiskWriterOptions } from './writer.ts';
