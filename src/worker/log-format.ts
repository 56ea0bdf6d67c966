import type { PlatformRecord, SystemLogLevel } from './platform-events.ts';
import type { SandboxTemplate } from './template.ts';

/** Urgency of the levels of `ApplicationLogLevel` and `SystemLogLevel`. */
const urgency: Readonly<Record<string, number>> = {
  TRACE: 0,
  DEBUG: 1,
  INFO: 2,
  WARN: 3,
  ERROR: 4,
  FATAL: 5,
};

/** What of a sandbox goes to its log, and in which form (the function's LoggingConfig). */
export class LogFormat {
  readonly isJson: boolean;
  readonly #application: number;
  readonly #system: number;

  constructor({ logFormat, applicationLogLevel, systemLogLevel }: SandboxTemplate) {
    this.isJson = logFormat === 'JSON';
    this.#application = urgency[applicationLogLevel ?? 'INFO'] ?? 0;
    this.#system = urgency[systemLogLevel ?? 'INFO'] ?? 0;
  }

  /** The line of a platform event, if it has one. */
  platformLine(event: PlatformRecord, time: string): string | undefined {
    if (!this.isJson) return event.text;
    if (event.type === 'platform.end' || this.#below(event.level)) return undefined;
    return JSON.stringify({ time, type: event.type, record: event.record });
  }

  /** What a printed line is to telemetry: an object where it is one; and whether it is kept. */
  applicationLine(text: string): { readonly record: unknown; readonly kept: boolean } {
    const record = this.isJson ? parseObject(text) : undefined;
    if (record === undefined) return { record: text, kept: true };
    const level = record['level'];
    const rank = typeof level === 'string' ? urgency[level.toUpperCase()] : undefined;
    return { record, kept: rank === undefined || rank >= this.#application };
  }

  #below(level: SystemLogLevel): boolean {
    return (urgency[level] ?? 0) < this.#system;
  }
}

function parseObject(text: string): Record<string, unknown> | undefined {
  if (!text.startsWith('{')) return undefined;
  try {
    return JSON.parse(text) as Record<string, unknown>;
  } catch {
    return undefined;
  }
}
