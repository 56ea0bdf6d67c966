/** The disk's own thread: it answers reads and writes, and nobody who waits for it is in its way. */
import { workerData } from 'node:worker_threads';
import { errno, type FuseFile, type FuseFiles, FuseServer } from '../../src/fuse/mod.ts';
import { DiskFault } from './faulty-disk.ts';

interface Settings {
  readonly fd: number;
  readonly faults: SharedArrayBuffer;
  readonly sizeBytes: number;
  readonly transferBytes: number;
}

const { fd, faults, sizeBytes, transferBytes } = workerData as Settings;
const [words, bytes] = [new Int32Array(faults), Buffer.alloc(sizeBytes)];
const file: FuseFile = { nodeId: 1, name: 'disk', sizeBytes, writable: true };
/** Of its file system. */
const BLOCK_BYTES = 4096;
/** Whether a request fails, by the fault of its kind. */
const fails = (word: 0 | 1, offset: number) => {
  const fault = Atomics.load(words, word);
  const isData = offset >= Atomics.load(words, 2) * BLOCK_BYTES;
  return fault === DiskFault.dead || (fault === DiskFault.failing && isData);
};

const files: FuseFiles = {
  byName: () => file,
  byNode: (nodeId) => (nodeId === file.nodeId ? file : undefined),
  all: () => [file],
  read(replies, unique, _nodeId, offset, length) {
    if (fails(0, offset)) replies.replyFailure(unique, undefined);
    else replies.replyFrom(unique, bytes, offset, length);
  },
  write(replies, unique, _nodeId, offset, from, at, length) {
    if (Atomics.load(words, 1) === DiskFault.torn) {
      from.copy(bytes, offset, at, at + (length >> 1));
      Atomics.store(words, 1, DiskFault.dead);
    }
    if (fails(1, offset)) return replies.replyFailure(unique, undefined);
    from.copy(bytes, offset, at, at + length);
    replies.replyWritten(unique, length);
  },
  discard(replies, unique, _nodeId, offset, length) {
    if (fails(1, offset)) return replies.replyFailure(unique, undefined);
    bytes.fill(0, offset, offset + length);
    replies.replyDone(unique);
  },
  awakened: () => {},
  errnoOf: () => errno.EIO,
};

new FuseServer({
  ...{ fd, files, root: 'file', maxTransferBytes: transferBytes, maxBackground: 16 },
}).run();
