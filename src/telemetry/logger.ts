import pino from 'pino';
import { errorFields, type Logger } from '../base/mod.ts';

export type LogLevel = 'debug' | 'info' | 'warn' | 'error' | 'silent';

/** Standard error, so that standard output stays the program's answer. */
const standardError = () => pino.destination({ dest: 2, sync: true });

/** JSON lines; what a line holds under `error` is written with its cause, whatever was thrown. */
export function createLogger(
  level: LogLevel,
  name: string,
  destination: { write(line: string): void } = standardError(),
): Logger {
  return pino(
    {
      ...{ level, name, base: { pid: process.pid }, timestamp: pino.stdTimeFunctions.isoTime },
      serializers: { error: (error: unknown) => errorFields(error) },
    },
    destination,
  );
}
