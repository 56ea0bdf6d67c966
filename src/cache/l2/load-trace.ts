import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import { type Clock, SluiceError } from '../../base/mod.ts';
import type { ChunkName, ChunkSource } from '../../seal/mod.ts';

/** One load of a chunk. A trace is a text file of them in order of time: `<ms> <name>` a line. */
export interface ChunkLoad {
  readonly timeMs: number;
  readonly chunkName: ChunkName;
}

const LINE = /^(\d{1,16}) ([0-9a-f]{64})$/;

export function loadLine(timeMs: number, chunkName: ChunkName): string {
  return `${Math.round(timeMs)} ${chunkName}\n`;
}

/** Hands a line of trace for every get of `source` to `write`, which must not block. */
export function tracedLoads(
  source: ChunkSource,
  clock: Clock,
  write: (line: string) => void,
): ChunkSource {
  return {
    get: (ref, signal) => {
      write(loadLine(clock.nowMs(), ref.name));
      return source.get(ref, signal);
    },
  };
}

/** Rejects with `USAGE`, naming file and line, when a line is none of a trace. */
export async function* readLoadTrace(path: string): AsyncGenerator<ChunkLoad> {
  const lines = createInterface({ input: createReadStream(path), crlfDelay: Infinity });
  let number = 0;
  try {
    for await (const line of lines) {
      number++;
      if (line === '') continue;
      const match = LINE.exec(line);
      if (!match) {
        const where = `${path}:${number}`;
        throw new SluiceError('USAGE', `${where}: “<milliseconds> <chunk name>” is wanted`);
      }
      yield { timeMs: Number(match[1]), chunkName: match[2]! };
    }
  } catch (cause) {
    if (cause instanceof SluiceError) throw cause;
    throw new SluiceError('USAGE', `${path}: the trace cannot be read`, { cause });
  }
}
