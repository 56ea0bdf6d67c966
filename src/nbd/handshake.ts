import { limits, PAGE_SIZE_BYTES } from '../base/mod.ts';
import type { ByteStream } from './byte-stream.ts';
import type { NbdExport } from './export.ts';
import {
  ALLOCATION_CONTEXT,
  handshakeFlag,
  info,
  magic,
  option,
  optionReply,
  size,
  transmissionFlag,
} from './protocol.ts';

/** What client and server agreed on. */
export interface Negotiated {
  readonly export: NbdExport;
  readonly structuredReplies: boolean;
  /** The client asked for block status of `base:allocation`. */
  readonly allocationContext: boolean;
}

export const ALLOCATION_CONTEXT_ID = 1;
const OLD_PADDING_BYTES = 124;

interface State {
  structuredReplies: boolean;
  allocationContext: boolean;
  noZeroes: boolean;
}

function transmissionFlags({ writable }: NbdExport, structuredReplies: boolean): number {
  const flags = transmissionFlag;
  const always = flags.hasFlags | flags.sendFlush | flags.sendFua | flags.canMultiConn;
  const writing = writable ? flags.sendTrim | flags.sendWriteZeroes : flags.readOnly;
  return always | writing | (structuredReplies ? flags.sendDf : 0);
}

/**
 * The fixed newstyle handshake of one connection, up to the choice of an export; `undefined` when
 * the client leaves. TLS is not offered: the server listens on a unix socket or on loopback.
 */
