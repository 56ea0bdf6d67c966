import { type Command, InvalidArgumentError, Option } from 'commander';
import { SluiceError } from '../base/mod.ts';
import type { L2Settings } from '../cache/mod.ts';

export interface CommonOptions {
  readonly data: string;
  readonly json: boolean;
}

/** The options that every command with a data directory has. */
export function withDataOptions(command: Command): Command {
  return withJsonOption(command).addOption(
    new Option('--data <dir>', 'data directory of the region')
      .default('./.sluice')
      .env('SLUICE_DATA'),
  );
}

export function withJsonOption(command: Command): Command {
  return command.option('--json', 'print JSON for programs', false);
}

export interface L2Flags {
  readonly l2?: string;
  readonly l2Code: string;
  readonly l2SecretFile?: string;
}

/** The zone's shared cache, for commands whose agents read through it. */
export function withL2Options(command: Command): Command {
  return command
    .option('--l2 <nodes>', 'cache nodes: HOST:PORT,HOST:PORT,… or @FILE with one a line')
    .option('--l2-code <k+m>', 'stripes of a chunk, and how many of them may be lost', '4+1')
    .option('--l2-secret-file <file>', 'secrets shared with the cache nodes, one a line');
}

/** What `--l2…` says, or undefined without `--l2`. Throws `USAGE` for one without the other. */
export function l2Settings(options: L2Flags): L2Settings | undefined {
  const { l2: nodes, l2Code: code, l2SecretFile: secretFile } = options;
  if (nodes === undefined && secretFile === undefined) return undefined;
  if (nodes === undefined || secretFile === undefined) {
    throw new SluiceError('USAGE', '--l2 and --l2-secret-file: give both or neither');
  }
  return { nodes, code, secretFile };
}

/** Parses a whole number between bounds for commander. */
export function wholeNumber(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!Number.isInteger(value) || value < min || value > max) {
      throw new InvalidArgumentError(`a whole number from ${min} to ${max} is wanted`);
    }
    return value;
  };
}

/** `HOST:PORT`, `[::1]:PORT` or `PORT`; port 0 lets the kernel choose. */
export function listenAddress(text: string): { host: string; port: number } {
  const match = /^(?:(\[[0-9a-fA-F:]+\]|[^:]+):)?(\d{1,5})$/.exec(text);
  const port = Number(match?.[2]);
  if (!match || port > 65_535) throw new InvalidArgumentError('HOST:PORT is wanted');
  return { host: (match[1] ?? '127.0.0.1').replace(/^\[|\]$/g, ''), port };
}
