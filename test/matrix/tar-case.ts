import type { ErrorCode } from '../../src/base/mod.ts';

/** What a path of a tree is; the members that a case leaves out it does not ask for. */
export type Node = Readonly<Record<string, string | number>>;

/**
 * One image by its raw layers. Without `why` the judge's verdict is ours: it takes the image and so
 * do we, with the same tree, or it refuses and we refuse with the code.
 */
export interface TarCase {
  readonly name: string;
  readonly layers: readonly Buffer[];
  /** Our error. */
  readonly refuses?: ErrorCode;
  /** A part of the one warning that comes with it. */
  readonly warns?: string;
  /** Why we differ from the judge on purpose. */
  readonly why?: string;
  /** Where we differ and take the image: what of it must stand on our disk; null is no such path. */
  readonly has?: Readonly<Record<string, Node | null>>;
}
