/** `layers`: reading them; `metadata`: writing the file system's; `manifest`: sealing it. */
export type ImagePhase = 'layers' | 'metadata' | 'manifest';

export interface ImageProgress {
  readonly phase: ImagePhase;
  /** Of the layers as stored. */
  readonly bytesDone: number;
  readonly bytesTotal: number;
  /** Chunks with data so far. */
  readonly chunks: number;
  /** Of them, those that the origin did not have. */
  readonly newChunks: number;
}

export type OnProgress = (progress: ImageProgress) => void;
