import { SluiceError } from '../base/mod.ts';
import { FuseChannel } from './channel.ts';
import { putAttr, putDirectory, putEntry, putInit, putStatfs } from './encode.ts';
import type { FuseFile, FuseFiles, FuseReplies } from './files.ts';
import {
  DOORBELL_NAME,
  DOORBELL_NODE_ID,
  errno,
  FATTR_SIZE,
  FUSE_MAJOR,
  FUSE_MINOR,
  fallocateMode,
  opcode,
  openFlag,
  ROOT_NODE_ID,
  size,
} from './protocol.ts';

const BODY = size.inHeader;
const WRITE_ACCESS = 0o3;

/**
 * What handling one request came to: an errno to answer with, 0 to answer "done", or this:
 * answered already, to be answered later, or a request that gets no answer.
 */
const ANSWERED = -1;

const doorbell: FuseFile = {
  nodeId: DOORBELL_NODE_ID,
  name: DOORBELL_NAME,
  sizeBytes: 0,
  writable: false,
};

export interface FuseServerOptions {
  readonly fd: number;
  readonly files: FuseFiles;
  /** What the mount point is: a directory of files, or a plain file that is itself the device. */
  readonly root: 'directory' | 'file';
  /** The largest read and write; a multiple of the page size, at most 1 MiB. */
  readonly maxTransferBytes: number;
  /** Reads ahead and asynchronous direct reads that the kernel keeps in flight. */
  readonly maxBackground: number;
}

/**
 * A FUSE file system with one file per device (include/uapi/linux/fuse.h, 7.31). `run` serves in
 * a loop of blocking reads, so it belongs in a thread of its own: measured four times faster than
 * asynchronous reads. Opcodes that one file per inode does not need answer ENOSYS, after which
 * the kernel stops sending them.
 */
export class FuseServer implements FuseReplies {
  readonly #channel: FuseChannel;
  readonly #files: FuseFiles;
  readonly #options: FuseServerOptions;

  constructor(options: FuseServerOptions) {
    this.#options = options;
    this.#files = options.files;
    this.#channel = new FuseChannel(options.fd, options.maxTransferBytes);
  }

  /** Serves until the file system is unmounted or its connection aborted. */
  run(): void {
    const channel = this.#channel;
    while (channel.next()) {
      const unique = channel.unique;
      let outcome: number;
      try {
        outcome = this.#handle(channel.opcode, unique);
      } catch (error) {
        outcome = this.#files.errnoOf(error);
      }
      if (outcome !== ANSWERED) channel.replyError(unique, outcome);
    }
  }

  get payload(): Buffer {
    return this.#channel.payload;
  }

  replyPayload(unique: number, bytes: number): void {
    this.#channel.replyPayload(unique, bytes);
  }

  replyFrom(unique: number, data: Buffer, at: number, bytes: number): void {
    this.#channel.replyFrom(unique, data, at, bytes);
  }

  replyFailure(unique: number, error: unknown): void {
    this.#channel.replyError(unique, this.#files.errnoOf(error));
  }

  replyDone(unique: number): void {
    this.#channel.replyError(unique, 0);
  }

  replyWritten(unique: number, bytes: number): void {
    this.payload.writeUInt32LE(bytes, 0);
    this.payload.writeUInt32LE(0, 4);
    this.#channel.replyPayload(unique, 8);
  }

