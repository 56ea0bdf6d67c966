import { findTarget, versionName } from '../../catalogue/mod.ts';
import type { RuntimeManagementRecord } from '../../records/mod.ts';
import { invalidParameter } from '../api-error.ts';
import { changeFunction } from '../change.ts';
import { json, type Operation, readInput } from '../operation.ts';
import { renderConfiguration } from '../rendering.ts';
import { referenceOf, requireQualifier } from '../request-target.ts';
import type { Services } from '../services.ts';
import { string, structure } from '../shapes.ts';

const path = '/2021-07-20/functions/:FunctionName/runtime-management-config';
const putInput = structure(
  { UpdateRuntimeOn: string({ values: ['Auto', 'Manual', 'FunctionUpdate'] }) },
  {
    RuntimeVersionArn: string({
      max: 2048,
      min: 26,
      pattern: 'arn:(aws[a-zA-Z-]*):lambda:[a-z]{2}(-gov)?-[a-z]+-\\d{1}::runtime:.+',
    }),
  },
);
const byDefault: RuntimeManagementRecord = { updateRuntimeOn: 'Auto' };

function render(arn: unknown, record: RuntimeManagementRecord): object {
  return {
    UpdateRuntimeOn: record.updateRuntimeOn,
    FunctionArn: arn,
    ...(record.runtimeVersionArn ? { RuntimeVersionArn: record.runtimeVersionArn } : {}),
  };
}

/** `GetRuntimeManagementConfig`: what was put, else `Auto`. */
export function getRuntimeManagementConfig(services: Services): Operation {
  return {
    name: 'GetRuntimeManagementConfig',
    method: 'GET',
    path,
    async handle(request) {
      const reference = referenceOf(services, request, 'GetRuntimeManagementConfig');
      const { record, version } = await findTarget(services, reference);
      const qualifier = reference.qualifier ?? versionName(version.version);
      const shown = renderConfiguration(services.region, record, version, qualifier);
      const kept = record.runtimeManagement?.[qualifier] ?? byDefault;
      return json(200, render(shown['FunctionArn'], kept));
    },
  };
}

/** `PutRuntimeManagementConfig`: kept for whoever asks; bases are updated by whoever runs the region. */
export function putRuntimeManagementConfig(services: Services): Operation {
  return {
    name: 'PutRuntimeManagementConfig',
    method: 'PUT',
    path,
    async handle(request) {
      const reference = referenceOf(services, request, 'PutRuntimeManagementConfig');
      const { UpdateRuntimeOn, RuntimeVersionArn } = readInput(request, putInput);
      const manual = UpdateRuntimeOn === 'Manual';
      if (manual !== (RuntimeVersionArn !== undefined)) {
        throw invalidParameter(
          manual
            ? 'RuntimeVersionArn is required for the update mode Manual.'
            : 'RuntimeVersionArn may be given for the update mode Manual only.',
        );
      }
      const { record, version } = await findTarget(services, reference);
      const qualifier = reference.qualifier ?? versionName(version.version);
      const kept: RuntimeManagementRecord = {
        updateRuntimeOn: UpdateRuntimeOn,
        ...(RuntimeVersionArn ? { runtimeVersionArn: RuntimeVersionArn } : {}),
      };
      await changeFunction(services, reference, (current) => {
        requireQualifier(services, current, reference);
        const runtimeManagement = { ...current.runtimeManagement, [qualifier]: kept };
        return { function: { ...current, runtimeManagement } };
      });
      const shown = renderConfiguration(services.region, record, version, qualifier);
      return json(200, render(shown['FunctionArn'], kept));
    },
  };
}
