import { type ErrorCode, isSluiceError, type SluiceError } from '../base/mod.ts';

/**
 * The exceptions of Lambda's API that this frontend raises, with their HTTP status (the service
 * model; the last group is sent by the service without being in the model).
 */
const statusOf = {
  CodeStorageExceededException: 400,
  InvalidParameterValueException: 400,
  InvalidRequestContentException: 400,
  KMSAccessDeniedException: 502,
  KMSDisabledException: 502,
  KMSNotFoundException: 502,
  PolicyLengthExceededException: 400,
  PreconditionFailedException: 412,
  ProvisionedConcurrencyConfigNotFoundException: 404,
  RequestTooLargeException: 413,
  ResourceConflictException: 409,
  ResourceInUseException: 400,
  ResourceNotFoundException: 404,
  ServiceException: 500,
  TooManyRequestsException: 429,

  AccessDeniedException: 403,
  IncompleteSignatureException: 403,
  InvalidSignatureException: 403,
  MissingAuthenticationTokenException: 403,
  RequestEntityTooLargeException: 413,
  SerializationException: 400,
  UnknownOperationException: 404,
  UnrecognizedClientException: 403,
  ValidationException: 400,
} as const;

export type ExceptionName = keyof typeof statusOf;

export interface ApiErrorOptions {
  /** Sent as `Reason` with 429, one of the model's ThrottleReason values. */
  readonly reason?: string;
  readonly cause?: unknown;
}

/** An answer other than success, as the API's clients know it. Never leaves this folder. */
export class ApiError extends Error {
  readonly exception: ExceptionName;
  readonly reason: string | undefined;

  constructor(exception: ExceptionName, message: string, options: ApiErrorOptions = {}) {
    super(message, options.cause === undefined ? undefined : { cause: options.cause });
    this.exception = exception;
    this.reason = options.reason;
  }

  get status(): number {
    return statusOf[this.exception];
  }

  /** Both casings of the message: the model gives some exceptions one and some the other. */
  body(): string {
    return JSON.stringify({
      ...(this.reason === undefined ? {} : { Reason: this.reason }),
      Type: this.status >= 500 ? 'Service' : 'User',
      Message: this.message,
      message: this.message,
    });
  }
}

export function isApiError(error: unknown, exception?: ExceptionName): error is ApiError {
  return error instanceof ApiError && (exception === undefined || error.exception === exception);
}

export const invalidParameter = (message: string) =>
  new ApiError('InvalidParameterValueException', message);

export const notFound = (message: string) => new ApiError('ResourceNotFoundException', message);

export const conflict = (message: string) => new ApiError('ResourceConflictException', message);

const throttleReasons: Partial<Record<ErrorCode, string>> = {
  CONCURRENCY_LIMIT_EXCEEDED: 'ConcurrentInvocationLimitExceeded',
  START_LIMIT_EXCEEDED: 'ConcurrentInvocationLimitExceeded',
  OVERLOADED: 'CallerRateLimitExceeded',
};

const exceptionOf: Partial<Record<ErrorCode, ExceptionName>> = {
  KEY_NOT_FOUND: 'KMSNotFoundException',
  KEY_DISABLED: 'KMSDisabledException',
  KEY_DENIED: 'KMSAccessDeniedException',
};

/**
 * The answer to anything thrown. What is ours to mend shows only that it is: its message may name
 * paths and hosts that are none of the caller's business, and goes to the operator's log instead.
 */
export function toApiError(error: unknown): ApiError {
  if (error instanceof ApiError) return error;
  if (isSluiceError(error)) {
    const throttled = throttleReasons[error.code];
    if (throttled !== undefined) return throttle(error, throttled);
    const told = toldOfCatalogue(error);
    if (told !== undefined) return told;
    const exception = exceptionOf[error.code];
    if (exception !== undefined) return new ApiError(exception, error.message, { cause: error });
  }
  const message = isSluiceError(error, 'ORIGIN_UNAVAILABLE')
    ? 'The store of functions’ code does not answer. Please retry.'
    : 'The service encountered an internal error. Please retry.';
  return new ApiError('ServiceException', message, { cause: error });
}

/** The API's words for a name that leads nowhere, or to something that cannot run yet. */
function toldOfCatalogue(error: SluiceError): ApiError | undefined {
  const { arn, state } = error.data;
  if (error.code === 'FUNCTION_NOT_FOUND' && arn !== undefined) {
    return notFound(`Function not found: ${arn}`);
  }
  if (error.code !== 'FUNCTION_NOT_READY') return undefined;
  return conflict(
    'The operation cannot be performed at this time. The function is currently in the ' +
      `following state: ${state}`,
  );
}

function throttle(error: SluiceError, fallback: string): ApiError {
  const given = error.data['reason'];
  const reason = typeof given === 'string' ? given : fallback;
  return new ApiError('TooManyRequestsException', 'Rate Exceeded.', { reason, cause: error });
}
