import type { ChunkName } from '../../seal/mod.ts';

/** What the drill tells its origin process. */
export interface OriginCommand {
  /** Milliseconds that a request takes, and how many are served at once; the rest wait in line. */
  readonly latencyMs: number;
  readonly parallel: number;
}

/** What the origin saw in the second before. */
export interface OriginReport {
  readonly type: 'second';
  readonly gets: number;
  readonly bytes: number;
  /** The most that waited at once. */
  readonly waiting: number;
}

export interface OriginReady {
  readonly type: 'ready';
  readonly port: number;
}

/** What a worker process of the drill is made of. */
export interface WorkerSettings {
  readonly originUrl: string;
  readonly nodes: readonly string[];
  readonly secretFile: string;
  readonly memoryBytes: number;
}

export type WorkerCommand =
  | { readonly type: 'open'; readonly settings: WorkerSettings }
  /** Empty the worker's own cache. */
  | { readonly type: 'empty' }
  | { readonly type: 'start'; readonly id: number; readonly chunks: readonly ChunkName[] }
  | { readonly type: 'give-up'; readonly id: number };

export interface WorkerAnswer {
  readonly id: number;
  readonly failure?: string;
}
