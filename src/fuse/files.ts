/** A file of the mount: fixed size, one per device. */
export interface FuseFile {
  /** Unique for the life of the mount; from 3 on, or 1 for the file of a single-file mount. */
  readonly nodeId: number;
  readonly name: string;
  readonly sizeBytes: number;
  readonly writable: boolean;
}

/** How a handler answers, at once or later, each request exactly once. */
export interface FuseReplies {
  /** Room for the bytes of one reply, at least the largest read; reused by the next reply. */
  readonly payload: Buffer;
  replyPayload(unique: number, bytes: number): void;
  replyFrom(unique: number, data: Buffer, at: number, bytes: number): void;
  /** Answers with the errno that `FuseFiles.errnoOf` gives for the error. */
  replyFailure(unique: number, error: unknown): void;
  replyWritten(unique: number, bytes: number): void;
  replyDone(unique: number): void;
}

/**
 * What a server shows. Requests name a file that `byNode` answered; ranges lie inside it, and
 * writes and discards come only for writable ones. A handler that throws answers EIO, or the
 * errno that `errnoOf` gives. Called on the server's thread, one call at a time.
 */
export interface FuseFiles {
  byName(name: string): FuseFile | undefined;
  byNode(nodeId: number): FuseFile | undefined;
  all(): readonly FuseFile[];
  read(replies: FuseReplies, unique: number, nodeId: number, offset: number, bytes: number): void;
  /** The data is `bytes` of `from` at `at`, valid until this call returns. */
  write(
    replies: FuseReplies,
    unique: number,
    nodeId: number,
    offset: number,
    from: Buffer,
    at: number,
    bytes: number,
  ): void;
  discard(
    replies: FuseReplies,
    unique: number,
    nodeId: number,
    offset: number,
    bytes: number,
  ): void;
  /** Someone rang the doorbell. */
  awakened(replies: FuseReplies): void;
  errnoOf(error: unknown): number;
}
