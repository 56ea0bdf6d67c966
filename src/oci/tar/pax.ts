import type { ByteString } from '../byte-string.ts';

/** One record of a PAX extended header: the value as bytes, for attributes are binary. */
export interface PaxRecord {
  readonly key: ByteString;
  readonly value: Buffer;
}

/** A PAX header that does not parse. */
export class PaxError extends Error {}

const SPACE = 0x20;
const NEWLINE = 0x0a;
const EQUALS = 0x3d;

/** Reads `length key=value\n` records (POSIX pax, "pax Extended Header"). Throws `PaxError`. */
export function parsePaxRecords(bytes: Buffer): PaxRecord[] {
  const records: PaxRecord[] = [];
  let start = 0;
  while (start < bytes.length) {
    if (bytes[start] === 0) break;
    const space = bytes.indexOf(SPACE, start);
    const digits = space < 0 ? '' : bytes.toString('latin1', start, space);
    if (!/^\d{1,9}$/.test(digits)) throw new PaxError('a PAX record has no length');
    const end = start + Number(digits);
    if (end > bytes.length || end <= space + 1 || bytes[end - 1] !== NEWLINE) {
      throw new PaxError('a PAX record has a wrong length');
    }
    const equals = bytes.indexOf(EQUALS, space + 1);
    if (equals < 0 || equals >= end || equals === space + 1) {
      throw new PaxError('a PAX record has no key');
    }
    records.push({
      key: bytes.toString('latin1', space + 1, equals),
      value: bytes.subarray(equals + 1, end - 1),
    });
    start = end;
  }
  return records;
}

/** The record `key=value` with its own length in front. */
export function paxRecord(key: ByteString, value: Buffer): Buffer {
  const body = Buffer.concat([Buffer.from(` ${key}=`, 'latin1'), value, Buffer.from('\n')]);
  let length = body.length;
  while (String(length).length + body.length !== length) {
    length = String(length).length + body.length;
  }
  return Buffer.concat([Buffer.from(String(length)), body]);
}

/** A decimal integer that fits 53 bits. Throws `PaxError`. */
export function paxInteger(key: string, value: Buffer): number {
  const text = value.toString('latin1');
  const number = Number(text);
  if (!/^-?\d{1,20}$/.test(text) || !Number.isSafeInteger(number)) {
    throw new PaxError(`PAX ${key}: "${text.slice(0, 40)}" is no number of 53 bits`);
  }
  return number;
}

/** Seconds with a fraction, which may be negative: -1.25 is 750 ms after second -2. */
export function paxTime(key: string, value: Buffer): { seconds: number; nanoseconds: number } {
  const text = value.toString('latin1');
  const match = /^(-?)(\d{1,20})(?:\.(\d*))?$/.exec(text);
  if (!match) throw new PaxError(`PAX ${key}: "${text.slice(0, 40)}" is no time`);
  const whole = Number(match[2]);
  if (!Number.isSafeInteger(whole)) throw new PaxError(`PAX ${key}: the time overflows 53 bits`);
  const nanoseconds = Number((match[3] ?? '').slice(0, 9).padEnd(9, '0'));
  if (match[1] === '') return { seconds: whole, nanoseconds };
  if (nanoseconds === 0) return { seconds: whole === 0 ? 0 : -whole, nanoseconds: 0 };
  return { seconds: -whole - 1, nanoseconds: 1_000_000_000 - nanoseconds };
}
