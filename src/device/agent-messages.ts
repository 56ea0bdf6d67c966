import type { WireError } from '../base/mod.ts';
import type { AccessRun, PageRun } from './access-log.ts';
import type { DeviceStats } from './device-counters.ts';
import type { SealedDeviceRequest } from './messages.ts';

/** A start pack, sealed: what the origin keeps of it. */
export interface BuiltPack {
  readonly index: Uint8Array;
  readonly chunks: readonly { readonly name: string; readonly ciphertext: Uint8Array }[];
}

/** What a worker sends to an agent process over its IPC channel (advanced serialization). */
export type AgentCommand<Settings> =
  /** The first message: the agent mounts and starts to serve. */
  | {
      readonly type: 'start';
      readonly id: number;
      /** An empty directory of the agent's own. */
      readonly directory: string;
      /** Mount on this plain file, which shows the one device, instead of a directory of devices. */
      readonly file?: string;
      /** It will wait for its first device: rehearse, so that this one opens on warm code. */
      readonly rehearse: boolean;
      readonly settings: Settings;
    }
  | { readonly type: 'open'; readonly id: number; readonly device: SealedDeviceRequest }
  | { readonly type: 'close'; readonly id: number; readonly deviceId: string }
  | { readonly type: 'stats'; readonly id: number; readonly deviceId: string }
  | { readonly type: 'log'; readonly id: number; readonly deviceId: string }
  /** Make a start pack of these pages, in their order. */
  | {
      readonly type: 'pack';
      readonly id: number;
      readonly deviceId: string;
      readonly runs: readonly PageRun[];
    };

export type AgentAnswer =
  | {
      readonly type: 'answer';
      readonly id: number;
      /** For `start`: where the devices appear, in the agent's mount namespace. */
      readonly mountPoint?: string;
      /** For `start`: what data keys are sealed for; the private half never leaves the agent. */
      readonly publicKey?: Uint8Array;
      /** For `stats`, and the last ones for `close`. */
      readonly stats?: DeviceStats;
      /** For `log`: what was read so far. */
      readonly runs?: readonly AccessRun[];
      /** For `pack`. */
      readonly pack?: BuiltPack;
    }
  | { readonly type: 'refusal'; readonly id: number; readonly failure: WireError };
