import { writeSync } from 'node:fs';
import { DOORBELL_NODE_ID, NOTIFY_RETRIEVE, ROOT_NODE_ID, size } from './protocol.ts';

function bell(nodeId: number): Buffer {
  const message = Buffer.alloc(size.outHeader + size.notifyRetrieveOut);
  message.writeUInt32LE(message.length, 0);
  message.writeInt32LE(NOTIFY_RETRIEVE, 4);
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
