import type { ByteString } from '../byte-string.ts';

export type EntryKind =
  | 'file'
  | 'directory'
  | 'symlink'
  | 'hardlink'
  | 'character'
  | 'block'
  | 'fifo';

/** A stretch of a sparse file that has data; everything between two of them reads as zeros. */
export interface TarExtent {
  readonly offset: number;
  readonly length: number;
}

export interface TarEntry {
  /** As stored: it may be absolute, begin with `./`, climb, or end with a slash. */
  readonly path: ByteString;
  readonly kind: EntryKind;
  /** The low 12 bits: permissions, set-uid, set-gid, sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Since the epoch; negative before it. */
  readonly mtimeSeconds: number;
  /** 0 to 999,999,999, always forward from `mtimeSeconds`. */
  readonly mtimeNanoseconds: number;
  readonly linkTarget?: ByteString;
  readonly deviceMajor?: number;
  readonly deviceMinor?: number;
  /** What `stat` would say, holes included; 0 for all but files. */
  readonly sizeBytes: number;
  readonly xattrs: ReadonlyMap<ByteString, Buffer>;
  /** Ascending and disjoint; absent for a file without holes. */
  readonly sparse?: readonly TarExtent[];
  /** Where the content starts, counted from the first byte of the source. */
  readonly contentOffset: number;
  /** How many bytes `content()` answers: less than `sizeBytes` when the file is sparse. */
  readonly storedBytes: number;
  /**
   * The stored bytes, once: of a sparse file the bytes of its extents, one after another. A
   * Buffer is a view, good until the next is asked for. What is not read is skipped.
   */
  content(): AsyncIterable<Buffer>;
}
