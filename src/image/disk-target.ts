import type { DiskWriter } from '../ext4/mod.ts';

/** What applying a layer needs of a disk; `DiskWriter` has it. */
export type DiskTarget = Pick<
  DiskWriter,
  'beginLayer' | 'add' | 'remove' | 'removeChildren' | 'lookup' | 'endLayer'
>;
