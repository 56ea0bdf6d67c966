import type { Command } from 'commander';
import { formatBytes, formatShare, limits } from '../../base/mod.ts';
import type { ColdCacheDrill, ColdCacheDrillOptions } from '../../serve/mod.ts';
import { wholeNumber, withJsonOption } from '../options.ts';
import { createOutput, formatTable } from '../output.ts';

interface DrillOptions extends Omit<ColdCacheDrillOptions, 'sluice' | 'startLimit'> {
  readonly json: boolean;
  readonly starts: number;
}

const BAR_CHARS = 30;

/** Rehearses what goes wrong rarely and then at the worst of times. */
export function registerDrill(program: Command): void {
  const drill = program.command('drill').description('rehearses failures, on processes of its own');
  const command = drill
    .command('cold-cache')
    .description('empties L1 and L2 under a load of starts, with the start limit and without')
    .option(
      '--starts <n>',
      'cold starts at once',
      wholeNumber(1, limits.assignment.startsSettable),
      16,
    )
    .option('--invokes-per-second <n>', 'load', wholeNumber(1, 1000), 100)
    .option('--functions <n>', 'called ones, by a Zipf law', wholeNumber(1, 1000), 100)
    .option('--nodes <n>', 'cache nodes', wholeNumber(1, 32), 5)
    .option('--workers <n>', 'worker processes', wholeNumber(1, 32), 8)
    .option('--seconds <n>', 'longest time of a run', wholeNumber(1, limits.drill.seconds), 60)
    .option('--origin-ms <ms>', 'time of a get from the origin', wholeNumber(0, 10_000), 36)
    .option(
      '--origin-parallel <n>',
      'gets that the origin serves at once',
      wholeNumber(1, 1000),
      6,
    );
  withJsonOption(command).action(run);
}

async function run(options: DrillOptions): Promise<void> {
  const output = createOutput(options.json);
  const { coldCacheDrill } = await import('../../serve/mod.ts');
  const sluice = [process.execPath, ...process.execArgv, process.argv[1] ?? ''];
  const runs: ColdCacheDrill[] = [];
  for (const startLimit of [options.starts, undefined]) {
    output.note(`caches are filled, then emptied under load: ${nameOf(startLimit)}`);
    runs.push(await coldCacheDrill({ ...options, sluice, startLimit }));
  }
  output.answer({ runs }, describe(runs));
}

const nameOf = (startLimit: number | undefined) =>
  startLimit === undefined ? 'no limit' : `${startLimit} starts at once`;

function describe(runs: readonly ColdCacheDrill[]): string {
  const rows = runs.map((each) => [
    nameOf(each.startLimit),
    each.recoverySeconds === undefined
      ? `not in ${each.seconds.length} s`
      : `${each.recoverySeconds} s`,
    String(each.originPeakGetsPerSecond),
    `${formatBytes(each.originPeakBytesPerSecond)}/s`,
    String(each.originPeakWaiting),
    String(each.originGets),
    String(each.refused),
  ]);
  const header = [
    '',
    'recovered',
    'origin peak gets/s',
    'bytes/s',
    'in line',
    'gets',
    'refused (429)',
  ];
  return [...runs.map(drawAnswered), formatTable(header, rows)].join('\n\n');
}

function drawAnswered({ startLimit, seconds }: ColdCacheDrill): string {
  const lines = seconds.map(({ invokes, answered, originWaiting }, second) => {
    const share = invokes === 0 ? 1 : answered / invokes;
    const bar = '█'.repeat(Math.round(share * BAR_CHARS)).padEnd(BAR_CHARS);
    const at = String(second + 1).padStart(4);
    return `${at} s ${formatShare(share).padStart(7)}  ${bar}  ${originWaiting} in line at the origin`;
  });
  return [`${nameOf(startLimit)}: invokes answered in time`, ...lines].join('\n');
}
