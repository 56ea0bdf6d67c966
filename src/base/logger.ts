export type LogFields = Readonly<Record<string, unknown>>;

/** What the operator reads. Never a key, a signature or an event's payload. */
export interface Logger {
  debug(fields: LogFields, message: string): void;
  info(fields: LogFields, message: string): void;
  warn(fields: LogFields, message: string): void;
  error(fields: LogFields, message: string): void;
}

const nothing = () => {};

export const noLogger: Logger = { debug: nothing, info: nothing, warn: nothing, error: nothing };
