import type { Command } from 'commander';
import { SluiceError } from '../base/mod.ts';
import type { L2Settings } from '../cache/mod.ts';

export interface L2Options {
  readonly l2?: string;
  readonly l2Code: string;
  readonly l2SecretFile?: string;
}

/** The options of every command that reads chunks: `up`, `worker`, `device serve`, `image add`. */
export function withL2Options(command: Command): Command {
  return command
    .option('--l2 <nodes>', "the zone's cache nodes: HOST:PORT,… or @FILE with one a line")
    .option('--l2-code <k+m>', 'how chunks are cut for them', '4+1')
    .option('--l2-secret-file <file>', 'secrets shared with them, one a line');
}

/** Undefined without `--l2`; rejects one without a secret file with `USAGE`. */
export function l2SettingsOf(options: L2Options): L2Settings | undefined {
  if (options.l2 === undefined) return undefined;
  if (options.l2SecretFile === undefined) {
    throw new SluiceError('USAGE', '--l2: cache nodes need --l2-secret-file beside it');
  }
  return { nodes: options.l2, code: options.l2Code, secretFile: options.l2SecretFile };
}
