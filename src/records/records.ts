/** `Zip` code is a disk too; the two differ only in what the disk is made from. */
export type PackageType = 'Image' | 'Zip';
export type Architecture = 'x86_64' | 'arm64';

/** The number that stands for `$LATEST` in records; published versions count from 1. */
export const LATEST = 0;

/** What a version's code is made from; resolved once, at create or update, never at invoke. */
export type CodeSource =
  | { readonly kind: 'image'; readonly imageUri: string }
  | {
      readonly kind: 'zip';
      readonly sha256: string;
      readonly sizeBytes: number;
      /** What its directory claims. */
      readonly unzippedBytes: number;
    };

/** The start of a process as the image's author wrote it (OCI image config). */
export interface ImageDefaults {
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly environment: readonly string[];
  readonly workingDirectory: string;
  readonly user: string;
}

/** Code that is stored as chunks and may be run. */
export interface InstalledCode {
  readonly manifestId: string;
  /** `repository@sha256:…`; equal to the given URI where the reference has no registry. */
  readonly resolvedImageUri: string;
  readonly imageDigest: string;
  readonly codeSizeBytes: number;
  /** Hexadecimal for an image (its digest), base64 for a zip archive, as Lambda has it. */
  readonly codeSha256: string;
  readonly imageConfig: ImageDefaults;
  /** What of the image was left out or mended, or is not there. */
  readonly warnings?: readonly string[];
  /** How the runtime that serves it is not the one that it names; the runtime client says so too. */
  readonly runtimeWarning?: string;
}

/** `ImageConfig` of a function: overrides of the image's own. */
export interface ImageOverrides {
  readonly entryPoint?: readonly string[];
  readonly command?: readonly string[];
  readonly workingDirectory?: string;
}

export interface LayerReference {
  readonly arn: string;
  readonly codeSizeBytes: number;
  readonly unzippedBytes: number;
  /** The archive's name in the `CodeArchive`; it outlives the layer version. */
  readonly sha256: string;
}

export interface LoggingConfiguration {
  readonly format: 'Text' | 'JSON';
  readonly group: string;
  readonly applicationLevel?: string;
  readonly systemLevel?: string;
}

/** What a caller configures; a change of it is an update of the function. */
export interface FunctionConfiguration {
  readonly packageType: PackageType;
  readonly role: string;
  readonly description: string;
  readonly timeoutSeconds: number;
  readonly memoryMb: number;
  readonly ephemeralStorageMb: number;
  readonly architecture: Architecture;
  /** Absent when the function was created without any. */
  readonly environment?: Readonly<Record<string, string>>;
  readonly runtime?: string;
  readonly handler?: string;
  readonly imageOverrides?: ImageOverrides;
  readonly layers: readonly LayerReference[];
  readonly tracingMode: 'PassThrough' | 'Active';
  readonly logging: LoggingConfiguration;
  readonly deadLetterTargetArn?: string;
  /** Who named it, and so may invoke it where it is a function; older records lack it. */
  readonly deadLetterConfiguredBy?: string;
  readonly kmsKeyArn?: string;
  readonly snapStartApplyOn: 'None' | 'PublishedVersions';
  /** `PER_TENANT`: a sandbox serves one tenant id for its life, and each invoke names one. */
  readonly tenancy?: 'PER_TENANT';
  /** Kept so that templates can move here; nothing acts on it. */
  readonly vpc?: {
    readonly subnetIds: readonly string[];
    readonly securityGroupIds: readonly string[];
  };
  /** Kept as `vpc` is. */
  readonly fileSystems?: readonly { readonly arn: string; readonly localMountPath: string }[];
}

export type State = 'Pending' | 'Active' | 'Inactive' | 'Failed';
export type UpdateStatus = 'Successful' | 'Failed' | 'InProgress';

/** Why a state is as it is; `code` is one of Lambda's StateReasonCode values. */
export interface StateReason {
  readonly text: string;
  readonly code: string;
}

/** What invokes run. `servingId` changes with every change, so older sandboxes stand out. */
export interface Serving {
  readonly servingId: string;
  readonly configuration: FunctionConfiguration;
  readonly source: CodeSource;
  readonly code: InstalledCode;
}

/** An install under way; found again after a crash. A completion with another id is stale. */
export interface UnfinishedWork {
  readonly id: string;
  readonly kind: 'create' | 'update';
  /** The published version that waits for the same code. */
  readonly publishAs?: number;
}

