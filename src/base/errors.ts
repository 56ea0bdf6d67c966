import { type ErrorCode, errorCatalogue } from './error-catalogue.ts';

export type Fault = 'caller' | 'us' | 'dependency';

/** What every error code answers, so that nobody has to read its message. */
export interface ErrorTraits {
  /** May the same call succeed later without anybody changing it? */
  readonly retryable: boolean;
  /** Whose fault it is: the caller's input, a defect of ours, or something that we depend on. */
  readonly fault: Fault;
  readonly httpStatus: number;
}

/** JSON-able facts about the failure (paths, digests, sizes); no secrets. */
export type ErrorData = Readonly<Record<string, string | number | boolean | null | undefined>>;

/**
 * The only error class that crosses a folder's door. `message` starts with the path, reference or
 * id that it is about and says what to do where that is known; programs read `code` and `data`.
 */
export class SluiceError extends Error {
  readonly code: ErrorCode;
  readonly data: ErrorData;

  constructor(
    code: ErrorCode,
    message: string,
    options: { data?: ErrorData; cause?: unknown } = {},
  ) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.name = 'SluiceError';
    this.code = code;
    this.data = options.data ?? {};
  }

  get traits(): ErrorTraits {
    return errorCatalogue[this.code];
  }

  toJSON(): WireError {
    return { code: this.code, message: this.message, data: this.data };
  }

  /** The error that another thread or process ran into, as it told it. */
  static of({ code, message, data }: WireError): SluiceError {
    return new SluiceError(code, message, { data });
  }
}

/** What of an error crosses a thread or a process: all but its stack and its cause. */
export interface WireError {
  readonly code: ErrorCode;
  readonly message: string;
  readonly data: ErrorData;
}

export function isSluiceError(error: unknown, code?: ErrorCode): error is SluiceError {
  return error instanceof SluiceError && (code === undefined || error.code === code);
}

/** The `code` of a Node system error (`ENOENT`, `ENOSPC`, …), if it is one. */
export function systemErrorCode(error: unknown): string | undefined {
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Wraps anything thrown into a `SluiceError`; one that already is passes through. */
export function toSluiceError(error: unknown, fallback: ErrorCode = 'INTERNAL'): SluiceError {
  if (error instanceof SluiceError) return error;
  const message = error instanceof Error ? error.message : String(error);
  if (systemErrorCode(error) === 'ENOSPC') {
    return new SluiceError('DISK_FULL', message, { cause: error });
  }
  return new SluiceError(fallback, message, { cause: error });
}
