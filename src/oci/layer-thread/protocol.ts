import type { WireError } from '../../base/mod.ts';
import { KIB } from '../../base/mod.ts';
import type { LayerChecks } from '../layer-bytes.ts';

/** What goes from the thread to its owner at a time; both sides see the memory. */
export const SLOT_BYTES = 512 * KIB;
export const SLOTS = 8;
/** Stored Buffers that the owner may send before the thread has taken the first of them. */
export const STORED_AHEAD = 4;

export interface LayerThreadData {
  readonly slots: SharedArrayBuffer;
}

export type ToLayerThread =
  | { readonly type: 'open'; readonly checks: LayerChecks }
  | { readonly type: 'stored'; readonly bytes: Uint8Array }
  | { readonly type: 'storedEnd' }
  /** The owner has used what was in the slot. */
  | { readonly type: 'free'; readonly slot: number }
  /** The owner wants no more of the layer; the thread answers with `end` or `failed`. */
  | { readonly type: 'cancel' };

export type FromLayerThread =
  | { readonly type: 'taken' }
  | { readonly type: 'bytes'; readonly slot: number; readonly length: number }
  | { readonly type: 'end' }
  | {
      readonly type: 'failed';
      readonly error: WireError;
    };
