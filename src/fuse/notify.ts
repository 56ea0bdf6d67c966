import { writeSync, writevSync } from 'node:fs';
import { DOORBELL_NODE_ID, notify, ROOT_NODE_ID, size } from './protocol.ts';

function notification(code: number, bodyBytes: number, dataBytes: number): Buffer {
  const message = Buffer.alloc(size.outHeader + bodyBytes);
  message.writeUInt32LE(message.length + dataBytes, 0);
  message.writeInt32LE(code, 4);
  return message;
}

function bell(nodeId: number): Buffer {
  const message = notification(notify.retrieve, size.notifyRetrieveOut, 0);
  message.writeBigUInt64LE(BigInt(nodeId), size.outHeader + 8);
  return message;
}

const bells = { directory: bell(DOORBELL_NODE_ID), file: bell(ROOT_NODE_ID) };

/**
 * Wakes a server that waits in `read(2)` of this connection, from any thread: asks the kernel for
 * zero cached bytes of a file (`FUSE_NOTIFY_RETRIEVE`), whose answer (`FUSE_NOTIFY_REPLY`) lands
 * in the server's request queue. Unlike a file operation on the mount, nobody waits for it, so a
 * process that is killed meanwhile cannot be stuck on itself. In a directory, someone else must
 * hold `DOORBELL_NAME` open (O_PATH will do), or the kernel forgets it: then ENOENT is thrown.
 */
export function ringDoorbell(fd: number, root: 'directory' | 'file'): void {
  writeSync(fd, bells[root]);
}

/**
 * Puts bytes into the kernel's page cache of a file (`FUSE_NOTIFY_STORE`) before anyone reads them.
 * `offset` and the length are whole pages. Throws Node's ENOENT when the kernel does not know
 * the file (nobody opened it yet).
 */
export function storeInPageCache(fd: number, nodeId: number, offset: number, data: Buffer): void {
  const message = notification(notify.store, size.notifyStoreOut, data.length);
  message.writeBigUInt64LE(BigInt(nodeId), size.outHeader);
  message.writeBigUInt64LE(BigInt(offset), size.outHeader + 8);
  message.writeUInt32LE(data.length, size.outHeader + 16);
  writevSync(fd, [message, data]);
}
