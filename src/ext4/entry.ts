import type { InodeKind } from './format.ts';

/** Bytes as a string, one char (0 to 255) a byte: paths and names may be any bytes. */
export type DiskString = string;

/** One path of a layer, as the tar reader gives it. */
export interface DiskEntry {
  /** Relative, `''` is the root; no leading or trailing slash, no `.` or `..`. */
  readonly path: DiskString;
  readonly kind: InodeKind | 'hardlink';
  /** 12 bits: permissions, set-uid, set-gid, sticky. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  /** Seconds since 1970, may be negative; outside ext4's range (1901 to 2446) it is clamped. */
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  /** Values as `getxattr` shows them; ACLs are turned into ext4's form. */
  readonly xattrs: ReadonlyMap<DiskString, Buffer>;
  /** A symlink's target, or the path of the file that a hard link names. */
  readonly linkTarget?: DiskString;
  readonly deviceMajor?: number;
  readonly deviceMinor?: number;
  /** A file's size with its holes; 0 when absent. */
  readonly sizeBytes?: number;
  /** Where a sparse file has data; `content` yields just that, concatenated. */
  readonly sparse?: readonly DataExtent[];
}

export interface DataExtent {
  readonly offset: number;
  readonly length: number;
}

/** Where a disk goes. Chunks come in any order, each at most once; those never written are zero. */
export interface DiskSink {
  /** `data` is one chunk and may not be touched by the writer until the promise settles. */
  writeChunk(index: number, data: Buffer): Promise<void>;
}

export interface DiskSummary {
  readonly diskBytes: number;
  readonly chunkCount: number;
  readonly files: number;
  readonly directories: number;
  readonly inodes: number;
  /** Bytes of the data chunks written, with what lies unused in them. */
  readonly dataBytes: number;
  /** Bytes of all other chunks written. */
  readonly metadataBytes: number;
}
