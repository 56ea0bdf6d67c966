/** First invokes by what a function is made of, and the parts that each takes. */
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../test/repo/repository.ts';
import type { RunningRegion } from '../test/support/region.ts';
import { clientOf, invoke } from './platform-invokes.ts';
import {
  createActiveFunction,
  type FunctionSource,
  imageSource,
  zipSource,
} from './support/active-function.ts';
import { medianOf } from './support/statistics.ts';

const FUNCTIONS_EACH = 5;
/** `init` is the runtime's own boot and the handler's module together: only it could tell them apart. */
const PHASES = ['lease', 'device', 'sandbox', 'init'] as const;

const example = (path: string) => readFileSync(join(repositoryRoot, 'examples', path));

function sources(imageUri: string): Readonly<Record<string, FunctionSource>> {
  const bootstrap = { name: 'bootstrap', mode: 0o755, content: example('provided/bootstrap') };
  return {
    image: imageSource(imageUri),
    node: zipSource('nodejs24.x', 'index.handler', [
      { name: 'index.mjs', content: example('node/index.mjs') },
    ]),
    python: zipSource('python3.13', 'app.handler', [
      { name: 'app.py', content: example('python/app.py') },
    ]),
    shell: zipSource('provided.al2023', 'any', [bootstrap]),
  };
}

async function phaseSums(region: RunningRegion): Promise<Record<string, number>> {
  const text = await (await fetch(`${region.endpoint}/metrics`)).text();
  const sums: Record<string, number> = {};
  for (const phase of PHASES) {
    const found = new RegExp(
      `^sluice_cold_start_seconds_sum\\{phase="${phase}"\\} (\\S+)$`,
      'm',
    ).exec(text);
    sums[phase] = Number(found?.[1] ?? 0);
  }
  return sums;
}

async function coldOf(region: RunningRegion, kind: string, source: FunctionSource) {
  const client = clientOf(region, 1);
  const before = await phaseSums(region);
  const createTimes: number[] = [];
  const times: number[] = [];
  for (let n = 0; n < FUNCTIONS_EACH; n++) {
    const startMs = performance.now();
    await createActiveFunction(client, `${kind}-${n}`, source);
    createTimes.push(performance.now() - startMs);
    times.push(await invoke(client, `${kind}-${n}`));
  }
  const after = await phaseSums(region);
  client.destroy();
  const parts = PHASES.map((phase) => [
    `${phase}Ms`,
    (((after[phase] ?? 0) - (before[phase] ?? 0)) * 1000) / FUNCTIONS_EACH,
  ]);
  const figures: Record<string, number> = Object.fromEntries(parts);
  return { createMsMedian: medianOf(createTimes), msMedian: medianOf(times), ...figures };
}

/** First invokes of functions that nobody has invoked, one after the other, and their parts. */
export async function cold(region: RunningRegion, imageUri: string) {
  const figures: Record<string, Awaited<ReturnType<typeof coldOf>>> = {};
  for (const [kind, source] of Object.entries(sources(imageUri))) {
    figures[kind] = await coldOf(region, kind, source);
  }
  return figures;
}
