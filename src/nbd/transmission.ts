import { isSluiceError, limits, Semaphore, SluiceError } from '../base/mod.ts';
import type { ByteStream } from './byte-stream.ts';
import type { ExportExtent } from './export.ts';
import { ALLOCATION_CONTEXT_ID, type Negotiated } from './handshake.ts';
import {
  allocation,
  command,
  commandFlag,
  errno,
  magic,
  replyFlag,
  replyType,
  size,
} from './protocol.ts';
import { ReplyBuffers } from './reply-buffers.ts';

interface Request {
  readonly flags: number;
  readonly type: number;
  readonly cookie: Buffer;
  readonly offset: number;
  readonly lengthBytes: number;
  /** What a write brings along. */
  readonly data: Buffer;
}

/** An error that goes to the client by its number. */
class Refusal extends Error {
  readonly code: number;

  constructor(code: number) {
    super(`errno ${code}`);
    this.code = code;
  }
}

function errnoOf(error: unknown): number {
  if (error instanceof Refusal) return error.code;
  if (isSluiceError(error, 'DEVICE_FULL') || isSluiceError(error, 'DISK_FULL')) return errno.ENOSPC;
  return isSluiceError(error, 'DEVICE_CLOSED') ? errno.ESHUTDOWN : errno.EIO;
}

/** The transmission phase of one connection: requests run at once, up to a limit, in any order. */
export class Transmission {
  readonly #stream: ByteStream;
  readonly #negotiated: Negotiated;
  readonly #atOnce = new Semaphore(limits.nbd.requestsAtOnce);
  readonly #running = new Set<Promise<void>>();
  readonly #replies = new ReplyBuffers();

  constructor(stream: ByteStream, negotiated: Negotiated) {
    this.#stream = stream;
    this.#negotiated = negotiated;
  }

