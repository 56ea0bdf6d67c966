import { benchMany } from './device-many.ts';
import { benchNbd } from './device-nbd.ts';
import { benchOrigin } from './device-origin.ts';
import { benchReads } from './device-reads.ts';
import { benchStart } from './device-start.ts';
import { deviceRig } from './support/device-rig.ts';

export const title = 'reads of a device: latency, throughput, cold starts, beside references';
export const takes = {
  options: { quick: { type: 'boolean' } },
  words: ['reads', 'start', 'origin', 'many', 'nbd'],
} as const;

const parts = {
  reads: benchReads,
  start: benchStart,
  origin: benchOrigin,
  many: benchMany,
  nbd: benchNbd,
};

/**
 * `npm run bench -- device [reads] [start] [origin] [many] [nbd] [--quick]`: all parts, or those
 * named; `--quick` makes one round of each, and asks of the origin one latency and one image.
 */
export async function run(flags: readonly string[]): Promise<unknown> {
  const quick = flags.includes('--quick');
  const named = flags.filter((flag) => !flag.startsWith('--'));
  const rig = await deviceRig();
  const results: Record<string, unknown> = {};
  try {
    for (const [name, part] of Object.entries(parts)) {
      if (named.length > 0 && !named.includes(name)) continue;
      const result = await part(rig, quick);
      results[name] = result;
      process.stdout.write(`${name}\n${JSON.stringify(result, null, 2)}\n`);
    }
    return results;
  } finally {
    await rig.close();
  }
}
