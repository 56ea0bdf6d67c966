import type { ErrorTraits } from './errors.ts';

const callerFault = (httpStatus = 400): ErrorTraits => ({
  retryable: false,
  fault: 'caller',
  httpStatus,
});
const ourFault = (httpStatus = 500): ErrorTraits => ({ retryable: false, fault: 'us', httpStatus });
const transient = (httpStatus = 503): ErrorTraits => ({
  retryable: true,
  fault: 'dependency',
  httpStatus,
});
const dependencyFault = (httpStatus = 502): ErrorTraits => ({
  retryable: false,
  fault: 'dependency',
  httpStatus,
});

/**
 * Every error code of Sluice with its answers to the three questions: may it be retried, whose
 * fault is it, which HTTP status does it carry. Sorted by the domain that raises it.
 */
export const errorCatalogue = {
  // base
  INTERNAL: ourFault(),
  USAGE: callerFault(),
  DEADLINE_EXCEEDED: transient(504),
  CANCELLED: { retryable: true, fault: 'caller', httpStatus: 499 },
  OVERLOADED: { retryable: true, fault: 'us', httpStatus: 503 },
  DISK_FULL: { retryable: true, fault: 'dependency', httpStatus: 507 },
  HOST_LACKS: dependencyFault(500),

  // oci
  IMAGE_REFERENCE_INVALID: callerFault(),
  IMAGE_NOT_FOUND: callerFault(404),
  IMAGE_PLATFORM_MISSING: callerFault(),
  IMAGE_MEDIA_TYPE_UNKNOWN: callerFault(415),
  IMAGE_COMPRESSION_UNKNOWN: callerFault(415),
  IMAGE_MALFORMED: callerFault(),
  IMAGE_DIGEST_MISMATCH: callerFault(),
  IMAGE_LAYER_TRUNCATED: callerFault(),
  IMAGE_LAYER_CORRUPT: callerFault(),
  IMAGE_ENTRY_INVALID: callerFault(),
  IMAGE_PATH_ESCAPES: callerFault(),
  IMAGE_TOO_LARGE: callerFault(413),
  IMAGE_IN_USE: callerFault(409),
  FLATTENER_DIED: { retryable: true, fault: 'us', httpStatus: 500 },
  REGISTRY_DENIED: callerFault(403),
  REGISTRY_UNAVAILABLE: transient(),

  // zip
  CODE_INVALID: callerFault(),
  CODE_TOO_LARGE: callerFault(),

  // ext4
  DISK_MALFORMED: ourFault(),

  // seal
  MANIFEST_MALFORMED: dependencyFault(),
  MANIFEST_VERSION_UNKNOWN: dependencyFault(),
  MANIFEST_TAMPERED: dependencyFault(),
  KEY_NOT_FOUND: dependencyFault(),
  KEY_DISABLED: dependencyFault(),
  KEY_DENIED: dependencyFault(),
  KEY_SERVICE_UNAVAILABLE: transient(),

  // origin, gc
  CHUNK_MISSING: dependencyFault(404),
  CHUNK_CORRUPT: dependencyFault(),
  MANIFEST_NOT_FOUND: callerFault(404),
  ROOT_NOT_FOUND: callerFault(404),
  ROOT_READ_ONLY: callerFault(409),
  ROOT_STILL_REFERENCED: callerFault(409),
  DELETION_STOPPED: callerFault(409),
  ORIGIN_UNAVAILABLE: transient(),
  ACCESS_DENIED: callerFault(403),

  // cache
  STRIPE_REJECTED: callerFault(422),

  // device, fuse, nbd
  DEVICE_CLOSED: ourFault(),
  DEVICE_FULL: callerFault(507),
  AGENT_DIED: { retryable: true, fault: 'us', httpStatus: 500 },
  PROTOCOL_VIOLATION: ourFault(),

  // functions, journal, queue
  STORE_CORRUPT: ourFault(),
  STORE_UNAVAILABLE: transient(500),
  STORE_CONFLICT: { retryable: true, fault: 'caller', httpStatus: 409 },
  FUNCTION_NOT_FOUND: callerFault(404),
  FUNCTION_EXISTS: callerFault(409),
  FUNCTION_NOT_READY: { retryable: true, fault: 'caller', httpStatus: 409 },
  FUNCTION_BUSY: { retryable: true, fault: 'caller', httpStatus: 409 },
  REVISION_MISMATCH: callerFault(412),
  MAPPING_NOT_FOUND: callerFault(404),
  MAPPING_EXISTS: callerFault(409),
  EVENT_PATTERN_INVALID: callerFault(),
  QUEUE_NOT_FOUND: callerFault(404),
  QUEUE_DENIED: dependencyFault(),
  QUEUE_SERVICE_UNAVAILABLE: transient(),
  CODE_NOT_FOUND: callerFault(404),
  ACCOUNT_EXISTS: callerFault(409),
  ACCOUNT_NOT_FOUND: callerFault(404),

  // runtime, isolation, worker, assignment
  ISOLATION_LACKS: ourFault(501),
  SANDBOX_START_FAILED: { retryable: true, fault: 'us', httpStatus: 500 },
  START_LIMIT_EXCEEDED: { retryable: true, fault: 'caller', httpStatus: 429 },
  CONCURRENCY_LIMIT_EXCEEDED: { retryable: true, fault: 'caller', httpStatus: 429 },
  /** The worker did not take the event: it has not run, and may be sent elsewhere. */
  LEASE_REFUSED: { retryable: true, fault: 'us', httpStatus: 503 },
  /** The worker took the event, and its answer will not come: it may have run. */
  INVOKE_LOST: ourFault(),

  // serve, cli
  DATA_DIRECTORY_LOCKED: callerFault(409),
  REGION_MISMATCH: callerFault(409),
  PORT_IN_USE: callerFault(409),
  CONFIG_INVALID: callerFault(),
  REGION_UNREACHABLE: transient(),
  API_REFUSED: callerFault(),
} as const satisfies Record<string, ErrorTraits>;

export type ErrorCode = keyof typeof errorCatalogue;
