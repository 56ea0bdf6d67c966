import { type ParseArgsConfig, parseArgs } from 'node:util';

/** What a benchmark may be asked for, besides to run. */
export interface Asked {
  readonly options?: ParseArgsConfig['options'];
  /** Words that it knows; `number` for one number. */
  readonly words?: readonly string[] | 'number';
}

export interface Benchmark {
  readonly title: string;
  readonly takes?: Asked;
  /** Runs and answers what goes into the JSON file; prints its own table. */
  run(flags: readonly string[]): Promise<unknown>;
}

/** Why a benchmark cannot be asked for that; undefined if it can. */
export function refusal({ takes = {} }: Benchmark, flags: readonly string[]): string | undefined {
  const { options = {}, words = [] } = takes;
  try {
    const { positionals } = parseArgs({
      args: [...flags],
      options,
      allowPositionals: true,
      strict: true,
    });
    const isKnown = (word: string) =>
      words === 'number' ? /^[1-9]\d*$/.test(word) : words.includes(word);
    const unknown = positionals.find((word) => !isKnown(word));
    return unknown === undefined ? undefined : `it does not know “${unknown}”`;
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

/** One line: how a benchmark is asked. */
export function usageOf(name: string, { takes = {} }: Benchmark): string {
  const { options = {}, words = [] } = takes;
  const flags = Object.entries(options).map(([flag, { type }]) =>
    type === 'boolean' ? `[--${flag}]` : `[--${flag} VALUE]`,
  );
  const rest = words === 'number' ? ['[NUMBER]'] : words.map((word) => `[${word}]`);
  return ['npm run bench --', name, ...flags, ...rest].join(' ');
}
