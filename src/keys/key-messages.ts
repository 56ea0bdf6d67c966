import type { WireError } from '../base/mod.ts';
import type { KeySettings } from '../config/mod.ts';
import type { SecretName } from '../origin/mod.ts';
import type { DataKeyContext, SaltParts, WrappedDataKey } from '../seal/mod.ts';
import type { NewDataKey } from './key-custody.ts';

/** What the key process is asked, over IPC of advanced serialization. */
export type KeyOrder =
  /** The first, and without an answer. */
  | { readonly type: 'start'; readonly settings: KeySettings; readonly dataPath: string }
  | {
      readonly type: 'generate';
      readonly context: DataKeyContext;
      readonly recipient: Uint8Array;
    }
  | {
      readonly type: 'unwrap';
      readonly key: WrappedDataKey;
      readonly context: DataKeyContext;
      readonly recipient: Uint8Array;
    }
  | { readonly type: 'salt'; readonly parts: SaltParts }
  | {
      readonly type: 'verify';
      readonly names: readonly SecretName[];
      readonly known: Readonly<Record<string, string>>;
    };

export type KeyQuestion = Exclude<KeyOrder, { type: 'start' }>;

/** What each question is answered with: nothing of it is a key in clear. */
export interface KeyAnswers {
  readonly generate: NewDataKey;
  readonly unwrap: Uint8Array;
  readonly salt: Uint8Array;
  readonly verify: Record<string, string>;
}

export type KeyAnswer =
  | { readonly id: number; readonly answer: KeyAnswers[keyof KeyAnswers] }
  | { readonly id: number; readonly refusal: WireError };
