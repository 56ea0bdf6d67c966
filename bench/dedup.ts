import { mkdirSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MIB } from '../src/base/mod.ts';
import { type BenchImage, type BenchStep, familyNames, imageFamilies } from './dedup-images.ts';
import {
  casyncParts,
  type DiskParts,
  diskParts,
  fileParts,
  layerParts,
  type Parts,
  ResticRepository,
  whileUnpacked,
} from './dedup-stores.ts';
import { medianOf } from './support/statistics.ts';

export const title = 'what the next image adds to a store, beside other ways to share';
export const takes = { options: { quick: { type: 'boolean' } }, words: familyNames } as const;

/** All sizes in bytes. */
interface StepResult {
  readonly image: string;
  readonly chunks: number;
  readonly newChunks: number;
  readonly newDataChunks: number;
  readonly newBytes: number;
  readonly newShare: number;
  readonly fileBytes: number;
  readonly layerBytes: number;
  readonly casyncBytes: number | undefined;
  readonly resticBytes: number | undefined;
}

/** Parts of an image are worked out once, however many families it is in. */
class Memory<T> {
  readonly #known = new Map<string, Promise<T>>();
  readonly #work: (image: BenchImage) => Promise<T>;

  constructor(work: (image: BenchImage) => Promise<T>) {
    this.#work = work;
  }

  of(image: BenchImage): Promise<T> {
    const known = this.#known.get(image.name) ?? this.#work(image);
    this.#known.set(image.name, known);
    return known;
  }
}

async function added(memory: Memory<Parts>, step: BenchStep): Promise<Parts> {
  const seen = new Set<string>();
  for (const image of step.before) for (const id of (await memory.of(image)).keys()) seen.add(id);
  return new Map([...(await memory.of(step.image))].filter(([id]) => !seen.has(id)));
}

const total = (parts: Parts): number => [...parts.values()].reduce((sum, bytes) => sum + bytes, 0);

/**
 * `npm run bench -- dedup [--quick] [FAMILY…]`: all families, or those named. casync and restic read
 * unpacked trees and take their time: `--quick` leaves them out.
 */
export async function run(flags: readonly string[]): Promise<unknown> {
  const quick = flags.includes('--quick');
  const scratch = join(tmpdir(), 'sluice-bench-dedup');
  mkdirSync(scratch, { recursive: true });
  const disks = new Memory<DiskParts>((image) => diskParts(image, scratch));
  const data = new Memory(async (image) => (await disks.of(image)).data);
  const all = new Memory<Parts>(async (image) => {
    const parts = await disks.of(image);
    return new Map([...parts.metadata, ...parts.data]);
  });
  const files = new Memory(fileParts);
  const layers = new Memory(layerParts);
  const casync = new Memory((image) =>
    whileUnpacked(image, scratch, (tree) => casyncParts(tree, scratch)),
  );
  const results: { family: string; about: string; steps: StepResult[] }[] = [];
  const wanted = flags.filter((flag) => !flag.startsWith('--'));
  for (const family of await imageFamilies(scratch)) {
    if (wanted.length > 0 && !wanted.includes(family.name)) continue;
    const steps: StepResult[] = [];
    const restic = quick ? undefined : await resticAdditions(family.steps, scratch);
    for (const [i, step] of family.steps.entries()) {
      const fresh = await added(all, step);
      const chunks = (await all.of(step.image)).size;
      steps.push({
        image: step.image.name,
        chunks,
        newChunks: fresh.size,
        newDataChunks: (await added(data, step)).size,
        newBytes: total(fresh),
        newShare: fresh.size / chunks,
        fileBytes: total(await added(files, step)),
        layerBytes: total(await added(layers, step)),
        casyncBytes: quick ? undefined : total(await added(casync, step)),
        resticBytes: restic?.[i],
      });
    }
    results.push({ family: family.name, about: family.about, steps });
    printFamily(family.name, family.about, steps);
  }
  return results;
}

/** What restic adds for each step, in one repository, after the images before the first one. */
async function resticAdditions(steps: readonly BenchStep[], scratch: string): Promise<number[]> {
  const repository = new ResticRepository(scratch);
  const backup = (image: BenchImage) =>
    whileUnpacked(image, scratch, (tree) => repository.addedBytes(tree));
  try {
    for (const image of steps[0]?.before ?? []) await backup(image);
    const additions: number[] = [];
    for (const step of steps) additions.push(await backup(step.image));
    return additions;
  } finally {
    repository.close();
  }
}

function printFamily(name: string, about: string, steps: readonly StepResult[]): void {
  const mib = (bytes: number | undefined): string =>
    (bytes === undefined ? '-' : (bytes / MIB).toFixed(1)).padStart(8);
  const lines = [`\n${name}: ${about}`];
  lines.push(
    '  new chunks (data)  of chunks   share |  MiB: ours    files   layers   casync   restic',
  );
  for (const step of steps) {
    const counts = `${step.newChunks} (${step.newDataChunks})`.padStart(19);
    const share = `${(step.newShare * 100).toFixed(1)} %`.padStart(8);
    const sizes = [step.newBytes, step.fileBytes, step.layerBytes, step.casyncBytes];
    const row = [...sizes, step.resticBytes].map(mib).join(' ');
    lines.push(`${counts} ${String(step.chunks).padStart(9)} ${share} |   ${row}  ${step.image}`);
  }
  if (steps.length > 2) {
    // The first version of an application brings all of it; what counts is the next one.
    const shares = steps.slice(1).map((step) => step.newShare * 100);
    const mean = shares.reduce((sum, share) => sum + share, 0) / shares.length;
    lines.push(
      `  after the first: mean ${mean.toFixed(1)} %, median ${medianOf(shares).toFixed(1)} %`,
    );
  }
  process.stdout.write(`${lines.join('\n')}\n`);
}
