import { paxRecord } from '../../src/oci/tar/pax.ts';

const BLOCK_BYTES = 512;

/** Where a header's fields stand (POSIX ustar interchange format; GNU tar's manual). */
const AT = {
  ...{ name: 0, mode: 100, uid: 108, gid: 116, size: 124, mtime: 136, checksum: 148, type: 156 },
  ...{ link: 157, magic: 257, major: 329, minor: 337, prefix: 345 },
} as const;

/** A header as the case wants it, right or wrong: numbers are written octal, strings as they are. */
export interface Member {
  readonly name: string;
  readonly type?: string;
  readonly mode?: number | string;
  readonly uid?: number | string;
  readonly gid?: number | string;
  readonly size?: number | string;
  readonly mtime?: number | string;
  readonly link?: string;
  readonly magic?: 'ustar' | 'gnu' | 'v7';
  readonly prefix?: string;
  readonly major?: number;
  readonly minor?: number;
  readonly checksum?: string;
  /** Further bytes, by their place in the block; before the checksum. */
  readonly raw?: Readonly<Record<number, string>>;
}

const magics = { ustar: 'ustar\x0000', gnu: 'ustar  \0', v7: '' } as const;

export function header(member: Member): Buffer {
  const block = Buffer.alloc(BLOCK_BYTES);
  const put = (at: number, value: string) => block.write(value, at, 'latin1');
  const number = (at: number, length: number, value: number | string) =>
    put(at, typeof value === 'string' ? value : value.toString(8).padStart(length - 1, '0'));
  const { type = '0', magic = 'ustar' } = member;
  put(AT.name, member.name.slice(0, 100));
  number(AT.mode, 8, member.mode ?? (type === '5' ? 0o755 : 0o644));
  number(AT.uid, 8, member.uid ?? 0);
  number(AT.gid, 8, member.gid ?? 0);
  number(AT.size, 12, member.size ?? 0);
  number(AT.mtime, 12, member.mtime ?? 1_700_000_000);
  put(AT.type, type);
  put(AT.link, (member.link ?? '').slice(0, 100));
  put(AT.magic, magics[magic]);
  if (member.major !== undefined) number(AT.major, 8, member.major);
  if (member.minor !== undefined) number(AT.minor, 8, member.minor);
  if (member.prefix !== undefined) put(AT.prefix, member.prefix);
  for (const [at, value] of Object.entries(member.raw ?? {})) put(Number(at), value);
  let sum = 8 * 0x20;
  for (const [at, byte] of block.entries()) {
    if (at < AT.checksum || at >= AT.checksum + 8) sum += byte;
  }
  put(AT.checksum, member.checksum ?? `${sum.toString(8).padStart(6, '0')}\0 `);
  return block;
}

export function padded(bytes: Buffer): Buffer {
  const rest = bytes.length % BLOCK_BYTES;
  return rest === 0 ? bytes : Buffer.concat([bytes, Buffer.alloc(BLOCK_BYTES - rest)]);
}

/** A member with its content; its size is the content's unless the case says otherwise. */
export function member(fields: Member, content: string | Buffer = ''): Buffer {
  const bytes = Buffer.isBuffer(content) ? content : Buffer.from(content, 'latin1');
  return Buffer.concat([header({ size: bytes.length, ...fields }), padded(bytes)]);
}

export const file = (name: string, content: string | Buffer = name, more: Partial<Member> = {}) =>
  member({ name, ...more }, content);
export const directory = (name: string, more: Partial<Member> = {}) =>
  member({ name, type: '5', ...more });
export const symlink = (name: string, link: string, more: Partial<Member> = {}) =>
  member({ name, type: '2', mode: 0o777, link, ...more });
export const hardlink = (name: string, link: string, more: Partial<Member> = {}) =>
  member({ name, type: '1', link, ...more });

type Records = Readonly<Record<string, string | Buffer>>;

/** A PAX header before the member that it is for; `g` is one for all that follow. */
export function pax(records: Records, type = 'x'): Buffer {
  const body = Object.entries(records).map(([key, value]) =>
    paxRecord(key, Buffer.isBuffer(value) ? value : Buffer.from(value, 'latin1')),
  );
  return member({ name: 'pax', type }, Buffer.concat(body));
}

/** GNU's long name (`L`) or long link target (`K`). */
export const gnuLong = (type: 'L' | 'K', text: string) =>
  member({ name: '././@LongLink', type, magic: 'gnu' }, `${text}\0`);

/** A number in GNU's base-256, as the bytes of a field. */
export function base256(value: bigint, length: number): string {
  const bytes = Buffer.alloc(length);
  let rest = value;
  for (let at = length - 1; at >= 0; at--) {
    bytes[at] = Number(rest & 0xffn);
    rest >>= 8n;
  }
  bytes[0] = value < 0n ? 0xff : 0x80;
  return bytes.toString('latin1');
}

export const END = Buffer.alloc(2 * BLOCK_BYTES);
const ROOT = directory('./');

/** A whole layer: the root, the parts, the end mark. */
export const layer = (...parts: readonly Buffer[]) => Buffer.concat([ROOT, ...parts, END]);
/** The same without the end mark. */
export const unended = (...parts: readonly Buffer[]) => Buffer.concat([ROOT, ...parts]);
