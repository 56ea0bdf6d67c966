import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { runOrThrow } from './run.ts';
import { cachedByInputs } from './shared.ts';

const BUILD_TIMEOUT_MS = 1_800_000;

/** What `heavyImage` needs of the host. */
export const HEAVY_IMAGE_NEEDS = ['root', 'tool:mmdebstrap', 'tool:umoci'] as const;

/** Debian's packages of images that people bring for their weight; poppler reads the PDFs made. */
const packages = {
  chromium: ['chromium', 'fonts-dejavu-core', 'poppler-utils', 'python3-minimal', 'python3'],
  libreoffice: ['libreoffice-writer-nogui', 'fonts-dejavu-core', 'poppler-utils', 'python3'],
  science: ['python3-opencv', 'python3-pandas', 'python3-scipy', 'python3'],
} as const;

export type HeavyImage = keyof typeof packages;

/**
 * A Debian image with these packages and nothing of ours, by mmdebstrap and umoci; built once for
 * each form of this recipe and kept, with Debian's packages of that day. Answers its OCI layout,
 * to which nobody writes.
 */
export async function heavyImage(name: HeavyImage): Promise<string> {
  const inputs = [readFileSync(import.meta.filename, 'utf8'), name, process.arch];
  const kept = await cachedByInputs(`heavy-${name}`, inputs, async (directory) => {
    const work = mkdtempSync(join(tmpdir(), 'sluice-heavy-'));
    try {
      await build(join(directory, 'layout'), join(work, 'base.tar'), packages[name]);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
  return join(kept, 'layout');
}

async function build(layout: string, base: string, include: readonly string[]): Promise<void> {
  const leftOut = ['doc', 'man', 'locale', 'info'].map(
    (directory) => `--dpkgopt=path-exclude=/usr/share/${directory}/*`,
  );
  const what = ['--quiet', '--variant=minbase', ...leftOut, `--include=${include.join(',')}`];
  await runOrThrow('mmdebstrap', [...what, 'bookworm', base], { timeoutMs: BUILD_TIMEOUT_MS });
  const image = `${layout}:latest`;
  await runOrThrow('umoci', ['init', '--layout', layout]);
  await runOrThrow('umoci', ['new', '--image', image]);
  await runOrThrow('umoci', ['raw', 'add-layer', '--image', image, base], {
    timeoutMs: BUILD_TIMEOUT_MS,
  });
}
