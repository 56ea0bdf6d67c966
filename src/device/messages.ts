import type { WireError } from '../base/mod.ts';
import type { AccessLog, AccessRun, PageRun } from './access-log.ts';
import type { DeviceStats, Tier } from './device-counters.ts';

/** What an agent needs to show one disk; the data key opens this manifest and no other. */
export interface DeviceRequest {
  readonly deviceId: string;
  readonly manifestBytes: Uint8Array;
  readonly dataKey: Uint8Array;
  /** The root that the chunks rest in now. */
  readonly rootId: string;
  readonly writable: boolean;
  readonly overlayLimitBytes: number;
  /** Note which pages are read, for an access log. */
  readonly record: boolean;
  /** Fetch what an earlier start touched, ahead of the reads. */
  readonly replay?: AccessLog;
  /** The index of the disk's start pack, as it is stored. */
  readonly pack?: Uint8Array;
}

/** The same, with the data key sealed for the agent. */
export type SealedDeviceRequest = Omit<DeviceRequest, 'dataKey'> & {
  readonly sealedKey: Uint8Array;
};

/** What the loop's thread is asked; each but `filled` and `unfilled` gets a `LoopAnswer`. */
export type LoopCommand =
  | { readonly type: 'open'; readonly id: number; readonly device: DeviceRequest }
  | { readonly type: 'close'; readonly id: number; readonly deviceId: string }
  | { readonly type: 'stats'; readonly id: number; readonly deviceId: string }
  | { readonly type: 'log'; readonly id: number; readonly deviceId: string }
  /** Pages of the disk as it was sealed, for a start pack; each run is of one chunk. */
  | {
      readonly type: 'pages';
      readonly id: number;
      readonly deviceId: string;
      readonly runs: readonly PageRun[];
    }
  /** The chunk that was asked for lies in its slot, verified; `tier` is where it came from. */
  | { readonly type: 'filled'; readonly slot: number; readonly tier: Tier }
  | { readonly type: 'unfilled'; readonly slot: number; readonly failure: WireError };

/** A piece of a chunk of a start pack; the key is whoever's who opens it, to overwrite. */
export interface PackedPart {
  readonly name: string;
  readonly key: Uint8Array;
  readonly at: number;
  readonly bytes: number;
}

/** Pages of a disk as a start pack has them: one zstd frame, sealed in one chunk or more. */
export interface PackedFrame {
  readonly parts: readonly PackedPart[];
  readonly plainBytes: number;
}

export type LoopReport =
  /** A device lacks this chunk, or what these frames hold: bring it into the slot. */
  | {
      readonly type: 'fetch';
      readonly slot: number;
      readonly rootId: string;
      readonly name: string;
      /** Nobody waits for it yet. */
      readonly ahead: boolean;
      readonly frames?: readonly PackedFrame[];
    }
  | {
      readonly type: 'answer';
      readonly id: number;
      readonly stats?: DeviceStats;
      readonly runs?: readonly AccessRun[];
      /** For `pages`: one after the other. */
      readonly pages?: Uint8Array;
    }
  | { readonly type: 'refusal'; readonly id: number; readonly failure: WireError };
