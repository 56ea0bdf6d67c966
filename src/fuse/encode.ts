import { PAGE_SIZE_BYTES } from '../base/mod.ts';
import type { FuseFile } from './files.ts';
import { FUSE_MAJOR, FUSE_MINOR, fileType, initFlag, ROOT_NODE_ID, size } from './protocol.ts';

/** Names are looked up again each time, so that a closed device cannot be found; sizes are kept. */
const ATTRIBUTES_VALID_SECONDS = 3600;
const NAME_BYTES_MAX = 255;

export function putU64(into: Buffer, value: number, at: number): void {
  into.writeUInt32LE(value % 2 ** 32, at);
  into.writeUInt32LE(Math.floor(value / 2 ** 32), at + 4);
}

/** `fuse_init_out`; answers its length. `offered` are the kernel's flags. */
export function putInit(
  into: Buffer,
  offered: number,
  maxTransferBytes: number,
  maxBackground: number,
): number {
  const wanted =
    initFlag.asyncRead |
    initFlag.bigWrites |
    initFlag.asyncDirectIo |
    initFlag.parallelDirops |
    initFlag.maxPages |
    initFlag.explicitInvalData;
  into.fill(0, 0, size.initOut);
  into.writeUInt32LE(FUSE_MAJOR, 0);
  into.writeUInt32LE(FUSE_MINOR, 4);
  into.writeUInt32LE(maxTransferBytes, 8);
  into.writeUInt32LE(offered & wanted, 12);
  into.writeUInt16LE(maxBackground, 16);
  into.writeUInt16LE(Math.ceil((maxBackground * 3) / 4), 18);
  into.writeUInt32LE(maxTransferBytes, 20);
  into.writeUInt32LE(1, 24);
  into.writeUInt16LE(maxTransferBytes / PAGE_SIZE_BYTES, 28);
  return size.initOut;
}

/** `fuse_attr` of a file, or of the root directory. Times stay 0: equal mounts look equal. */
function putAttributes(into: Buffer, at: number, file: FuseFile | undefined): void {
  putU64(into, file?.nodeId ?? ROOT_NODE_ID, at);
  putU64(into, file?.sizeBytes ?? 0, at + 8);
  putU64(into, Math.ceil((file?.sizeBytes ?? 0) / 512), at + 16);
  const mode = file
    ? fileType.regular | (file.writable ? 0o600 : 0o400)
    : fileType.directory | 0o500;
  into.writeUInt32LE(mode, at + 60);
  into.writeUInt32LE(file ? 1 : 2, at + 64);
  into.writeUInt32LE(PAGE_SIZE_BYTES, at + 80);
}

/** `fuse_attr_out`; answers its length. */
export function putAttr(into: Buffer, file: FuseFile | undefined): number {
  into.fill(0, 0, size.attrOut);
  putU64(into, ATTRIBUTES_VALID_SECONDS, 0);
  putAttributes(into, 16, file);
  return size.attrOut;
}

/** `fuse_entry_out`; answers its length. */
export function putEntry(into: Buffer, file: FuseFile): number {
  into.fill(0, 0, size.entryOut);
  putU64(into, file.nodeId, 0);
  putU64(into, ATTRIBUTES_VALID_SECONDS, 24);
  putAttributes(into, 40, file);
  return size.entryOut;
}

/** `fuse_dirent`s from position `from` on, as many as fit `room`; answers their length. */
export function putDirectory(
  into: Buffer,
  files: readonly FuseFile[],
  from: number,
  room: number,
): number {
  let at = 0;
  // Positions 0 and 1 are "." and "..", then the files in order.
  for (let position = from; position < files.length + 2; position++) {
    const file = files[position - 2];
    const name = file?.name ?? (position === 0 ? '.' : '..');
    const nameBytes = Buffer.byteLength(name);
    const entryBytes = Math.ceil((24 + nameBytes) / 8) * 8;
    if (at + entryBytes > room) break;
    into.fill(0, at, at + entryBytes);
    putU64(into, file?.nodeId ?? ROOT_NODE_ID, at);
    putU64(into, position + 1, at + 8);
    into.writeUInt32LE(nameBytes, at + 16);
    into.writeUInt32LE((file ? fileType.regular : fileType.directory) >> 12, at + 20);
    into.write(name, at + 24);
    at += entryBytes;
  }
  return at;
}

/** `fuse_statfs_out`; answers its length. */
export function putStatfs(into: Buffer, fileCount: number): number {
  into.fill(0, 0, size.statfsOut);
  putU64(into, fileCount, 24);
  into.writeUInt32LE(PAGE_SIZE_BYTES, 40);
  into.writeUInt32LE(NAME_BYTES_MAX, 44);
  into.writeUInt32LE(PAGE_SIZE_BYTES, 48);
  return size.statfsOut;
}
