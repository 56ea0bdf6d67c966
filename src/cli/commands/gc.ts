import type { Command } from 'commander';
import { formatBytes } from '../../base/mod.ts';
import type { CollectorStatus, GarbageCollector } from '../../gc/mod.ts';
import { type CommonOptions, wholeNumber, withDataOptions } from '../options.ts';
import { createOutput, formatTable, type Output } from '../output.ts';

type Step = (collector: GarbageCollector, output: Output) => Promise<void>;

interface StepOptions extends CommonOptions {
  readonly settleSeconds?: number;
  readonly dwellSeconds?: number;
}

const YEAR_SECONDS = 365 * 24 * 3600;

function addStep(parent: Command, name: string, description: string, step: Step): Command {
  const command = parent.command(name).description(description);
  return withDataOptions(command).action(async (options: StepOptions) => {
    const { openCollector } = await import('../../serve/mod.ts');
    const { settleSeconds, dwellSeconds } = options;
    const { collector, close } = await openCollector(options.data, {
      ...(settleSeconds !== undefined && { settleMs: settleSeconds * 1000 }),
      ...(dwellSeconds !== undefined && { dwellMs: dwellSeconds * 1000 }),
    });
    try {
      await step(collector, createOutput(options.json));
    } finally {
      await close();
    }
  });
}

const time = (ms: number) => new Date(ms).toISOString().slice(0, 19);

function describeStatus(status: CollectorStatus): string {
  const rows = status.roots.map((root) => [
    root.rootId,
    root.state,
    root.sinceMs === undefined ? '' : time(root.sinceMs),
    `${root.manifests}`,
    `${root.liveManifests}`,
    `${root.chunks}`,
    formatBytes(root.bytes),
    `${root.alarms}`,
  ]);
  const header = ['root', 'state', 'since', 'manifests', 'live', 'chunks', 'bytes', 'alarms'];
  const lines = [rows.length > 0 ? formatTable(header, rows) : 'no roots'];
  if (status.deletionStopped) lines.push('deletion is stopped: somebody read from an expired root');
  if (status.lost.length > 0)
    lines.push(`live manifests that no root has: ${status.lost.join(', ')}`);
  return lines.join('\n');
}

function waitingText(roots: readonly { rootId: string; readyAtMs: number }[]): string[] {
  return roots.map(({ rootId, readyAtMs }) => `${rootId} waits until ${time(readyAtMs)}`);
}

export function registerGc(program: Command): void {
  const gc = program.command('gc').description('collects garbage, root by root');
  addStep(
    gc,
    'status',
    'shows roots, what is live in them, and alarms',
    async (collector, output) => {
      const status = await collector.status();
      output.answer(status, describeStatus(status));
    },
  );
  addStep(
    gc,
    'rotate',
    'makes a new active root and retires the old',
    async (collector, output) => {
      const rootId = await collector.rotate();
      output.answer({ rootId }, `${rootId} is active`);
    },
  );
  addStep(gc, 'migrate', 'copies what is live into the active root', async (collector, output) => {
    const report = await collector.migrate();
    const text = `${report.manifestsCopied} manifests, ${report.chunksCopied} chunks, ${formatBytes(report.bytesCopied)} copied`;
    output.answer(report, text);
  });
  addStep(
    gc,
    'expire',
    'expires retired roots that nothing live needs',
    async (collector, output) => {
      const report = await collector.expire();
      const lines = [
        ...report.expired.map((rootId) => `${rootId} is expired`),
        ...waitingText(report.waiting),
        ...report.referenced.map(
          ({ rootId, manifests }) => `${rootId} has ${manifests} live manifests; run gc migrate`,
        ),
      ];
      output.answer(report, lines.join('\n') || 'nothing to expire');
    },
  ).option(
    '--settle-seconds <n>',
    'how long a root must have been retired (default: an hour)',
    wholeNumber(0, YEAR_SECONDS),
  );
  addStep(
    gc,
    'delete',
    'deletes expired roots after their dwell time',
    async (collector, output) => {
      const report = await collector.delete();
      const lines = [
        ...report.deleted.map((rootId) => `${rootId} is deleted`),
        ...waitingText(report.waiting),
      ];
      output.answer(report, lines.join('\n') || 'nothing to delete');
    },
  ).option(
    '--dwell-seconds <n>',
    'how long a root must have been expired (default: a week)',
    wholeNumber(0, YEAR_SECONDS),
  );
  addStep(gc, 'resume', 'clears the alarms, so that delete may run', async (collector, output) => {
    const report = await collector.resume();
    output.answer(report, `${report.alarmsCleared} alarms cleared`);
  });
}
