import { cpSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { formatTable } from '../src/cli/mod.ts';
import { writeImageLayout } from '../src/oci/mod.ts';
import {
  damages,
  judgeStart,
  makeDataDirectory,
  startFiles,
} from '../test/support/damaged-files.ts';
import { scratchDirectory } from '../test/support/temporary.ts';

export const title = 'a start on each file damaged in each way: served, refused by name, or worse';

export const takes = { options: { file: { type: 'string' }, few: { type: 'boolean' } } } as const;

const few = new Set(['empty', 'truncated', 'flipped', 'deleted']);

/** `--file WORD` for files with that word only; `--few` for the commonest damages. */
export async function run(flags: readonly string[]): Promise<unknown> {
  const at = flags.indexOf('--file');
  const word = at < 0 ? '' : (flags[at + 1] ?? '');
  const scratch = scratchDirectory('bench-damage');
  const chosen = Object.entries(damages).filter(
    ([name]) => !flags.includes('--few') || few.has(name),
  );
  const verdicts: Record<string, Record<string, string>> = {};
  try {
    const layout = join(scratch.path, 'layout');
    await writeImageLayout(layout, {
      config: { cmd: ['run'] },
      layers: [
        { compression: 'none', write: (tar) => tar.add({ path: 'file' }, Buffer.from('small')) },
      ],
    });
    const base = join(scratch.path, 'base');
    // Killed, so that the databases' logs are there and hold what was acknowledged.
    await makeDataDirectory(base, `oci:${layout}`, 'kill');
    for (const file of startFiles(base).filter((each) => each.includes(word))) {
      for (const [damage, apply] of chosen) {
        const data = join(scratch.path, 'data');
        cpSync(base, data, { recursive: true });
        apply(join(data, file));
        const verdict = await judgeStart(data, file).catch(
          (error: Error) => `WORSE: ${error.message}`,
        );
        verdicts[file] = { ...verdicts[file], [damage]: verdict };
        if (verdict.startsWith('WORSE')) process.stderr.write(`${file}, ${damage}: ${verdict}\n`);
        rmSync(data, { recursive: true, force: true });
      }
    }
  } finally {
    scratch.remove();
  }
  const names = chosen.map(([name]) => name);
  const rows = Object.entries(verdicts).map(([file, found]) => [
    file,
    ...names.map((name) => found[name]?.slice(0, 7) ?? ''),
  ]);
  process.stdout.write(`${formatTable(['file', ...names], rows)}\n`);
  return verdicts;
}
