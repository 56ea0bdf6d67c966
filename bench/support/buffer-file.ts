/**
 * The reference of the device's benchmark: a FUSE file that answers every read from a buffer of its size, with
 * nothing of a device behind it. Runs in a worker thread that it starts for itself.
 */
import { writeFile } from 'node:fs/promises';
import { Worker, workerData } from 'node:worker_threads';
import { type FuseFiles, FuseServer, mountFuse, unmountFuse } from '../../src/fuse/mod.ts';

interface BufferFileData {
  readonly bufferFile: { readonly fd: number; readonly sizeBytes: number };
}

const TRANSFER_BYTES = 1 << 20;

/** Mounts the reference on `path`; the answer unmounts it. */
export async function mountBufferFile(
  path: string,
  sizeBytes: number,
): Promise<() => Promise<void>> {
  await writeFile(path, '');
  const { fd } = await mountFuse(path, 'file', TRANSFER_BYTES);
  const data: BufferFileData = { bufferFile: { fd, sizeBytes } };
  const worker = new Worker(new URL(import.meta.url), { workerData: data });
  const ended = new Promise<void>((resolve) => worker.once('exit', () => resolve()));
  return async () => {
    await unmountFuse(path);
    await ended;
  };
}

function serve({ fd, sizeBytes }: BufferFileData['bufferFile']): void {
  const file = { nodeId: 1, name: 'buffer', sizeBytes, writable: false };
  const buffer = Buffer.alloc(sizeBytes, 'reference');
  const files: FuseFiles = {
    byName: () => file,
    byNode: () => file,
    all: () => [file],
    read: (replies, unique, _nodeId, offset, bytes) => {
      if (bytes >= 65_536) return replies.replyFrom(unique, buffer, offset, bytes);
      buffer.copy(replies.payload, 0, offset, offset + bytes);
      replies.replyPayload(unique, bytes);
    },
    write: (replies, unique) => replies.replyFailure(unique, 'read-only'),
    discard: (replies, unique) => replies.replyFailure(unique, 'read-only'),
    awakened: () => {},
    errnoOf: () => 5,
  };
  const options = { root: 'file', maxTransferBytes: TRANSFER_BYTES, maxBackground: 64 } as const;
  new FuseServer({ fd, files, ...options }).run();
}

const data = workerData as BufferFileData | undefined;
if (data?.bufferFile) serve(data.bufferFile);
