import type { Command } from 'commander';
import { systemClock } from '../../base/mod.ts';
import { dataDirectory, defaultAccountId } from '../../config/mod.ts';
import { type CommonOptions, wholeNumber, withDataOptions } from '../options.ts';
import { createOutput, paint } from '../output.ts';
import { untilSignalled } from '../signals.ts';

interface LogsOptions extends CommonOptions {
  readonly follow: boolean;
  readonly last: number;
  readonly account: string;
  readonly group?: string;
}

const LINES_MAX = 1_000_000;

/** The platform's own lines step back; what a runtime calls an error stands out. */
function painted(text: string): string {
  if (/^(INIT_START|START|END|REPORT) /.test(text)) return paint('dim', text);
  return /^\[ERROR\]|\tERROR\t|Task timed out/.test(text) ? paint('red', text) : text;
}

export function registerLogs(program: Command): void {
  const command = program
    .command('logs <name>')
    .description("prints the end of a function's log")
    .option('-f, --follow', 'go on as lines are written, until Ctrl-C', false)
    .option('-n, --last <n>', 'how many of the last lines', wholeNumber(0, LINES_MAX), 100)
    .option('--group <name>', "the log group, if the function's LoggingConfig names one")
    .option('--account <id>', 'the account of the function', defaultAccountId);
  withDataOptions(command).action(async (name: string, options: LogsOptions) => {
    const { readLog } = await import('../../worker/mod.ts');
    const output = createOutput(options.json);
    const ended = new AbortController();
    void untilSignalled().then(() => ended.abort());
    const damaged = new Map<string, number>();
    const lines = readLog({
      directory: dataDirectory(options.data).logs,
      accountId: options.account,
      logGroup: options.group ?? `/aws/lambda/${name}`,
      last: options.last,
      follow: options.follow,
      clock: systemClock,
      signal: ended.signal,
      onDamaged: (path) => damaged.set(path, (damaged.get(path) ?? 0) + 1),
    });
    for await (const line of lines) {
      const time = new Date(line.timeEpochMs).toISOString();
      const text = line.text.trimEnd();
      output.answer({ ...line, time }, `${paint('dim', time)} ${painted(text)}`);
    }
    for (const [path, count] of damaged) output.note(`${path}: ${count} lines cannot be read`);
  });
}
