import type { Command } from 'commander';
import { dataDirectory } from '../../config/mod.ts';
import { type CommonOptions, withDataOptions } from '../options.ts';
import { createOutput, formatTable } from '../output.ts';

const MS_PER_SECOND = 1000;

export function registerUsage(program: Command): void {
  const command = program
    .command('usage')
    .description('shows what each function used: invocations, GB-seconds, cold starts');
  withDataOptions(command).action(async (options: CommonOptions) => {
    const { readUsage } = await import('../../dispatch/mod.ts');
    const usage = await readUsage(dataDirectory(options.data).usageFile);
    const rows = usage.map((each) => [
      each.accountId,
      each.functionArn.split(':').slice(6).join(':') || each.functionArn,
      `${each.invocations}`,
      `${each.functionErrors}`,
      `${each.throttles}`,
      `${each.coldStarts}`,
      (each.gbMs / MS_PER_SECOND).toFixed(3),
    ]);
    const header = ['account', 'function', 'invocations', 'errors', 'throttles', 'cold', 'GB s'];
    const text = rows.length > 0 ? formatTable(header, rows) : 'nothing was invoked';
    createOutput(options.json).answer(usage, text);
  });
}
