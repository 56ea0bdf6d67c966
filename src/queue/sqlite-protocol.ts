import type { WireError } from '../base/mod.ts';
import type { SqliteEvents } from './sqlite-events.ts';
import type { EventCapacity } from './types.ts';

/** What the thread that owns the database is started with. */
export interface ThreadSettings {
  readonly path: string;
  readonly capacity: Required<EventCapacity>;
}

export type QueueOperation =
  | 'enqueue'
  | 'claim'
  | 'save'
  | 'remove'
  | 'nextDueMs'
  | 'failures'
  | 'shift'
  | 'stats';

export type Arguments<O extends QueueOperation> = Parameters<SqliteEvents[O]>;
export type Result<O extends QueueOperation> = ReturnType<SqliteEvents[O]>;

export type ThreadRequest =
  | { readonly id: number; readonly operation: QueueOperation; readonly args: readonly unknown[] }
  | 'close';

/** The answers to one batch, sent after its commit. */
export type ThreadAnswer =
  | 'open'
  | { readonly refused: WireError }
  | { readonly damaged: string; readonly error: WireError }
  | readonly { readonly id: number; readonly value?: unknown; readonly error?: WireError }[];
