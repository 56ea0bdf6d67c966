import type { Command } from 'commander';
import {
  changeSetting,
  ensureDataDirectory,
  readSettings,
  type Settings,
} from '../../config/mod.ts';
import { type CommonOptions, withDataOptions } from '../options.ts';
import { createOutput } from '../output.ts';

function describe(settings: Settings): string {
  return Object.entries(settings)
    .flatMap(([group, values]) =>
      Object.entries(values ?? {}).map(
        ([name, value]) => `${group}.${name} = ${JSON.stringify(value)}`,
      ),
    )
    .join('\n');
}

/** A word of the command line is JSON where it parses as JSON, else text. */
function parseWord(word: string): unknown {
  try {
    return JSON.parse(word);
  } catch {
    return word;
  }
}

/** Shows and sets what an operator may choose: where chunks rest, who keeps keys, what salts them. */
export function registerConfig(program: Command): void {
  const parent = program.command('config').description("shows and sets a region's settings");
  withDataOptions(parent.command('show').description('prints the settings in force')).action(
    (options: CommonOptions) => {
      const settings = readSettings(ensureDataDirectory(options.data).configFile);
      createOutput(options.json).answer(settings, describe(settings));
    },
  );
  const change = (options: CommonOptions, name: string, value: unknown) => {
    const { configFile } = ensureDataDirectory(options.data);
    const settings = changeSetting(configFile, name, value);
    createOutput(options.json).answer(settings, describe(settings));
  };
  const set = parent
    .command('set <name> <value>')
    .description(
      'sets one, such as salt.rotationDays 30, or a group, such as origin \'{"kind":…}\'',
    );
  withDataOptions(set).action((name: string, value: string, options: CommonOptions) =>
    change(options, name, parseWord(value)),
  );
  const unset = parent.command('unset <name>').description('puts one back to its default');
  withDataOptions(unset).action((name: string, options: CommonOptions) =>
    change(options, name, undefined),
  );
}
