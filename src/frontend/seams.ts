import type {
  Architecture,
  CodeArchive,
  EventSourceMappingStore,
  FunctionVersion,
  IdentityPolicy,
  InstalledCode,
  LayerStore,
} from '../functions/mod.ts';

/** An access key of an account. */
export interface Credential {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly accountId: string;
  /** Set for temporary credentials; the request has to carry the same token. */
  readonly sessionToken?: string;
  readonly disabled?: boolean;
  /** What this key may do; without any policies it may do all in its account. */
  readonly policies?: readonly IdentityPolicy[];
  /** The ARN that error messages and policies know the caller by. */
  readonly principalArn?: string;
}

/** Looked up for every request, so it answers from memory. */
export interface CredentialStore {
  find(accessKeyId: string): Credential | undefined;
}

export interface InstallRequest {
  readonly accountId: string;
  readonly functionName: string;
  readonly imageUri: string;
  readonly architecture: Architecture;
}

/**
 * Makes an image into a manifest that workers can run. Resolves the tag now: moving it later does
 * not change the function. Rejects with the SluiceError that names the cause; it becomes the
 * function's StateReason. Installing the same image again is cheap and safe.
 */
export interface CodeInstaller {
  install(request: InstallRequest, signal: AbortSignal): Promise<InstalledCode>;
}

/** How many invokes of the function may run at once, and what the account has left. */
export interface ConcurrencyAllowance {
  /** Of the whole account. */
  readonly account: number;
  /** What the account's functions have set aside for themselves. */
  readonly reservedTotal: number;
  /** This function's own reservation; without one it draws on the unreserved rest. */
  readonly reserved?: number;
}

/** Where a streamed response goes. */
export interface ResponseSink {
  begin(contentType: string): void;
  /** A promise when the receiver is slow: wait for it before the next. */
  write(chunk: Buffer): Promise<void> | undefined;
}

export interface ZipInstallRequest {
  readonly accountId: string;
  readonly functionName: string;
  readonly architecture: Architecture;
  /** One of the runtimes that the frontend lets through. */
  readonly runtime: string;
  /** Unpacked to /var/task. */
  readonly archive: Buffer;
  /** Unpacked to /opt, in this order. */
  readonly layers: readonly Buffer[];
}

/** Makes a zip archive into a manifest that workers can run; as `CodeInstaller` otherwise. */
export interface ZipInstaller {
  installZip(request: ZipInstallRequest, signal: AbortSignal): Promise<InstalledCode>;
}

/** Where `S3Bucket` and `S3Key` lead. */
export interface CodeObjects {
  /** Rejects with `CODE_NOT_FOUND`; its `data` has S3's code and message as `code` and `reason`. */
  read(bucket: string, key: string, version: string | undefined): Promise<Buffer>;
}

/** All that zip functions and layers need. */
export interface ZipSupport {
  /** Without it, code comes with the request only. */
  readonly objects?: CodeObjects;
  readonly installer: ZipInstaller;
  readonly archive: CodeArchive;
  readonly layers: LayerStore;
}

export interface InvokeRequest {
  readonly version: FunctionVersion;
  /** The ARN that the caller used; the handler sees it as `invoked_function_arn`. */
  readonly invokedFunctionArn: string;
  readonly requestId: string;
  readonly payload: Buffer;
  /** JSON text, decoded from the header. */
  readonly clientContext?: string;
  readonly traceId: string;
  /** Whether the end of the log is wanted with the answer. */
  readonly logTail: boolean;
  /** What the store says now; at no moment may more run than it allows. */
  readonly concurrency: ConcurrencyAllowance;
  /** Takes the response as it comes; without one it is collected into the outcome. */
  readonly sink?: ResponseSink;
  /** Aborts when the server is forced to close; a caller who hangs up does not end the invoke. */
  readonly signal: AbortSignal;
}

export interface InvokeOutcome {
  readonly status: 'ok' | 'function-error';
  readonly payload: Buffer;
  readonly functionError?: 'Unhandled';
  /** At most 4 KiB, the end of what the invoke logged. */
  readonly logTail?: Buffer;
  /** `$LATEST` or a number. */
  readonly executedVersion: string;
}

/**
 * Runs one event in a sandbox. A function that fails is an outcome; it rejects only when no answer
 * of the function came to be: `CONCURRENCY_LIMIT_EXCEEDED` and `START_LIMIT_EXCEEDED` (their
 * `data.reason` goes to the caller) or a fault of ours.
 */
export interface Invoker {
  invoke(request: InvokeRequest): Promise<InvokeOutcome>;
  /** Ends the sandboxes of a version that stopped serving: idle ones now, lent ones afterwards. */
  drain(functionVersionArn: string): Promise<void>;
}

export interface QueuedEvent {
  readonly accountId: string;
  readonly functionName: string;
  /** As the caller gave it; resolved anew at each attempt. */
  readonly qualifier?: string | undefined;
  readonly requestId: string;
  readonly traceId: string;
  readonly payload: Buffer;
  readonly receivedMs: number;
}

/** Where `Event` invokes go: resolves once the event survives a crash, and only then comes 202. */
export interface EventQueue {
  enqueue(event: QueuedEvent): Promise<void>;
}

export interface ProvisionedState {
  readonly allocated: number;
  readonly available: number;
  readonly status: 'READY' | 'IN_PROGRESS' | 'FAILED';
  readonly statusReason?: string;
}

/** Keeps sandboxes of a version ready before any call. */
export interface Provisioner {
  /** From now on `count` of them; 0 ends it. */
  provision(version: FunctionVersion, count: number): void;
  provisioned(version: FunctionVersion): ProvisionedState;
}

/** The queues that mappings may name. */
export interface QueueDirectory {
  /**
   * Rejects with `ACCESS_DENIED` for a queue that the account may not read, whether it exists or
   * not, `QUEUE_NOT_FOUND`, `QUEUE_DENIED` and `QUEUE_SERVICE_UNAVAILABLE`.
   */
  describe(queue: {
    readonly eventSourceArn: string;
    readonly accountId: string;
  }): Promise<{ readonly visibilityTimeoutSeconds: number }>;
}

/** All that event source mappings need. */
export interface EventSourceSupport {
  readonly mappings: EventSourceMappingStore;
  /** Without one, creating a mapping is refused. */
  readonly queues?: QueueDirectory | undefined;
}
