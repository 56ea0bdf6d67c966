import { createHash } from 'node:crypto';
import type { InitializationType } from '../assignment/mod.ts';
import { type FunctionFailure, failureType } from './function-error.ts';
import { type InvokeReport, reportLine } from './report.ts';
import type { SandboxTemplate } from './template.ts';

/** The detail of `SystemLogLevel`, least urgent first. */
export type SystemLogLevel = 'DEBUG' | 'INFO' | 'WARN';

/** Something that the platform has to tell of a sandbox (contract 2.7, 2.8). */
export interface PlatformRecord {
  readonly type: string;
  readonly record: Readonly<Record<string, unknown>>;
  readonly level: SystemLogLevel;
  /** The line of it in a log of format Text; absent: none. */
  readonly text?: string;
}

/** Init, or the init that an invoke has to wait for because the first ran out of time. */
export type InitPhase = 'init' | 'invoke';

type Status = 'success' | 'failure' | 'error' | 'timeout';

function statusOf(failure: FunctionFailure | undefined): Status {
  if (!failure) return 'success';
  if (failure.kind === 'timeout') return 'timeout';
  return failure.kind === 'posted' || failure.kind === 'oversize' ? 'error' : 'failure';
}

const typeOf = (failure: FunctionFailure | undefined) =>
  failure && failure.kind !== 'timeout' ? { errorType: failureType(failure) } : {};

/** What the owner of a function should know of its code. */
export function codeWarningEvent(message: string): PlatformRecord {
  return {
    type: 'platform.codeWarning',
    record: { message },
    level: 'WARN',
    text: `[WARNING]\t${message}`,
  };
}

export function initStartEvent(
  template: SandboxTemplate,
  initializationType: InitializationType,
  phase: InitPhase,
): PlatformRecord {
  const { functionName, version: functionVersion, region } = template;
  const runtimeVersion = template.runtime ?? 'image';
  const digest = createHash('sha256').update(runtimeVersion).digest('hex');
  const runtimeVersionArn = `arn:aws:lambda:${region}::runtime:${digest}`;
  const runtime = { runtimeVersion, runtimeVersionArn };
  return {
    type: 'platform.initStart',
    record: { initializationType, phase, ...runtime, functionName, functionVersion },
    level: 'INFO',
    text: `INIT_START Runtime Version: ${runtimeVersion}\tRuntime Version ARN: ${runtimeVersionArn}`,
  };
}

/** How an init ended: `platform.initRuntimeDone`, and the report of it. */
export function initDoneEvents(
  initializationType: InitializationType,
  phase: InitPhase,
  failure: FunctionFailure | undefined,
  durationMs: number,
): PlatformRecord[] {
  const status = statusOf(failure);
  const level = status === 'success' ? 'DEBUG' : 'WARN';
  const record = { initializationType, phase, status, ...typeOf(failure) };
  const parts = [`INIT_REPORT Init Duration: ${durationMs.toFixed(2)} ms`, `Phase: ${phase}`];
  if (failure?.kind === 'timeout') parts.push('Status: timeout');
  else if (failure) parts.push('Status: error', `Error Type: ${failureType(failure)}`);
  const report = { ...record, metrics: { durationMs: rounded(durationMs) } };
  return [
    { type: 'platform.initRuntimeDone', record, level },
    {
      type: 'platform.initReport',
      record: report,
      level,
      ...(failure && { text: parts.join('\t') }),
    },
  ];
}

export function startEvent(requestId: string, version: string): PlatformRecord {
  return {
    type: 'platform.start',
    record: { requestId, version },
    level: 'INFO',
    text: `START RequestId: ${requestId} Version: ${version}`,
  };
}

/** The end of an invoke: the runtime is done, the log of it ends, what it cost. */
export function invokeDoneEvents(
  report: InvokeReport,
  failure: FunctionFailure | undefined,
  producedBytes: number,
): PlatformRecord[] {
  const { requestId, durationMs, initMs } = report;
  const status = statusOf(failure);
  const outcome = { requestId, status, ...typeOf(failure) };
  const metrics = {
    durationMs: rounded(durationMs),
    billedDurationMs: Math.ceil(durationMs),
    memorySizeMB: report.memoryMb,
    maxMemoryUsedMB: report.maxMemoryMb,
    ...(initMs === undefined ? {} : { initDurationMs: rounded(initMs) }),
  };
  const done = { ...outcome, metrics: { durationMs: metrics.durationMs, producedBytes } };
  const unwell = status !== 'success';
  return [
    { type: 'platform.runtimeDone', record: done, level: unwell ? 'WARN' : 'DEBUG' },
    {
      type: 'platform.end',
      record: { requestId },
      level: 'DEBUG',
      text: `END RequestId: ${requestId}`,
    },
    {
      type: 'platform.report',
      record: { ...outcome, metrics },
      level: unwell ? 'WARN' : 'INFO',
      text: reportLine(report, failure),
    },
  ];
}

/** Printed lines that were not kept. */
export function logsDroppedEvent(text: string, droppedBytes: number): PlatformRecord {
  const record = { reason: text, droppedBytes };
  return { type: 'platform.logsDropped', record, level: 'WARN', text: `LOGS_DROPPED ${text}` };
}

/** What the Extensions and Telemetry APIs tell of an extension. */
export function extensionEvent(
  type: string,
  record: Readonly<Record<string, unknown>>,
): PlatformRecord {
  const subscribed = type === 'platform.telemetrySubscription';
  const list = (record[subscribed ? 'types' : 'events'] as readonly string[]).join(', ');
  const words = subscribed ? ['TELEMETRY', 'Types'] : ['EXTENSION', 'Events'];
  const facts = `Name: ${record['name']}\tState: ${record['state']}\t${words[1]}: [${list}]`;
  return { type, record, level: 'INFO', text: `${words[0]}\t${facts}` };
}

/** Milliseconds as Lambda records them. */
const rounded = (ms: number) => Math.round(ms * 1000) / 1000;
