import { type Command, InvalidArgumentError, Option } from 'commander';

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
