import type { WireError } from '../base/mod.ts';
import type { L2Settings } from '../cache/mod.ts';
import type { ImageProcess, ImageProgress } from '../image/mod.ts';
import type { CertificateAuthorities, Credentials } from '../oci/mod.ts';
import type { OriginPlace } from '../origin/mod.ts';
import type { OutboundSettings } from '../outbound/mod.ts';
import type { ZipCode } from './zip-image.ts';

/** One image to flatten, with all that the flattener may know; sent once, as its first message. */
export interface FlattenJob {
  readonly imageUri: string;
  /** What to put on that image; absent when the image is the function. */
  readonly zip?: ZipCode;
  /** For the image's registry. */
  readonly credentials?: Credentials;
  readonly certificateAuthorities?: CertificateAuthorities;
  /** The folder that a local reference may not lead out of. */
  readonly within?: string;
  readonly outbound: OutboundSettings;
  /** False where the operator chose the image: private networks and plain HTTP are open then. */
  readonly isGuarded: boolean;
  readonly architecture: 'amd64' | 'arm64';
  /** Whether to wait, once the image is opened, for word that it is to be flattened. */
  readonly asksFirst?: boolean;
  readonly accountId: string;
  readonly manifestId: string;
  readonly rootId: string;
  readonly origin: OriginPlace;
  readonly spoolDirectory: string;
  /** The largest file that it may write there. */
  readonly spoolFileBytes?: number;
  /** The zone's cache that new chunks are put into as well. */
  readonly primeL2?: L2Settings;
  /** The 32-byte salt of the chunks' keys. */
  readonly salt: Uint8Array;
}

/** What `image add` prints and a function's record keeps. */
export interface FlattenedImage {
  readonly manifestId: string;
  readonly resolvedReference: string;
  readonly imageDigest: string;
  readonly diskBytes: number;
  readonly chunks: number;
  readonly zeroChunks: number;
  readonly newChunks: number;
  readonly newBytes: number;
  /** Of the layers as the registry keeps them. */
  readonly imageBytes: number;
  readonly seconds: number;
  readonly peakMemoryBytes: number;
  readonly process: ImageProcess;
  /** What of the image was left out or mended, in words for whoever made it. */
  readonly warnings: readonly string[];
}

/** The answer to `opened`. */
export type FlattenerOrder = 'flatten' | 'stop';

/** The answer to `key`: a fresh key for this one manifest, wrapped, and sealed for the flattener. */
export type FlattenerKey =
  | {
      readonly type: 'key';
      readonly keyId: string;
      readonly wrapped: Uint8Array;
      readonly sealed: Uint8Array;
    }
  | { readonly type: 'refusal'; readonly error: WireError };

export type FlattenerMessage =
  /** It begins, and wants the data key sealed for this public key. */
  | { readonly type: 'key'; readonly publicKey: Uint8Array }
  | { readonly type: 'progress'; readonly progress: ImageProgress }
  | {
      readonly type: 'opened';
      readonly imageDigest: string;
      readonly resolvedReference: string;
    }
  | { readonly type: 'done'; readonly image: FlattenedImage }
  | {
      readonly type: 'failed';
      readonly error: WireError;
    };
