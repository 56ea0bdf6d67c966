import { closeSync, openSync, readSync } from 'node:fs';
import { isDeepStrictEqual } from 'node:util';
import { fileError, SluiceError, systemErrorCode } from '../base/mod.ts';
import {
  type Checksum,
  FRAME_HEADER_BYTES,
  frameChecksum,
  frameOffset,
  LOG_HEADER_BYTES,
  parseLogHeader,
} from './log-format.ts';
import { fileWritten, type Mark, markPath, readMark } from './log-mark.ts';

/** How often a log is looked at again that another process changed meanwhile. */
const LOOKS = 5;

/**
 * Throws `STORE_CORRUPT` when commits that were acknowledged are no longer in a database's log, and
 * `STORE_UNAVAILABLE` when that cannot be found out.
 * SQLite would pass over them in silence, with all that follow them. Asked before SQLite opens the
 * file, because the one that opens it first takes the log for what it finds in it.
 */
export function requireAcknowledgedLog(path: string): void {
  const log = `${path}-wal`;
  const why = findSettledLoss(path);
  if (why === undefined) return;
  throw new SluiceError(
    'STORE_CORRUPT',
    `${log}: ${why}, and changes that were acknowledged stood there; restore its folder from a backup, or delete ${markPath(path)} to go on without them`,
    { data: { path: log } },
  );
}

/** Throws `STORE_CORRUPT` when what has been committed cannot be read from the log any more. */
export function requireWholeLog(path: string, committed: Mark): void {
  const why = findLoss(path, committed);
  if (why === undefined) return;
  const text = `${path}-wal: ${why} since it could not be synced; start the region anew`;
  throw new SluiceError('STORE_CORRUPT', text, { data: { path: `${path}-wal` } });
}

function findSettledLoss(path: string): string | undefined {
  try {
    let mark = readMark(path);
    for (let look = 1; mark; look++) {
      const why = findLoss(path, mark);
      const now = readMark(path);
      if (why === undefined || look === LOOKS || isDeepStrictEqual(now, mark)) return why;
      mark = now;
    }
    return undefined;
  } catch (error) {
    throw fileError(error, `${path}-wal`);
  }
}

function findLoss(path: string, mark: Mark): string | undefined {
  let fd: number;
  const wasTakenIn = () => mark.fileWrittenNs !== fileWritten(path);
  try {
    fd = openSync(`${path}-wal`, 'r');
  } catch (error) {
    if (systemErrorCode(error) !== 'ENOENT') throw error;
    return wasTakenIn() ? undefined : 'is gone';
  }
  try {
    const header = readAt(fd, 0, LOG_HEADER_BYTES);
    if (header.length === 0) return wasTakenIn() ? undefined : 'is empty';
    const parsed = parseLogHeader(header);
    if (!parsed) return 'its header is damaged';
    if (parsed.salts !== mark.salts) return undefined;
    let sum: Checksum = parsed.sum;
    const frameBytes = FRAME_HEADER_BYTES + parsed.pageBytes;
    for (let frame = 0; frame < mark.frames; frame++) {
      const bytes = readAt(fd, frameOffset(frame, parsed.pageBytes), frameBytes);
      const next = frameChecksum(parsed, sum, bytes);
      if (!next) {
        if (!readAt(fd, 0, LOG_HEADER_BYTES).equals(header)) return undefined;
        return `frame ${frame + 1} of ${mark.frames} is ${bytes.length < frameBytes ? 'cut off' : 'damaged'}`;
      }
      sum = next;
    }
    return undefined;
  } finally {
    closeSync(fd);
  }
}

function readAt(fd: number, offset: number, length: number): Buffer {
  const bytes = Buffer.alloc(length);
  return bytes.subarray(0, readSync(fd, bytes, 0, length, offset));
}
