import { benchMany } from './device-many.ts';
import { benchNbd } from './device-nbd.ts';
import { benchOrigin } from './device-origin.ts';
import { benchReads } from './device-reads.ts';
import { benchStart } from './device-start.ts';
import { deviceRig } from './support/device-rig.ts';

export const title = 'reads of a device: latency, throughput, cold starts, beside references';

const parts = {
  reads: benchReads,
  start: benchStart,
  origin: benchOrigin,
  many: benchMany,
  nbd: benchNbd,
};

/** `npm run bench -- device [reads] [start] [origin] [many] [nbd]`: all parts, or those named. */
export async function run(flags: readonly string[]): Promise<unknown> {
  const rig = await deviceRig();
  const results: Record<string, unknown> = {};
  try {
    for (const [name, part] of Object.entries(parts)) {
      if (flags.length > 0 && !flags.includes(name)) continue;
      const result = await part(rig);
      results[name] = result;
      process.stdout.write(`${name}\n${JSON.stringify(result, null, 2)}\n`);
    }
    return results;
  } finally {
    await rig.close();
  }
}
