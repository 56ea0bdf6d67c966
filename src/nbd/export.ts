/** A run of bytes that are alike; a hole has nothing stored and reads as zeros. */
export interface ExportExtent {
  readonly lengthBytes: number;
  readonly hole: boolean;
}

/**
 * What an NBD server shows. Ranges lie inside the export and any number of calls may run at once.
 * A rejection with `DEVICE_FULL` or `DISK_FULL` is ENOSPC to the client, `DEVICE_CLOSED` is
 * ESHUTDOWN, anything else EIO.
 */
export interface NbdExport {
  readonly name: string;
  readonly sizeBytes: number;
  readonly writable: boolean;
  /** Fills `into`, which is the caller's again when the promise settles. */
  readInto(offset: number, into: Buffer): Promise<void>;
  write(offset: number, data: Buffer): Promise<void>;
  /** Makes a range zero and gives its room back. */
  discard(offset: number, lengthBytes: number): Promise<void>;
  /** What is in a range, front to back, without gaps; may end before the range does, not empty. */
  extents(offset: number, lengthBytes: number): readonly ExportExtent[];
}
