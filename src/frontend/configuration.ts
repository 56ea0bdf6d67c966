import { limits } from '../base/mod.ts';
import type {
  FunctionConfiguration,
  ImageOverrides,
  LayerReference,
  PackageType,
} from '../records/mod.ts';
import { invalidParameter } from './api-error.ts';
import { isDeliverable } from './destinations.ts';
import type { ConfigurationInput, CreateFunctionInput } from './function-inputs.ts';

const DEFAULT_TIMEOUT_SECONDS = 3;

/** Names that the sandbox sets itself (developer guide, “Reserved environment variables”). */
const reservedVariables = new Set([
  '_HANDLER',
  '_X_AMZN_TRACE_ID',
  'AWS_ACCESS_KEY',
  'AWS_ACCESS_KEY_ID',
  'AWS_DEFAULT_REGION',
  'AWS_EXECUTION_ENV',
  'AWS_LAMBDA_FUNCTION_MEMORY_SIZE',
  'AWS_LAMBDA_FUNCTION_NAME',
  'AWS_LAMBDA_FUNCTION_VERSION',
  'AWS_LAMBDA_INITIALIZATION_TYPE',
  'AWS_LAMBDA_LOG_GROUP_NAME',
  'AWS_LAMBDA_LOG_STREAM_NAME',
  'AWS_LAMBDA_RUNTIME_API',
  'AWS_REGION',
  'AWS_SECRET_ACCESS_KEY',
  'AWS_SECURITY_TOKEN',
  'AWS_SESSION_TOKEN',
  'LAMBDA_RUNTIME_DIR',
  'LAMBDA_TASK_ROOT',
]);

const unableToConfigure =
  'Lambda was unable to configure your environment variables because the environment variables ' +
  'you have provided';

function environmentOf(variables: Record<string, string>): Record<string, string> {
  const reserved = Object.keys(variables).filter((each) => reservedVariables.has(each));
  if (reserved.length > 0) {
    throw invalidParameter(
      `${unableToConfigure} contains reserved keys that are currently not supported for ` +
        `modification. Reserved keys used in this request: ${reserved.join(', ')}`,
    );
  }
  const measured = JSON.stringify(variables);
  if (Buffer.byteLength(measured) > limits.lambda.environmentBytes) {
    throw invalidParameter(
      `${unableToConfigure} exceeded the 4KB limit. String measured: ${measured}`,
    );
  }
  return variables;
}

function overridesOf(input: NonNullable<ConfigurationInput['ImageConfig']>): ImageOverrides {
  const { EntryPoint, Command, WorkingDirectory } = input;
  return {
    ...(EntryPoint && EntryPoint.length > 0 ? { entryPoint: EntryPoint } : {}),
    ...(Command && Command.length > 0 ? { command: Command } : {}),
    ...(WorkingDirectory ? { workingDirectory: WorkingDirectory } : {}),
  };
}

/** Whether an account's functions may mount an access point: a directory of the host stands for it. */
export type MayMount = (accountId: string, arn: string) => boolean;

/** Members that ask for what this region does not have, of a given input. */
export function unsupportedMembers(
  input: ConfigurationInput,
  isMountable: (arn: string) => boolean,
): string[] {
  const { VpcConfig, FileSystemConfigs } = input;
  return [
    ...(VpcConfig?.SubnetIds?.length || VpcConfig?.SecurityGroupIds?.length ? ['VpcConfig'] : []),
    ...(FileSystemConfigs?.some(({ Arn }) => !isMountable(Arn)) ? ['FileSystemConfigs'] : []),
  ];
}

function refuseUndeliverable(input: ConfigurationInput): void {
  const deadLetter = input.DeadLetterConfig?.TargetArn;
  if (deadLetter && !isDeliverable(deadLetter)) {
    throw invalidParameter(
      `The dead letter target ${deadLetter} is not supported: give the ARN of a function, queue or ` +
        'topic, the URL of a queue or webhook, or directory:NAME.',
    );
  }
}

function refuseForPackage(packageType: PackageType, input: ConfigurationInput): void {
  if (packageType === 'Image') {
    if (input.Runtime || input.Handler || input.Layers?.length) {
      throw invalidParameter(
        "Please don't provide Handler or Runtime or Layer when the intended function " +
          'PackageType is IMAGE.',
      );
    }
  } else if (input.ImageConfig) {
    throw invalidParameter('Please provide ImageConfig only for functions of packageType Image.');
  }
}

