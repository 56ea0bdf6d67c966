/** SQLite's write-ahead log (sqlite.org/walformat.html, sections 2.1 to 2.3). */
export const LOG_HEADER_BYTES = 32;
export const FRAME_HEADER_BYTES = 24;

/** `frame` counts from 0. */
export function frameOffset(frame: number, pageBytes: number): number {
  return LOG_HEADER_BYTES + frame * (FRAME_HEADER_BYTES + pageBytes);
}

export interface LogHeader {
  readonly isBigEndian: boolean;
  readonly pageBytes: number;
  readonly salts: string;
  readonly sum: Checksum;
}

/** The two running words of the log's checksum. */
export type Checksum = readonly [number, number];

/** Of a log's header, hexadecimal; each frame repeats them. */
export const saltsOf = (header: Buffer): string => header.toString('hex', 16, 24);

/** Undefined when the header is not whole. */
export function parseLogHeader(bytes: Buffer): LogHeader | undefined {
  if (bytes.length < LOG_HEADER_BYTES) return undefined;
  const magic = bytes.readUInt32BE(0);
  if (magic !== 0x377f0682 && magic !== 0x377f0683) return undefined;
  const isBigEndian = magic === 0x377f0683;
  const sum = checksum([0, 0], bytes, 0, 24, isBigEndian);
  if (!isStored(sum, bytes, 24)) return undefined;
  return { isBigEndian, pageBytes: bytes.readUInt32BE(8), salts: saltsOf(bytes), sum };
}

/** The checksum after one frame that follows `before`; undefined when the frame is not whole. */
export function frameChecksum(
  { isBigEndian, pageBytes, salts }: LogHeader,
  before: Checksum,
  frame: Buffer,
): Checksum | undefined {
  if (frame.length < FRAME_HEADER_BYTES + pageBytes) return undefined;
  if (frame.toString('hex', 8, 16) !== salts) return undefined;
  const ofHeader = checksum(before, frame, 0, 8, isBigEndian);
  const end = FRAME_HEADER_BYTES + pageBytes;
  const sum = checksum(ofHeader, frame, FRAME_HEADER_BYTES, end, isBigEndian);
  return isStored(sum, frame, 16) ? sum : undefined;
}

function isStored([first, second]: Checksum, bytes: Buffer, at: number): boolean {
  return bytes.readUInt32BE(at) === first && bytes.readUInt32BE(at + 4) === second;
}

function checksum(
  before: Checksum,
  bytes: Buffer,
  start: number,
  end: number,
  isBigEndian: boolean,
): Checksum {
  let [first, second] = before;
  for (let at = start; at < end; at += 8) {
    const one = isBigEndian ? bytes.readUInt32BE(at) : bytes.readUInt32LE(at);
    const two = isBigEndian ? bytes.readUInt32BE(at + 4) : bytes.readUInt32LE(at + 4);
    first = (first + one + second) >>> 0;
    second = (second + two + first) >>> 0;
  }
  return [first, second];
}