  /** Serves until the client disconnects. */
  async run(): Promise<void> {
    for (;;) {
      const request = await this.#next();
      if (!request || request.type === command.disconnect) break;
      await this.#atOnce.acquire();
      const running = this.#serve(request).finally(() => {
        this.#atOnce.release();
        this.#running.delete(running);
      });
      this.#running.add(running);
    }
    await Promise.allSettled(this.#running);
  }

  async #next(): Promise<Request | undefined> {
    const header = await this.#stream.take(size.request);
    if (!header) return undefined;
    if (header.readUInt32BE(0) !== magic.request) {
      throw new SluiceError('PROTOCOL_VIOLATION', 'nbd: a request without its magic number');
    }
    const type = header.readUInt16BE(6);
    const lengthBytes = header.readUInt32BE(24);
    if (type === command.write && lengthBytes > limits.nbd.requestBytes) {
      throw new SluiceError('PROTOCOL_VIOLATION', `nbd: a write of ${lengthBytes} bytes`);
    }
    return {
      flags: header.readUInt16BE(4),
      type,
      cookie: Buffer.from(header.subarray(8, 16)),
      offset: Number(header.readBigUInt64BE(16)),
      lengthBytes,
      data: await this.#stream.need(type === command.write ? lengthBytes : 0),
    };
  }

  async #serve(request: Request): Promise<void> {
    try {
      await this.#obey(request);
    } catch (error) {
      await this.#refuse(request, errnoOf(error));
    }
  }

  async #obey(request: Request): Promise<void> {
    const { type, offset, lengthBytes, data } = request;
    const target = this.#negotiated.export;
    if (type === command.flush) return await this.#done(request);
    const changing = [command.write, command.trim, command.writeZeroes].includes(type as 1);
    if (changing && !target.writable) throw new Refusal(errno.EPERM);
    if (offset + lengthBytes > target.sizeBytes) {
      throw new Refusal(type === command.write ? errno.ENOSPC : errno.EINVAL);
    }
    switch (type) {
      case command.read:
        return await this.#read(request);
      case command.write:
        await target.write(offset, data);
        return await this.#done(request);
      case command.trim:
      case command.writeZeroes:
        await target.discard(offset, lengthBytes);
        return await this.#done(request);
      case command.blockStatus:
        return await this.#blockStatus(request);
      default:
        throw new Refusal(errno.EINVAL);
    }
  }

  async #read(request: Request): Promise<void> {
    const { offset, lengthBytes, cookie } = request;
    if (lengthBytes > limits.nbd.requestBytes) throw new Refusal(errno.EINVAL);
    if (!this.#negotiated.structuredReplies) {
      return await this.#sendRead(request, simpleReply(cookie, 0));
    }
    const place = Buffer.alloc(8);
    place.writeBigUInt64BE(BigInt(offset));
    const [first] = this.#negotiated.export.extents(offset, lengthBytes);
    if (lengthBytes > 0 && first?.hole && first.lengthBytes >= lengthBytes) {
      const length = Buffer.alloc(4);
      length.writeUInt32BE(lengthBytes);
      return await this.#chunk(request, replyType.offsetHole, place, length);
    }
    const header = chunkHeader(request, replyType.offsetData, place.length + lengthBytes);
    await this.#sendRead(request, header, place);
  }

  /** Reads into the reply itself, behind its head: one copy, one write. */
  async #sendRead({ offset, lengthBytes }: Request, ...head: readonly Buffer[]): Promise<void> {
    const headBytes = head.reduce((sum, part) => sum + part.length, 0);
    const reply = this.#replies.take(headBytes + lengthBytes);
    try {
      await this.#negotiated.export.readInto(offset, reply.subarray(headBytes));
      let at = 0;
      for (const part of head) at += part.copy(reply, at);
      await this.#stream.sendWhole(reply);
    } finally {
      this.#replies.give(reply);
    }
  }

  async #blockStatus(request: Request): Promise<void> {
    if (!this.#negotiated.allocationContext) throw new Refusal(errno.EINVAL);
    const { offset, lengthBytes, flags } = request;
    const extents = this.#negotiated.export.extents(offset, lengthBytes);
    const wanted = (flags & commandFlag.requestOne) !== 0 ? extents.slice(0, 1) : extents;
    const context = Buffer.alloc(4);
    context.writeUInt32BE(ALLOCATION_CONTEXT_ID);
    await this.#chunk(request, replyType.blockStatus, context, descriptors(wanted));
  }

  async #done(request: Request): Promise<void> {
    if (this.#negotiated.structuredReplies) return await this.#chunk(request, replyType.none);
    await this.#stream.send(simpleReply(request.cookie, 0));
  }

  async #refuse(request: Request, code: number): Promise<void> {
    if (!this.#negotiated.structuredReplies) {
      return await this.#stream.send(simpleReply(request.cookie, code));
    }
    const payload = Buffer.alloc(6);
    payload.writeUInt32BE(code);
    await this.#chunk(request, replyType.error, payload);
  }

  /** The one and last structured reply chunk to a request. */
  async #chunk(request: Request, type: number, ...payload: readonly Buffer[]): Promise<void> {
    const bytes = payload.reduce((sum, part) => sum + part.length, 0);
    await this.#stream.send(chunkHeader(request, type, bytes), ...payload);
  }
}

function chunkHeader({ cookie }: Request, type: number, payloadBytes: number): Buffer {
  const header = Buffer.alloc(20);
  header.writeUInt32BE(magic.structuredReply, 0);
  header.writeUInt16BE(replyFlag.done, 4);
  header.writeUInt16BE(type, 6);
  cookie.copy(header, 8);
  header.writeUInt32BE(payloadBytes, 16);
  return header;
}

function simpleReply(cookie: Buffer, code: number): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32BE(magic.simpleReply, 0);
  header.writeUInt32BE(code, 4);
  cookie.copy(header, 8);
  return header;
}

function descriptors(extents: readonly ExportExtent[]): Buffer {
  const bytes = Buffer.alloc(extents.length * 8);
  for (const [index, { lengthBytes, hole }] of extents.entries()) {
    bytes.writeUInt32BE(lengthBytes, index * 8);
    bytes.writeUInt32BE(hole ? allocation.hole | allocation.zero : 0, index * 8 + 4);
  }
  return bytes;
}
