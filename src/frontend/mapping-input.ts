import { isSluiceError, limits } from '../base/mod.ts';
import { readEventPattern } from '../queue/mod.ts';
import type { EventSourceMappingRecord } from '../records/mod.ts';
import { invalidParameter } from './api-error.ts';
import { destinationArnPattern, isQueueArn } from './destinations.ts';
import { functionNamePattern } from './function-name.ts';
import { type ApiRequest, readInput } from './operation.ts';
import {
  boolean,
  list,
  map,
  number,
  type Shape,
  type ShapeType,
  string,
  structure,
} from './shapes.ts';

/** Whatever it is: members that only other kinds of event source know. */
const anything: Shape<unknown> = { constraints: [], cast: (value) => value, check: () => {} };

/** Refused for a queue, by the name that they have in the message. */
const foreignMembers = {
  AmazonManagedKafkaEventSourceConfig: anything,
  BisectBatchOnFunctionError: anything,
  DestinationConfig: anything,
  DocumentDBEventSourceConfig: anything,
  KMSKeyArn: anything,
  LoggingConfig: anything,
  MaximumRecordAgeInSeconds: anything,
  MaximumRetryAttempts: anything,
  ParallelizationFactor: anything,
  Queues: anything,
  SelfManagedEventSource: anything,
  SelfManagedKafkaEventSourceConfig: anything,
  SourceAccessConfigurations: anything,
  StartingPositionTimestamp: anything,
  Topics: anything,
  TumblingWindowInSeconds: anything,
} as const;

const settings = {
  BatchSize: number({ max: 10_000, min: 1 }),
  Enabled: boolean(),
  FilterCriteria: structure(
    {},
    { Filters: list(structure({}, { Pattern: string({ max: limits.eventSources.filterBytes }) })) },
  ),
  FunctionResponseTypes: list(string({ values: ['ReportBatchItemFailures'] }), { max: 1 }),
  MaximumBatchingWindowInSeconds: number({ max: 300, min: 0 }),
  MetricsConfig: structure({}, { Metrics: list(string(), { max: 3, min: 0 }) }),
  ProvisionedPollerConfig: structure(
    {},
    {
      MinimumPollers: number({ max: 200, min: 1 }),
      MaximumPollers: number({ max: 2000, min: 1 }),
    },
  ),
  ScalingConfig: structure({}, { MaximumConcurrency: number({ max: 1000, min: 2 }) }),
  ...foreignMembers,
} as const;

const functionName = string({ max: 140, min: 1, pattern: functionNamePattern });
const createInput = structure(
  { FunctionName: functionName },
  {
    ...settings,
    EventSourceArn: string({ pattern: destinationArnPattern }),
    StartingPosition: string({ values: ['LATEST', 'AT_TIMESTAMP', 'TRIM_HORIZON'] }),
    Tags: map(string(), string()),
  },
);
const updateInput = structure({}, { ...settings, FunctionName: functionName });

export type CreateMappingInput = ShapeType<typeof createInput>;
export type MappingSettingsInput = ShapeType<typeof updateInput>;

export function readCreateMapping(request: ApiRequest): CreateMappingInput {
  const input = readInput(request, createInput);
  // Whatever else was given, what it is for decides what is wrong with it.
  refuseOtherSources(input.EventSourceArn);
  if (input.StartingPosition !== undefined) {
    throw invalidParameter('StartingPosition is not valid for SQS event sources.');
  }
  requireNoForeignMember(input);
  return input;
}

export function readUpdateMapping(request: ApiRequest): MappingSettingsInput {
  const input = readInput(request, updateInput);
  requireNoForeignMember(input);
  return input;
}

/** Clients send empty members for what they leave unset. */
function isEmpty(value: unknown): boolean {
  return typeof value === 'object' && value !== null && Object.values(value).every(isEmpty);
}

function requireNoForeignMember(input: MappingSettingsInput): void {
  for (const name of Object.keys(foreignMembers) as (keyof typeof foreignMembers)[]) {
    if (input[name] === undefined || isEmpty(input[name])) continue;
    throw invalidParameter(`Unsupported ${name} parameter for given event source mapping type.`);
  }
}

const otherSources: readonly (readonly [RegExp, string])[] = [
  [/^arn:[^:]+:kinesis:/, 'Amazon Kinesis'],
  [/^arn:[^:]+:dynamodb:/, 'Amazon DynamoDB streams'],
  [/^arn:[^:]+:kafka:/, 'Amazon MSK'],
  [/^arn:[^:]+:mq:/, 'Amazon MQ'],
  [/^arn:[^:]+:rds:/, 'Amazon DocumentDB'],
];