export class Handshake {
  readonly #stream: ByteStream;
  readonly #exports: readonly NbdExport[];
  readonly #state: State = {
    structuredReplies: false,
    allocationContext: false,
    noZeroes: false,
  };

  constructor(stream: ByteStream, exports: readonly NbdExport[]) {
    this.#stream = stream;
    this.#exports = exports;
  }

  async run(): Promise<Negotiated | undefined> {
    const flags = Buffer.alloc(2);
    flags.writeUInt16BE(handshakeFlag.fixedNewstyle | handshakeFlag.noZeroes);
    await this.#stream.send(magic.server, magic.option, flags);
    const answer = await this.#stream.take(4);
    if (!answer) return undefined;
    this.#state.noZeroes = (answer.readUInt32BE(0) & handshakeFlag.noZeroes) !== 0;
    for (;;) {
      const header = await this.#stream.take(size.optionHeader);
      if (!header?.subarray(0, 8).equals(magic.option)) return undefined;
      const length = header.readUInt32BE(12);
      if (length > limits.nbd.optionBytes) return undefined;
      const data = await this.#stream.need(length);
      const chosen = await this.#obey(header.readUInt32BE(8), data);
      if (chosen === 'leave') return undefined;
      if (chosen) return { ...this.#state, export: chosen };
    }
  }

  async #obey(code: number, data: Buffer): Promise<NbdExport | 'leave' | undefined> {
    switch (code) {
      case option.exportName:
        return await this.#exportName(data.toString('utf8'));
      case option.abort:
        await this.#reply(code, optionReply.ack);
        return 'leave';
      case option.list:
        await this.#list(data);
        return undefined;
      case option.info:
      case option.go:
        return await this.#go(code, data);
      case option.structuredReply:
        this.#state.structuredReplies = true;
        await this.#reply(code, optionReply.ack);
        return undefined;
      case option.listMetaContext:
      case option.setMetaContext:
        await this.#metaContext(code, data);
        return undefined;
      default:
        await this.#reply(code, optionReply.errorUnsupported);
        return undefined;
    }
  }

  #find(name: string): NbdExport | undefined {
    // The empty name is the default export.
    return this.#exports.find((each) => each.name === name || name === '');
  }

  async #exportName(name: string): Promise<NbdExport | 'leave'> {
    const found = this.#find(name);
    if (!found) return 'leave';
    const padding = this.#state.noZeroes ? 0 : OLD_PADDING_BYTES;
    const answer = Buffer.alloc(10 + padding);
    answer.writeBigUInt64BE(BigInt(found.sizeBytes), 0);
    answer.writeUInt16BE(transmissionFlags(found, this.#state.structuredReplies), 8);
    await this.#stream.send(answer);
    return found;
  }

  async #list(data: Buffer): Promise<void> {
    if (data.length > 0) return await this.#reply(option.list, optionReply.errorInvalid);
    for (const { name } of this.#exports) {
      await this.#reply(option.list, optionReply.server, lengthAndText(name));
    }
    await this.#reply(option.list, optionReply.ack);
  }

  async #go(code: number, data: Buffer): Promise<NbdExport | undefined> {
    const name = textAt(data, 0);
    if (name === undefined) {
      await this.#reply(code, optionReply.errorInvalid);
      return undefined;
    }
    const found = this.#find(name);
    if (!found) {
      await this.#reply(code, optionReply.errorUnknown);
      return undefined;
    }
    const facts = Buffer.alloc(12);
    facts.writeUInt16BE(info.export, 0);
    facts.writeBigUInt64BE(BigInt(found.sizeBytes), 2);
    facts.writeUInt16BE(transmissionFlags(found, this.#state.structuredReplies), 10);
    await this.#reply(code, optionReply.info, facts);
    const blocks = Buffer.alloc(size.infoBlockSize);
    blocks.writeUInt16BE(info.blockSize, 0);
    blocks.writeUInt32BE(1, 2);
    blocks.writeUInt32BE(PAGE_SIZE_BYTES, 6);
    blocks.writeUInt32BE(limits.nbd.requestBytes, 10);
    await this.#reply(code, optionReply.info, blocks);
    await this.#reply(code, optionReply.ack);
    return code === option.go ? found : undefined;
  }

  async #metaContext(code: number, data: Buffer): Promise<void> {
    const queries = metaQueries(data);
    const setting = code === option.setMetaContext;
    if (!queries || (setting && !this.#state.structuredReplies)) {
      return await this.#reply(code, optionReply.errorInvalid);
    }
    if (!this.#find(queries.exportName)) {
      return await this.#reply(code, optionReply.errorUnknown);
    }
    // Listing without a query lists all; a bare namespace lists what is in it.
    const all = !setting && (queries.names.length === 0 || queries.names.includes('base:'));
    const offered = all || queries.names.includes(ALLOCATION_CONTEXT);
    if (setting) this.#state.allocationContext = offered;
    if (offered) {
      const id = Buffer.alloc(4);
      id.writeUInt32BE(setting ? ALLOCATION_CONTEXT_ID : 0);
      const context = Buffer.concat([id, Buffer.from(ALLOCATION_CONTEXT, 'utf8')]);
      await this.#reply(code, optionReply.metaContext, context);
    }
    await this.#reply(code, optionReply.ack);
  }

  async #reply(code: number, type: number, data: Buffer = Buffer.alloc(0)): Promise<void> {
    const header = Buffer.alloc(20);
    header.writeBigUInt64BE(magic.optionReply, 0);
    header.writeUInt32BE(code, 8);
    header.writeUInt32BE(type, 12);
    header.writeUInt32BE(data.length, 16);
    await this.#stream.send(header, data);
  }
}

function lengthAndText(text: string): Buffer {
  const bytes = Buffer.from(text, 'utf8');
  const length = Buffer.alloc(4);
  length.writeUInt32BE(bytes.length);
  return Buffer.concat([length, bytes]);
}

/** A string with its length before it, or undefined when the data is cut short. */
function textAt(data: Buffer, at: number): string | undefined {
  if (data.length < at + 4) return undefined;
  const end = at + 4 + data.readUInt32BE(at);
  return end <= data.length ? data.toString('utf8', at + 4, end) : undefined;
}

function metaQueries(data: Buffer): { exportName: string; names: string[] } | undefined {
  const exportName = textAt(data, 0);
  if (exportName === undefined) return undefined;
  let at = 4 + data.readUInt32BE(0);
  if (data.length < at + 4) return undefined;
  const count = data.readUInt32BE(at);
  at += 4;
  const names: string[] = [];
  for (let index = 0; index < count; index++) {
    const name = textAt(data, at);
    if (name === undefined) return undefined;
    at += 4 + data.readUInt32BE(at);
    names.push(name);
  }
  return { exportName, names };
}
