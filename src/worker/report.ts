import { MIB } from '../base/mod.ts';

export interface InvokeReport {
  readonly requestId: string;
  readonly durationMs: number;
  readonly memoryMb: number;
  readonly peakMemoryBytes: number;
  /** Only on the sandbox's first invoke. */
  readonly initMs?: number | undefined;
  readonly status?: 'timeout' | 'error' | undefined;
  readonly errorType?: string | undefined;
}

/** The REPORT line, tabs and all (contract 2.8). */
export function reportLine(report: InvokeReport): string {
  const parts = [
    `REPORT RequestId: ${report.requestId}`,
    `Duration: ${report.durationMs.toFixed(2)} ms`,
    `Billed Duration: ${Math.ceil(report.durationMs)} ms`,
    `Memory Size: ${report.memoryMb} MB`,
    `Max Memory Used: ${Math.ceil(report.peakMemoryBytes / MIB)} MB`,
  ];
  if (report.initMs !== undefined) parts.push(`Init Duration: ${report.initMs.toFixed(2)} ms`);
  if (report.status) parts.push(`Status: ${report.status}`);
  if (report.status === 'error' && report.errorType) parts.push(`Error Type: ${report.errorType}`);
  return `${parts.join('\t')}\t`;
}
