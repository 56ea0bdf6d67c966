import { type FunctionRecord, LATEST, type VersionRecord } from '../functions/mod.ts';
import { functionArn } from './function-name.ts';

/** `2025-01-31T12:00:00.000+0000`, the form of most dates in this API. */
export function isoDate(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '+0000');
}

export function versionName(version: number): string {
  return version === LATEST ? '$LATEST' : String(version);
}

/** `FunctionConfiguration` of the model; `qualifier` is what the ARN ends with, if anything. */
export function renderConfiguration(
  region: string,
  record: FunctionRecord,
  version: VersionRecord,
  qualifier?: string,
): Record<string, unknown> {
  const { configuration: config, code } = version;
  const image = config.packageType === 'Image';
  return {
    FunctionName: record.name,
    FunctionArn: functionArn(region, record, qualifier),
    ...(image ? {} : { Runtime: config.runtime, Handler: config.handler }),
    Role: config.role,
    CodeSize: code?.codeSizeBytes ?? 0,
    Description: config.description,
    Timeout: config.timeoutSeconds,
    MemorySize: config.memoryMb,
    LastModified: isoDate(version.lastModifiedMs),
    ...(code ? { CodeSha256: code.codeSha256 } : {}),
    Version: versionName(version.version),
    ...(config.environment ? { Environment: { Variables: config.environment } } : {}),
    ...(config.deadLetterTargetArn
      ? { DeadLetterConfig: { TargetArn: config.deadLetterTargetArn } }
      : {}),
    ...(config.kmsKeyArn ? { KMSKeyArn: config.kmsKeyArn } : {}),
    TracingConfig: { Mode: config.tracingMode },
    RevisionId: version.revisionId,
    ...(config.layers.length > 0
      ? { Layers: config.layers.map((each) => ({ Arn: each.arn, CodeSize: each.codeSizeBytes })) }
      : {}),
    ...renderStates(version),
    PackageType: config.packageType,
    ...renderImageOverrides(version),
    Architectures: [config.architecture],
    EphemeralStorage: { Size: config.ephemeralStorageMb },
    SnapStart: { ApplyOn: config.snapStartApplyOn, OptimizationStatus: 'Off' },
    LoggingConfig: {
      LogFormat: config.logging.format,
      ...(config.logging.applicationLevel
        ? { ApplicationLogLevel: config.logging.applicationLevel }
        : {}),
      ...(config.logging.systemLevel ? { SystemLogLevel: config.logging.systemLevel } : {}),
      LogGroup: config.logging.group,
    },
  };
}

function renderStates(version: VersionRecord): Record<string, unknown> {
  const { state, stateReason, lastUpdateStatus, lastUpdateReason } = version;
  return {
    State: state,
    ...(stateReason ? { StateReason: stateReason.text, StateReasonCode: stateReason.code } : {}),
    ...(lastUpdateStatus ? { LastUpdateStatus: lastUpdateStatus } : {}),
    ...(lastUpdateReason
      ? {
          LastUpdateStatusReason: lastUpdateReason.text,
          LastUpdateStatusReasonCode: lastUpdateReason.code,
        }
      : {}),
  };
}

function renderImageOverrides({ configuration }: VersionRecord): Record<string, unknown> {
  const overrides = configuration.imageOverrides;
  if (!overrides) return {};
  const { entryPoint, command, workingDirectory } = overrides;
  return {
    ImageConfigResponse: {
      ImageConfig: {
        ...(entryPoint ? { EntryPoint: entryPoint } : {}),
        ...(command ? { Command: command } : {}),
        ...(workingDirectory ? { WorkingDirectory: workingDirectory } : {}),
      },
    },
  };
}

/** `FunctionCodeLocation` of the model: where the code came from and what it was resolved to. */
export function renderCode(version: VersionRecord): Record<string, unknown> {
  if (version.source.kind !== 'image') return { RepositoryType: 'S3' };
  return {
    RepositoryType: 'ECR',
    ImageUri: version.source.imageUri,
    ...(version.code ? { ResolvedImageUri: version.code.resolvedImageUri } : {}),
  };
}