export interface VersionRecord {
  readonly version: number;
  /** What the API shows: while an update is under way already the new one. */
  readonly configuration: FunctionConfiguration;
  readonly source: CodeSource;
  readonly code?: InstalledCode;
  /** Absent until the first install succeeded. */
  readonly serving?: Serving;
  readonly state: State;
  readonly stateReason?: StateReason;
  readonly lastUpdateStatus?: UpdateStatus;
  readonly lastUpdateReason?: StateReason;
  readonly revisionId: string;
  readonly lastModifiedMs: number;
  readonly work?: UnfinishedWork;
}

export interface AliasRecord {
  readonly name: string;
  readonly version: number;
  readonly description: string;
  /** At most one further version and its share of invokes, 0 to 1. */
  readonly weights: Readonly<Record<string, number>>;
  readonly revisionId: string;
}

/** One statement of a resource policy, in the form that GetPolicy prints. */
export interface PolicyStatement {
  readonly Sid: string;
  readonly Effect: 'Allow';
  readonly Principal: '*' | { readonly Service: string } | { readonly AWS: string };
  readonly Action: string;
  readonly Resource: string;
  readonly Condition?: Readonly<Record<string, Readonly<Record<string, string>>>>;
}

export interface PolicyRecord {
  readonly statements: readonly PolicyStatement[];
  readonly revisionId: string;
}

export interface EventInvokeRecord {
  readonly maximumRetryAttempts?: number;
  readonly maximumEventAgeSeconds?: number;
  readonly onSuccess?: string;
  readonly onFailure?: string;
  /** Who last named a destination, and so may invoke the functions that it names. */
  readonly configuredBy?: string;
  readonly lastModifiedMs: number;
}

export interface ProvisionedConcurrencyRecord {
  readonly requested: number;
  readonly lastModifiedMs: number;
}

export interface UrlRecord {
  /** 32 lower-case alphanumerics, unguessable, unique in the store. */
  readonly urlId: string;
  readonly authType: 'NONE' | 'AWS_IAM';
  /** Absent where the caller left it to the default, `BUFFERED`. */
  readonly invokeMode?: 'BUFFERED' | 'RESPONSE_STREAM';
  readonly cors?: CorsRecord;
  readonly createdMs: number;
  readonly lastModifiedMs: number;
}

/** What the newest published version was made from, so that the same is not published twice. */
export interface LastPublished {
  readonly version: number;
  readonly fingerprint: string;
}

/** When a managed runtime is updated; kept for the tools that ask. */
export interface RuntimeManagementRecord {
  readonly updateRuntimeOn: 'Auto' | 'FunctionUpdate' | 'Manual';
  readonly runtimeVersionArn?: string;
}

export interface CorsRecord {
  readonly allowCredentials?: boolean;
  readonly allowHeaders?: readonly string[];
  readonly allowMethods?: readonly string[];
  readonly allowOrigins?: readonly string[];
  readonly exposeHeaders?: readonly string[];
  readonly maxAgeSeconds?: number;
}

/**
 * All of a function but its published versions: one record, changed as one, so that rules between
 * its parts (an alias names a version that exists) hold in every state that anybody can read.
 * Maps are keyed by qualifier: an alias, a version number, or `$LATEST` for the unqualified.
 */
export interface FunctionRecord {
  readonly accountId: string;
  readonly name: string;
  readonly latest: VersionRecord;
  /** Version numbers are never given twice. */
  readonly nextVersion: number;
  /** Published and deleted since; with `nextVersion` it says which versions exist. */
  readonly removedVersions: readonly number[];
  readonly lastPublished?: LastPublished;
  readonly tags: Readonly<Record<string, string>>;
  readonly reservedConcurrency?: number;
  readonly aliases: Readonly<Record<string, AliasRecord>>;
  readonly policies: Readonly<Record<string, PolicyRecord>>;
  readonly eventInvokeConfigs: Readonly<Record<string, EventInvokeRecord>>;
  readonly provisionedConcurrency: Readonly<Record<string, ProvisionedConcurrencyRecord>>;
  readonly urls: Readonly<Record<string, UrlRecord>>;
  /** Lambda's own default is `Terminate`; nothing here detects loops, so it is only kept. */
  readonly recursiveLoop?: 'Allow' | 'Terminate';
  readonly runtimeManagement?: Readonly<Record<string, RuntimeManagementRecord>>;
}

/** What a sandbox is made of: one immutable version of one function of one account. */
export interface FunctionVersion {
  readonly accountId: string;
  readonly functionName: string;
  /** `$LATEST` or a number, as `AWS_LAMBDA_FUNCTION_VERSION` shows it. */
  readonly version: string;
  /** The ARN with the version as qualifier. */
  readonly arn: string;
  readonly servingId: string;
  readonly configuration: FunctionConfiguration;
  readonly code: InstalledCode;
}