/** The configuration with the members that the input names replaced. */
export function applyConfiguration(
  current: FunctionConfiguration,
  input: ConfigurationInput,
  layers: readonly LayerReference[] = current.layers,
): FunctionConfiguration {
  refuseUndeliverable(input);
  refuseForPackage(current.packageType, input);
  const { TracingConfig, SnapStart, DeadLetterConfig, EphemeralStorage, Environment } = input;
  const next: { -readonly [K in keyof FunctionConfiguration]: FunctionConfiguration[K] } = {
    ...current,
    role: input.Role ?? current.role,
    description: input.Description ?? current.description,
    timeoutSeconds: input.Timeout ?? current.timeoutSeconds,
    memoryMb: input.MemorySize ?? current.memoryMb,
    ephemeralStorageMb: EphemeralStorage?.Size ?? current.ephemeralStorageMb,
    tracingMode: TracingConfig?.Mode ?? current.tracingMode,
    snapStartApplyOn: SnapStart?.ApplyOn ?? current.snapStartApplyOn,
    logging: applyLogging(current.logging, input.LoggingConfig),
    layers,
  };
  if (input.Runtime !== undefined) next.runtime = input.Runtime;
  if (input.Handler !== undefined) next.handler = input.Handler;
  if (Environment) next.environment = environmentOf(Environment.Variables ?? {});
  if (input.ImageConfig) next.imageOverrides = overridesOf(input.ImageConfig);
  if (DeadLetterConfig) setOrClear(next, 'deadLetterTargetArn', DeadLetterConfig.TargetArn);
  if (input.KMSKeyArn !== undefined) setOrClear(next, 'kmsKeyArn', input.KMSKeyArn);
  if (input.VpcConfig) {
    const { SubnetIds = [], SecurityGroupIds = [] } = input.VpcConfig;
    next.vpc = { subnetIds: SubnetIds, securityGroupIds: SecurityGroupIds };
    if (SubnetIds.length + SecurityGroupIds.length === 0) delete next.vpc;
  }
  if (input.FileSystemConfigs) {
    next.fileSystems = input.FileSystemConfigs.map((each) => ({
      arn: each.Arn,
      localMountPath: each.LocalMountPath,
    }));
    if (next.fileSystems.length === 0) delete next.fileSystems;
  }
  return next;
}

/** An empty string takes the setting away. */
function setOrClear<K extends 'deadLetterTargetArn' | 'kmsKeyArn'>(
  configuration: { [P in K]?: string },
  name: K,
  value: string | undefined,
): void {
  if (value) configuration[name] = value;
  else delete configuration[name];
}

function applyLogging(
  current: FunctionConfiguration['logging'],
  input: ConfigurationInput['LoggingConfig'],
): FunctionConfiguration['logging'] {
  if (!input) return current;
  const format = input.LogFormat ?? current.format;
  const levels = input.ApplicationLogLevel ?? input.SystemLogLevel;
  if (format === 'Text' && levels !== undefined) {
    throw invalidParameter('Log Level is not supported for Text LogFormat.');
  }
  const group = input.LogGroup ?? current.group;
  if (format === 'Text') return { format, group };
  return {
    ...{ format, group },
    applicationLevel: input.ApplicationLogLevel ?? current.applicationLevel ?? 'INFO',
    systemLevel: input.SystemLogLevel ?? current.systemLevel ?? 'INFO',
  };
}

/** The configuration of a new function: what the input says over Lambda's defaults. */
export function newConfiguration(
  name: string,
  packageType: PackageType,
  input: CreateFunctionInput,
  layers: readonly LayerReference[],
): FunctionConfiguration {
  if (packageType === 'Zip' && (!input.Runtime || !input.Handler)) {
    throw invalidParameter(
      'Runtime and Handler are mandatory parameters for functions created with deployment ' +
        'packages.',
    );
  }
  const defaults: FunctionConfiguration = {
    packageType,
    role: input.Role,
    description: '',
    timeoutSeconds: DEFAULT_TIMEOUT_SECONDS,
    memoryMb: limits.lambda.memoryMbMin,
    ephemeralStorageMb: limits.lambda.ephemeralMbMin,
    architecture: input.Architectures?.[0] ?? 'x86_64',
    layers: [],
    tracingMode: 'PassThrough',
    logging: { format: 'Text', group: `/aws/lambda/${name}` },
    snapStartApplyOn: 'None',
  };
  const tenancy = input.TenancyConfig?.TenantIsolationMode;
  const given = tenancy === undefined ? defaults : { ...defaults, tenancy };
  return applyConfiguration(given, input, layers);
}