function refuseOtherSources(arn: string | undefined): void {
  const kind = otherSources.find(([pattern]) => pattern.test(arn ?? ''))?.[1];
  if (kind === undefined) return;
  throw invalidParameter(
    `Unrecognized event source. Those of ${kind} are not supported: queues that speak the ` +
      'protocol of Amazon SQS are.',
  );
}

/** Throws unless it names a queue, which is all that this region reads. */
export function requireQueueArn(arn: string | undefined): string {
  if (arn !== undefined && isQueueArn(arn)) return arn;
  throw invalidParameter(
    'Unrecognized event source. Queues that speak the protocol of Amazon SQS are supported: ' +
      'arn:aws:sqs:REGION:ACCOUNT:NAME.',
  );
}

type Settings = Pick<
  EventSourceMappingRecord,
  | 'batchSize'
  | 'batchingWindowSeconds'
  | 'enabled'
  | 'filters'
  | 'maximumConcurrency'
  | 'metrics'
  | 'provisionedPollers'
  | 'reportsItemFailures'
>;

export const defaultMappingSettings: Settings = {
  batchSize: 10,
  batchingWindowSeconds: 0,
  enabled: true,
  reportsItemFailures: false,
};

/** The settings with what the input names put in place; an empty structure takes one away. */
export function mergeMappingSettings(current: Settings, input: MappingSettingsInput): Settings {
  const filters = input.FilterCriteria ? readFilters(input.FilterCriteria) : current.filters;
  const maximumConcurrency = input.ScalingConfig
    ? input.ScalingConfig.MaximumConcurrency
    : current.maximumConcurrency;
  const metrics = input.MetricsConfig ? input.MetricsConfig.Metrics : current.metrics;
  const provisionedPollers = input.ProvisionedPollerConfig
    ? pollersOf(input.ProvisionedPollerConfig)
    : current.provisionedPollers;
  const types = input.FunctionResponseTypes;
  return {
    batchSize: input.BatchSize ?? current.batchSize,
    batchingWindowSeconds: input.MaximumBatchingWindowInSeconds ?? current.batchingWindowSeconds,
    enabled: input.Enabled ?? current.enabled,
    reportsItemFailures: types ? types.length > 0 : current.reportsItemFailures,
    ...(filters === undefined ? {} : { filters }),
    ...(maximumConcurrency === undefined ? {} : { maximumConcurrency }),
    ...(metrics?.length ? { metrics } : {}),
    ...(provisionedPollers ? { provisionedPollers } : {}),
  };
}

function pollersOf({
  MinimumPollers: minimum,
  MaximumPollers: maximum,
}: NonNullable<MappingSettingsInput['ProvisionedPollerConfig']>): Settings['provisionedPollers'] {
  if (minimum === undefined && maximum === undefined) return undefined;
  return {
    ...(minimum === undefined ? {} : { minimum }),
    ...(maximum === undefined ? {} : { maximum }),
  };
}

/** Throws for settings that don't go together (Lambda's guide to SQS). */
export function requireConsistent(settings: Settings, queueArn: string): void {
  const { batchSize, batchingWindowSeconds } = settings;
  if (queueArn.endsWith('.fifo')) {
    if (batchSize > limits.eventSources.messagesPerReceive) {
      throw invalidParameter('Batch size must be at most 10 for FIFO queues.');
    }
    if (batchingWindowSeconds > 0) {
      throw invalidParameter('Batching window is not supported for FIFO queues.');
    }
  }
  if (batchSize > limits.eventSources.messagesPerReceive && batchingWindowSeconds === 0) {
    throw invalidParameter(
      'Maximum batch window in seconds must be greater than 0 if maximum batch size is greater ' +
        'than 10',
    );
  }
}

function readFilters(criteria: NonNullable<MappingSettingsInput['FilterCriteria']>) {
  const filters = criteria.Filters ?? [];
  if (filters.length > limits.eventSources.filters) {
    throw invalidParameter(`At most ${limits.eventSources.filters} filters are supported.`);
  }
  if (filters.length === 0) return undefined;
  return filters.map(({ Pattern }) => {
    try {
      readEventPattern(Pattern ?? '');
      return Pattern ?? '';
    } catch (error) {
      if (!isSluiceError(error, 'EVENT_PATTERN_INVALID')) throw error;
      const unsupported = error.data['unsupported'];
      throw invalidParameter(
        typeof unsupported === 'string'
          ? `Invalid filter pattern definition. ${error.message}`
          : 'Invalid filter pattern definition.',
      );
    }
  });
}
