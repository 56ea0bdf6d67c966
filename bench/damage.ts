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

export const takes = { options: { file: { type: 'string' } } } as const;

/** `--file WORD` for files with that word only. */
export async function run(flags: readonly string[]): Promise<unknown> {
  const at = flags.indexOf('--file');
  const word = at < 0 ? '' : (flags[at + 1] ?? '');
  const scratch = scratchDirectory('bench-damage');
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
    await makeDataDirectory(base, `oci:${layout}`, 'stop');
    rmSync(join(base, 'cache'), { recursive: true, force: true });
    for (const file of startFiles(base).filter((each) => each.includes(word))) {
      for (const [damage, apply] of Object.entries(damages)) {
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
  const names = Object.keys(damages);
  const rows = Object.entries(verdicts).map(([file, found]) => [
    file,
    ...names.map((name) => found[name]?.slice(0, 7) ?? ''),
  ]);
  process.stdout.write(`${formatTable(['file', ...names], rows)}\n`);
  return verdicts;
}
