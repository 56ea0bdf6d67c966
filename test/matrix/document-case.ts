import type { ErrorCode } from '../../src/base/mod.ts';
import type { RawLayout } from './raw-layout.ts';

/** A document that a registry answers for the tag, as its bytes or to be written as JSON. */
export interface Root {
  readonly content: Buffer | object;
  /** The header of the answer; none when it is undefined. */
  readonly contentType: string | undefined;
}

/** One image by its documents. As a `TarCase`, what differs from the judges has a reason. */
export interface DocumentCase {
  readonly name: string;
  readonly build: (layout: RawLayout) => Root;
  readonly refuses?: ErrorCode;
  readonly why?: string;
  /** Where we differ and take the image: the files that are on the disk. */
  readonly has?: readonly string[];
}
