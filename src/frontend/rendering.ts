import { createHash } from 'node:crypto';
import { functionArn, versionName } from '../catalogue/mod.ts';
import type { FunctionRecord, InstalledCode, VersionRecord } from '../records/mod.ts';
import type { ApiRequest } from './operation.ts';
import type { Services } from './services.ts';

/** `2025-01-31T12:00:00.000+0000`, the form of most dates in this API. */
export function isoDate(ms: number): string {
  return new Date(ms).toISOString().replace('Z', '+0000');
}

/** Names the base that serves a runtime: one version of each, so the name alone decides. */
function runtimeVersionArn(region: string, runtime: string): string {
  return `arn:aws:lambda:${region}::runtime:${createHash('sha256').update(runtime).digest('hex')}`;
}

/** `FunctionConfiguration` of the model; `qualifier` is what the ARN ends with, if anything. */
export function renderConfiguration(
  region: string,
  record: FunctionRecord,
  version: VersionRecord,
  qualifier?: string,
): Record<string, unknown> {
  const { configuration: config } = version;
  const { codeSize, codeSha256 } = codeFacts(version);
  const image = config.packageType === 'Image';
  return {
    FunctionName: record.name,
    FunctionArn: functionArn(region, record, qualifier),
    ...(image ? {} : { Runtime: config.runtime, Handler: config.handler }),
    Role: config.role,
    CodeSize: codeSize,
    Description: config.description,
    Timeout: config.timeoutSeconds,
    MemorySize: config.memoryMb,
    LastModified: isoDate(version.lastModifiedMs),
    ...(codeSha256 ? { CodeSha256: codeSha256 } : {}),
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
    ...(config.tenancy ? { TenancyConfig: { TenantIsolationMode: config.tenancy } } : {}),
    ...renderKept(version),
    ...(config.runtime && !image
      ? { RuntimeVersionConfig: { RuntimeVersionArn: runtimeVersionArn(region, config.runtime) } }
      : {}),
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

/** What its owner should know of code that runs nonetheless. */
export function warningsOf(code: InstalledCode): readonly string[] {
  const { warnings = [], runtimeWarning } = code;
  return runtimeWarning === undefined ? warnings : [...warnings, runtimeWarning];
}

/** A member of ours, which other clients pass over: absent where there is nothing to say. */
export function renderWarnings(
  { mayMount }: Services,
  { accountId }: FunctionRecord,
  { code, configuration }: VersionRecord,
): Record<string, unknown> {
  const { fileSystems = [] } = configuration;
  const kept = [
    ...(configuration.vpc ? ['VpcConfig'] : []),
    ...(fileSystems.some(({ arn }) => !mayMount(accountId, arn)) ? ['FileSystemConfigs'] : []),
  ].map((member) => `${member}: it is kept, and nothing acts on it`);
  const warnings = [...(code ? warningsOf(code) : []), ...kept];
  return warnings.length > 0 ? { Warnings: warnings } : {};
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

/** What is kept for the templates that say it. */
function renderKept({
  configuration: { vpc, fileSystems },
}: VersionRecord): Record<string, unknown> {
  return {
    ...(vpc
      ? {
          VpcConfig: {
            SubnetIds: vpc.subnetIds,
            SecurityGroupIds: vpc.securityGroupIds,
            VpcId: '',
          },
        }
      : {}),
    ...(fileSystems
      ? {
          FileSystemConfigs: fileSystems.map((each) => ({
            Arn: each.arn,
            LocalMountPath: each.localMountPath,
          })),
        }
      : {}),
  };
}

/** An archive's facts are known when it is uploaded, an image's once it is resolved. */
function codeFacts({ source, code }: VersionRecord) {
  if (source.kind === 'image') {
    return { codeSize: code?.codeSizeBytes ?? 0, codeSha256: code?.codeSha256 };
  }
  const codeSha256 = Buffer.from(source.sha256, 'hex').toString('base64');
  return { codeSize: source.sizeBytes, codeSha256 };
}

/** How the client reached this server, for addresses in answers. */
export function originOf(request: ApiRequest): string {
  return `${request.secure ? 'https' : 'http'}://${request.headers.host}`;
}

/** `FunctionCodeLocation` of the model: where the code came from and what it was resolved to. */
export function renderCode(
  services: Services,
  request: ApiRequest,
  { accountId }: FunctionRecord,
  { source, code }: VersionRecord,
): Record<string, unknown> {
  if (source.kind === 'zip') {
    const target = { accountId, sha256: source.sha256 };
    const nowMs = services.clock.nowMs();
    const Location = services.downloads.create(originOf(request), target, nowMs);
    return { RepositoryType: 'S3', Location };
  }
  return {
    RepositoryType: 'ECR',
    ImageUri: source.imageUri,
    ...(code ? { ResolvedImageUri: code.resolvedImageUri } : {}),
  };
}
