import { createHash } from 'node:crypto';
import { isSluiceError, systemClock, systemRandom } from '../base/mod.ts';
import { nameOf } from '../seal/mod.ts';
import { directoryOrigin } from './mod.ts';

/** Chunk `number`'s bytes: the same in every process. */
export function chunkOf(number: number): Buffer {
  const seed = createHash('sha256').update(String(number)).digest();
  return Buffer.alloc(200_000, seed);
}

/** A process that puts chunks 0, 1, 2… into a root and says of each how it went. */
async function main(directory: string, rootId: string, count: number): Promise<void> {
  const origin = directoryOrigin(directory, { clock: systemClock, random: systemRandom });
  for (let number = 0; number < count; number++) {
    const bytes = chunkOf(number);
    try {
      console.log(await origin.put({ rootId, name: nameOf(bytes) }, bytes));
    } catch (error) {
      console.log(isSluiceError(error) ? error.code : String(error));
      return;
    }
  }
}

if (import.meta.main) {
  const [directory = '', rootId = '', count = '0'] = process.argv.slice(2);
  await main(directory, rootId, Number(count));
}
