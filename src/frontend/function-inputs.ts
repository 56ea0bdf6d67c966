import { limits } from '../base/mod.ts';
import { destinationPattern } from './destinations.ts';
import { functionNamePattern } from './function-name.ts';
import { boolean, list, map, number, type ShapeType, string, structure } from './shapes.ts';

const { lambda } = limits;

const arnOrEmpty = string({ pattern: '(arn:(aws[a-zA-Z-]*)?:[a-z0-9-.]+:.*)|()' });
const layerArn = string({
  max: 2048,
  min: 1,
  pattern:
    '(arn:(aws[a-zA-Z-]*)?:lambda:(eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:\\d{12}:' +
    'layer:[a-zA-Z0-9-_]+:[0-9]+)|(arn:[a-zA-Z0-9-]+:lambda:::awslayer:[a-zA-Z0-9-_]+)',
});
const accessPoint =
  'arn:aws[a-zA-Z-]*:elasticfilesystem:[a-z0-9-]+:\\d{12}:access-point/[a-zA-Z0-9-]{1,64}';
const level = (names: readonly string[]) => string({ values: names });

const configurationMembers = {
  Description: string({ max: 256, min: 0 }),
  Timeout: number({ max: lambda.timeoutSecondsMax, min: lambda.timeoutSecondsMin }),
  MemorySize: number({ max: lambda.memoryMbMax, min: lambda.memoryMbMin }),
  Runtime: string(),
  Handler: string({ max: 128, pattern: '[^\\s]+' }),
  Environment: structure(
    {},
    { Variables: map(string({ pattern: '[a-zA-Z]([a-zA-Z0-9_])+' }), string()) },
  ),
  EphemeralStorage: structure(
    { Size: number({ max: lambda.ephemeralMbMax, min: lambda.ephemeralMbMin }) },
    {},
  ),
  ImageConfig: structure(
    {},
    {
      EntryPoint: list(string(), { max: 1500 }),
      Command: list(string(), { max: 1500 }),
      WorkingDirectory: string({ max: 1000 }),
    },
  ),
  TracingConfig: structure({}, { Mode: string({ values: ['Active', 'PassThrough'] }) }),
  Layers: list(layerArn),
  VpcConfig: structure(
    {},
    {
      SubnetIds: list(string({ max: 1024, min: 0, pattern: 'subnet-[0-9a-z]*' }), { max: 16 }),
      SecurityGroupIds: list(string({ max: 1024, min: 0, pattern: 'sg-[0-9a-zA-Z]*' }), { max: 5 }),
      Ipv6AllowedForDualStack: boolean(),
    },
  ),
  FileSystemConfigs: list(
    structure(
      {
        Arn: string({ max: 200, pattern: accessPoint }),
        // No `.` and `..`, which Lambda's own pattern lets through.
        LocalMountPath: string({ max: 160, pattern: '/mnt/(?!\\.{1,2}$)[a-zA-Z0-9-_.]+' }),
      },
      {},
    ),
    { max: 1 },
  ),
  DeadLetterConfig: structure({}, { TargetArn: string({ pattern: `()|${destinationPattern}` }) }),
  KMSKeyArn: arnOrEmpty,
  SnapStart: structure({}, { ApplyOn: string({ values: ['PublishedVersions', 'None'] }) }),
  LoggingConfig: structure(
    {},
    {
      LogFormat: string({ values: ['JSON', 'Text'] }),
      ApplicationLogLevel: level(['TRACE', 'DEBUG', 'INFO', 'WARN', 'ERROR', 'FATAL']),
      SystemLogLevel: level(['DEBUG', 'INFO', 'WARN']),
      LogGroup: string({ max: 512, min: 1, pattern: '[\\.\\-_/#A-Za-z0-9]+' }),
    },
  ),
} as const;

const noSigning = 'this region verifies no code signatures.';
const noDurable = 'this region has no durable executions.';
const noProviders = 'this region has no capacity providers.';
const publishTo = 'versions are published by number only.';
const refusedConfiguration = { CapacityProviderConfig: noProviders, DurableConfig: noDurable };
const refusedCode = {
  S3ObjectStorageMode: 'code is always copied.',
  SourceKMSKeyArn: 'code archives are kept under the key of the account.',
};

const role = string({ pattern: 'arn:(aws[a-zA-Z-]*)?:iam::\\d{12}:role/?[a-zA-Z_0-9+=,.@\\-_/]+' });
const architectures = list(string({ values: ['x86_64', 'arm64'] }), { max: 1, min: 1 });
const codeMembers = {
  ZipFile: string(),
  S3Bucket: string({ max: 63, min: 3 }),
  S3Key: string({ max: 1024, min: 1 }),
  S3ObjectVersion: string({ max: 1024, min: 1 }),
  ImageUri: string(),
} as const;

export const createFunctionInput = structure(
  {
    FunctionName: string({ max: lambda.functionArnChars, min: 1, pattern: functionNamePattern }),
    Role: role,
    Code: structure({}, codeMembers, refusedCode),
  },
  {
    ...configurationMembers,
    Architectures: architectures,
    PackageType: string({ values: ['Zip', 'Image'] }),
    Publish: boolean(),
    TenancyConfig: structure({ TenantIsolationMode: string({ values: ['PER_TENANT'] }) }, {}),
    Tags: map(string(), string()),
  },
  {
    ...refusedConfiguration,
    CodeSigningConfigArn: noSigning,
    PublishTo: publishTo,
  },
);

export const updateFunctionConfigurationInput = structure(
  {},
  { ...configurationMembers, Role: role, RevisionId: string() },
  refusedConfiguration,
);

export const updateFunctionCodeInput = structure(
  {},
  {
    ...codeMembers,
    Architectures: architectures,
    Publish: boolean(),
    DryRun: boolean(),
    RevisionId: string(),
  },
  { ...refusedCode, PublishTo: publishTo },
);

export type CreateFunctionInput = ShapeType<typeof createFunctionInput>;
export type CodeInput = CreateFunctionInput['Code'];
export type ConfigurationInput = ShapeType<typeof updateFunctionConfigurationInput>;