  #handle(code: number, unique: number): number {
    switch (code) {
      case opcode.read:
        return this.#read(unique);
      case opcode.write:
        return this.#write(unique);
      case opcode.notifyReply:
        this.#files.awakened(this);
        return ANSWERED;
      case opcode.fallocate:
        return this.#fallocate(unique);
      case opcode.release:
      case opcode.releasedir:
      case opcode.flush:
      // What an overlay holds dies with its key, so there is nothing to make durable.
      case opcode.fsync:
      case opcode.fsyncdir:
      case opcode.destroy:
        return 0;
      case opcode.forget:
      case opcode.batchForget:
        return ANSWERED;
      default:
        return this.#handleRare(code, unique);
    }
  }

  #handleRare(code: number, unique: number): number {
    switch (code) {
      case opcode.init:
        return this.#init(unique);
      case opcode.lookup:
        return this.#lookup(unique);
      case opcode.getattr:
        return this.#attributes(unique);
      case opcode.setattr:
        return this.#setAttributes(unique);
      case opcode.open:
        return this.#open(unique);
      case opcode.opendir:
        return this.#opened(unique, 0);
      case opcode.readdir:
        return this.#readDirectory(unique);
      case opcode.statfs:
        return this.#answer(unique, putStatfs(this.payload, this.#files.all().length));
      default:
        return errno.ENOSYS;
    }
  }

  #answer(unique: number, bytes: number): number {
    this.#channel.replyPayload(unique, bytes);
    return ANSWERED;
  }

  #file(): FuseFile {
    const { nodeId } = this.#channel;
    const file = nodeId === DOORBELL_NODE_ID ? doorbell : this.#files.byNode(nodeId);
    if (file) return file;
    throw new SluiceError('DEVICE_CLOSED', `node ${nodeId}: the device is closed`);
  }

  #read(unique: number): number {
    const file = this.#file();
    const offset = this.#channel.u64(BODY + 8);
    const wanted = Math.min(this.#channel.u32(BODY + 16), this.#options.maxTransferBytes);
    const bytes = Math.min(wanted, file.sizeBytes - offset);
    if (bytes <= 0) return 0;
    this.#files.read(this, unique, file.nodeId, offset, bytes);
    return ANSWERED;
  }

  #write(unique: number): number {
    const file = this.#file();
    const offset = this.#channel.u64(BODY + 8);
    const bytes = this.#channel.u32(BODY + 16);
    const at = BODY + size.writeIn;
    if (at + bytes > this.#channel.requestBytes) return errno.EINVAL;
    if (!file.writable) return errno.EROFS;
    if (offset + bytes > file.sizeBytes) return errno.EFBIG;
    this.#files.write(this, unique, file.nodeId, offset, this.#channel.request, at, bytes);
    return ANSWERED;
  }

  #fallocate(unique: number): number {
    const file = this.#file();
    const offset = this.#channel.u64(BODY + 8);
    const length = this.#channel.u64(BODY + 16);
    const mode = this.#channel.u32(BODY + 24);
    const zeroes = mode & (fallocateMode.punchHole | fallocateMode.zeroRange);
    if (zeroes === 0 || (mode & fallocateMode.keepSize) === 0) return errno.EOPNOTSUPP;
    if (!file.writable) return errno.EROFS;
    const bytes = Math.min(length, file.sizeBytes - offset);
    if (bytes <= 0) return 0;
    this.#files.discard(this, unique, file.nodeId, offset, bytes);
    return ANSWERED;
  }

  #init(unique: number): number {
    const { maxTransferBytes, maxBackground } = this.#options;
    const major = this.#channel.u32(BODY);
    const minor = this.#channel.u32(BODY + 4);
    if (major !== FUSE_MAJOR || minor < FUSE_MINOR) return errno.EOPNOTSUPP;
    const offered = this.#channel.u32(BODY + 12);
    return this.#answer(unique, putInit(this.payload, offered, maxTransferBytes, maxBackground));
  }

  #lookup(unique: number): number {
    if (this.#options.root === 'file') return errno.ENOENT;
    const name = this.#channel.text(BODY);
    const file = name === DOORBELL_NAME ? doorbell : this.#files.byName(name);
    if (!file) return errno.ENOENT;
    return this.#answer(unique, putEntry(this.payload, file));
  }

  #attributes(unique: number): number {
    const { nodeId } = this.#channel;
    const isDirectory = nodeId === ROOT_NODE_ID && this.#options.root === 'directory';
    return this.#answer(unique, putAttr(this.payload, isDirectory ? undefined : this.#file()));
  }

  /** A device's size is its disk's. Anything else that is set (times, mode) is taken and ignored. */
  #setAttributes(unique: number): number {
    const valid = this.#channel.u32(BODY);
    if ((valid & FATTR_SIZE) !== 0 && this.#channel.u64(BODY + 16) !== this.#file().sizeBytes) {
      return errno.EPERM;
    }
    return this.#attributes(unique);
  }

  #open(unique: number): number {
    const wantsToWrite = (this.#channel.u32(BODY) & WRITE_ACCESS) !== 0;
    if (wantsToWrite && !this.#file().writable) return errno.EROFS;
    return this.#opened(
      unique,
      openFlag.keepCache | openFlag.noFlush | openFlag.parallelDirectWrites,
    );
  }

  #opened(unique: number, flags: number): number {
    this.payload.fill(0, 0, size.openOut);
    this.payload.writeUInt32LE(flags, 8);
    return this.#answer(unique, size.openOut);
  }

  #readDirectory(unique: number): number {
    const room = Math.min(this.#channel.u32(BODY + 16), this.#options.maxTransferBytes);
    const from = this.#channel.u64(BODY + 8);
    return this.#answer(unique, putDirectory(this.payload, this.#files.all(), from, room));
  }
}
