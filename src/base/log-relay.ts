import { errorFields } from './error-fields.ts';
import { limits } from './limits.ts';
import type { LogFields, Logger } from './logger.ts';

type LogLevel = keyof Logger;

/** A line of a process's log on its way to the one that writes it: plain values. */
export interface LogEntry {
  readonly level: LogLevel;
  readonly fields: LogFields;
  readonly message: string;
}

/** Holds a process's log lines, up to a limit, until they are taken to the one that writes them. */
export class RelayLogger implements Logger {
  #entries: LogEntry[] = [];
  #dropped = 0;

  debug(): void {}

  info(fields: LogFields, message: string): void {
    this.#note('info', fields, message);
  }

  warn(fields: LogFields, message: string): void {
    this.#note('warn', fields, message);
  }

  error(fields: LogFields, message: string): void {
    this.#note('error', fields, message);
  }

  /** What was logged since the last call, and a line for what found no room. */
  take(): readonly LogEntry[] {
    const entries = this.#entries;
    if (this.#dropped > 0) {
      const fields = { dropped: this.#dropped };
      entries.push({ level: 'warn', fields, message: 'log lines were dropped: too many at once' });
    }
    this.#entries = [];
    this.#dropped = 0;
    return entries;
  }

  #note(level: LogLevel, fields: LogFields, message: string): void {
    if (this.#entries.length >= limits.relay.logLines) {
      this.#dropped++;
      return;
    }
    this.#entries.push({ level, fields: plain(fields), message });
  }
}

/** Writes relayed lines as `logger`'s own, with `fields` added to each. */
export function playLog(entries: readonly LogEntry[], logger: Logger, fields: LogFields): void {
  for (const entry of entries) logger[entry.level]({ ...entry.fields, ...fields }, entry.message);
}

/** An error becomes plain values before its own `toJSON` is asked. */
function plain(fields: LogFields): LogFields {
  const shown = Object.entries(fields).map(([name, value]) => [
    name,
    value instanceof Error ? errorFields(value) : value,
  ]);
  return JSON.parse(JSON.stringify(Object.fromEntries(shown))) as LogFields;
}
