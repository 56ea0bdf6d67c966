import type { Command } from 'commander';
import { type CommonOptions, withDataOptions } from '../options.ts';
import { createOutput } from '../output.ts';

/** Whose a data directory and its origin are. */
export function registerRegion(program: Command): void {
  const parent = program.command('region').description('says whose a data directory is');
  const adopt = parent
    .command('adopt')
    .description(
      'makes one region of the state, keys and origin that are there: after a restore, a move, or a loss that is accepted',
    );
  withDataOptions(adopt).action(async (options: CommonOptions) => {
    const { adoptRegion } = await import('../../serve/mod.ts');
    const regionId = await adoptRegion(options.data);
    createOutput(options.json).answer({ regionId }, `this is region ${regionId} from now on`);
  });
}
