import pino from 'pino';
import type { Logger } from '../base/mod.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** JSON lines on standard error, so that standard output stays the program's answer. */
export function createLogger(level: LogLevel, name: string): Logger {
  const destination = pino.destination({ dest: 2, sync: true });
  return pino(
    { level, name, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
    destination,
  );
}
