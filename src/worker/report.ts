import { type FunctionFailure, failureType } from './function-error.ts';

export interface InvokeReport {
  readonly requestId: string;
  readonly durationMs: number;
  readonly memoryMb: number;
  readonly maxMemoryMb: number;
  /** Only on the sandbox's first invoke. */
  readonly initMs?: number | undefined;
}

/** The REPORT line, tabs and all (contract 2.8). */
export function reportLine(report: InvokeReport, failure?: FunctionFailure): string {
  const parts = [
    `REPORT RequestId: ${report.requestId}`,
    `Duration: ${report.durationMs.toFixed(2)} ms`,
    `Billed Duration: ${Math.ceil(report.durationMs)} ms`,
    `Memory Size: ${report.memoryMb} MB`,
    `Max Memory Used: ${report.maxMemoryMb} MB`,
  ];
  if (report.initMs !== undefined) parts.push(`Init Duration: ${report.initMs.toFixed(2)} ms`);
  if (failure?.kind === 'timeout') parts.push('Status: timeout');
  else if (failure && failure.kind !== 'posted') {
    parts.push('Status: error', `Error Type: ${failureType(failure)}`);
  }
  return `${parts.join('\t')}\t`;
}
