import { formatBytes, systemClock } from '../base/mod.ts';
import type { ImageProgress } from '../image/mod.ts';
import type { Output } from './output.ts';

const REDRAW_MS = 100;
const BAR_CELLS = 24;

export interface ProgressView {
  readonly update: (progress: ImageProgress) => void;
  readonly end: () => void;
}

function bar(share: number): string {
  const full = Math.round(Math.min(1, Math.max(0, share)) * BAR_CELLS);
  return `${'█'.repeat(full)}${'░'.repeat(BAR_CELLS - full)}`;
}

/** A line that redraws itself on a terminal, JSON events with `--json`, and silence in a pipe. */
export function showProgress(output: Output): ProgressView {
  const startMs = systemClock.monotonicMs();
  let drawnMs = Number.NEGATIVE_INFINITY;
  const due = () => {
    const nowMs = systemClock.monotonicMs();
    if (nowMs - drawnMs < REDRAW_MS) return false;
    drawnMs = nowMs;
    return true;
  };
  if (output.json) {
    return {
      update: (progress) => {
        if (due()) process.stderr.write(`${JSON.stringify({ event: 'progress', ...progress })}\n`);
      },
      end: () => {},
    };
  }
  if (!output.interactive) return { update: () => {}, end: () => {} };
  return {
    update: (progress) => {
      if (!due()) return;
      const seconds = Math.max(0.001, (systemClock.monotonicMs() - startMs) / 1000);
      const rate = `${(progress.bytesDone / 1e6 / seconds).toFixed(0)} MB/s`;
      const dedup =
        progress.chunks > 0 ? `, ${progress.newChunks} of ${progress.chunks} chunks new` : '';
      const share = progress.bytesTotal > 0 ? progress.bytesDone / progress.bytesTotal : 0;
      const text = `${progress.phase} ${bar(share)} ${formatBytes(progress.bytesDone)} ${rate}${dedup}`;
      process.stderr.write(`\r\u001b[2K${text}`);
    },
    end: () => process.stderr.write('\r\u001b[2K'),
  };
}
