import type { Command } from 'commander';
import { type CommonOptions, withDataOptions } from '../options.ts';
import { createOutput } from '../output.ts';
import { untilSignalled, untilSignalledOrDead } from '../signals.ts';

interface MountOptions extends CommonOptions {
  readonly readOnly: boolean;
}

export function registerImageMount(parent: Command): void {
  const command = parent
    .command('mount <id> <dir>')
    .description('mounts the disk of a stored image until SIGTERM or Ctrl-C, loading what is read')
    .option('--read-only', 'refuse writes; otherwise they go to an overlay that is dropped', false);
  withDataOptions(command).action(async (id: string, directory: string, options: MountOptions) => {
    const output = createOutput(options.json);
    const signalled = untilSignalled();
    const { mountImage } = await import('../../serve/mod.ts');
    const mounted = await mountImage(options.data, id, directory, options.readOnly);
    output.answer(
      { event: 'ready', manifestId: id, directory },
      `${id} is mounted on ${directory}; Ctrl-C unmounts it`,
    );
    try {
      await untilSignalledOrDead(signalled, mounted.died);
    } finally {
      const stats = await mounted.unmount();
      output.answer({ event: 'unmounted', stats }, `unmounted ${directory}`);
    }
  });
}
