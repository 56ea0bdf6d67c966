import { join } from 'node:path';
import { InvokeCommand, type LambdaClient } from '@aws-sdk/client-lambda';
import { formatTable } from '../src/cli/mod.ts';
import { createImageFunction } from '../test/support/image-function.ts';
import { buildTestImage } from '../test/support/node-image.ts';
import { startRegion } from '../test/support/region.ts';
import { scratchDirectory } from '../test/support/temporary.ts';
import { hostileDeeds, hostileSource } from './support/hostile-handlers.ts';
import { cpuSecondsOf } from './support/processes.ts';
import { medianOf, quantileOf } from './support/statistics.ts';

export const title =
  "a neighbour's warm invokes beside each of 12 hostile handlers and beside one that only spins";
export const takes = { words: hostileDeeds };

const DEED_MS = 12_000;
/** What a deed gets to be under way, and what it is measured for. */
const SETTLE_MS = 2_000;
const MEASURE_MS = 8_000;
const HOSTILE_MB = 128;
const WARM_UP = 300;

const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function invoke(client: LambdaClient, FunctionName: string, event: object): Promise<void> {
  await client.send(new InvokeCommand({ FunctionName, Payload: JSON.stringify(event) }));
}

/** How long the neighbour's invokes take, one after the other. */
async function neighbourMs(client: LambdaClient, forMs: number): Promise<number[]> {
  const times: number[] = [];
  for (const endMs = performance.now() + forMs; performance.now() < endMs; ) {
    const startMs = performance.now();
    await invoke(client, 'neighbour', { do: 'echo', word: 'w' });
    times.push(performance.now() - startMs);
  }
  return times;
}

/** `npm run bench -- hostile [DEED...]`: those deeds, beside the one that only spins. */
export async function run(flags: readonly string[]): Promise<unknown> {
  const scratch = scratchDirectory('bench-hostile');
  const image = await buildTestImage(join(scratch.path, 'image'), {
    'var/task/handler.mjs': hostileSource,
  });
  const region = await startRegion(undefined, join(scratch.path, 'data'));
  try {
    const client = region.client();
    await createImageFunction(client, 'neighbour', image, { MemorySize: 1769, Timeout: 30 });
    await createImageFunction(client, 'hostile', image, { MemorySize: HOSTILE_MB, Timeout: 30 });
    for (let count = 0; count < WARM_UP; count++) await neighbourMs(client, 0.01);
    const rows: { deed: string; p50: number; p99: number; worst: number; cpu: number }[] = [];
    const chosen = hostileDeeds.filter((deed) => flags.length === 0 || flags.includes(deed));
    for (const deed of new Set(['spins' as const, ...chosen])) {
      const done = invoke(client, 'hostile', { do: deed, untilMs: Date.now() + DEED_MS });
      await pause(SETTLE_MS);
      const cpu = () => cpuSecondsOf(region.process.pid ?? 0);
      const before = cpu();
      const times = await neighbourMs(client, MEASURE_MS);
      const used = (cpu() - before) / (MEASURE_MS / 1000);
      await done;
      const [p50, p99] = [medianOf(times), quantileOf(times, 0.99)];
      rows.push({ deed, p50, p99, worst: Math.max(...times), cpu: used });
    }
    const spinning = rows[0]?.p99 ?? Number.NaN;
    const result = rows.map((row) => ({ ...row, ratio: row.p99 / spinning }));
    const shown = result.map(({ deed, p50, p99, worst, cpu, ratio }) => [
      deed,
      ...[p50, p99, worst].map((ms) => ms.toFixed(2)),
      `${Math.round(cpu * 100)} %`,
      ratio.toFixed(2),
    ]);
    const head = ['beside', 'p50 ms', 'p99 ms', 'worst ms', 'region CPU', 'p99 ratio'];
    process.stdout.write(`${formatTable(head, shown)}\n`);
    return result;
  } finally {
    await region.stop();
    scratch.remove();
  }
}
