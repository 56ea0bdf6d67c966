import type { WireError } from '../../base/mod.ts';
import type { Helper } from '../jail/types.ts';
import type { SandboxEvent } from '../provider.ts';
import type { SandboxSpec } from '../spec.ts';

/** What sandboxes may reach: nothing, or other hosts than this one. */
export type NetworkKind = 'none' | 'outbound';

/** What is asked of a helper or sandbox names it by a number that who asks has chosen. */
interface Named {
  readonly of: number;
}

/** What a region asks of its warden; nothing else is understood. */
export type WardenOrder =
  | (Named & { readonly type: 'spawn'; readonly helper: Helper })
  | (Named & { readonly type: 'tell'; readonly message: unknown })
  | (Named & { readonly type: 'kill'; readonly signal: NodeJS.Signals })
  /** Keeps hold of the doorbell of an agent's mount. */
  | (Named & { readonly type: 'hold' })
  | { readonly type: 'open'; readonly network: NetworkKind }
  | { readonly type: 'warm'; readonly tmpBytes: number }
  /** The deadline of the identity is counted from now. */
  | (Named & {
      readonly type: 'start';
      readonly spec: SandboxSpec;
      /** A sandbox that was reset, on whose remains this one begins. */
      readonly on?: number | undefined;
    })
  | (Named & {
      readonly type:
        | 'abort'
        | 'opened'
        | 'taken'
        | 'entrypoint'
        | 'terminate'
        | 'stop'
        | 'reset'
        | 'discard';
    })
  | (Named & { readonly type: 'connect'; readonly port: number })
  | { readonly type: 'close' }
  /** Nothing more will be asked. */
  | { readonly type: 'end' };

/** Where a sandbox's output comes from, and the cgroup that it is in. */
export interface Begun {
  readonly stdout: string;
  readonly stderr: string;
  readonly cgroup: string;
}

export interface StartedSandbox {
  readonly externalExtensions: readonly string[];
}

/** What a warden says. Beside an answer there may be a socket. */
export type WardenWord =
  | { readonly type: 'answer'; readonly id: number; readonly value?: unknown }
  | { readonly type: 'refusal'; readonly id: number; readonly error: WireError }
  | (Named & { readonly type: 'message'; readonly message: unknown })
  | (Named & { readonly type: 'said'; readonly bytes: Uint8Array })
  | (Named & {
      readonly type: 'exit';
      readonly status: number | null;
      readonly signal: NodeJS.Signals | null;
    })
  | (Named & { readonly type: 'begun'; readonly begun: Begun })
  | (Named & { readonly type: 'event'; readonly event: SandboxEvent });

/** Words about one helper or sandbox. */
export type WordOf = Extract<WardenWord, Named>;
