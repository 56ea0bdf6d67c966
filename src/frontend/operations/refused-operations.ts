import { invalidParameter } from '../api-error.ts';
import { authorize } from '../authorization.ts';
import type { Operation } from '../operation.ts';
import { referenceOf } from '../request-target.ts';
import type { Services } from '../services.ts';

type Refused = readonly [name: string, method: Operation['method'], path: string];

const signing = 'this region verifies no code signatures';
const providers = 'this region has no capacity providers';
const durable = 'this region has no durable executions';
const policies = 'use AddPermission, GetPolicy and RemovePermission';

const configs = '/2020-04-22/code-signing-configs';
const capacity = '/2025-11-30/capacity-providers';
const scaling = '/2025-11-30/functions/:FunctionName/function-scaling-config';
const executions = '/2025-12-01/durable-executions';
const callbacks = '/2025-12-01/durable-execution-callbacks/:CallbackId';
const resourcePolicy = '/2026-07-09/resource-policy/*';

/** By the reason: what the service model has and a region here does not. */
const refused: Readonly<Record<string, readonly Refused[]>> = {
  [signing]: [
    ['CreateCodeSigningConfig', 'POST', configs],
    ['ListCodeSigningConfigs', 'GET', configs],
    ['GetCodeSigningConfig', 'GET', `${configs}/:CodeSigningConfigArn`],
    ['UpdateCodeSigningConfig', 'PUT', `${configs}/:CodeSigningConfigArn`],
    ['DeleteCodeSigningConfig', 'DELETE', `${configs}/:CodeSigningConfigArn`],
    ['ListFunctionsByCodeSigningConfig', 'GET', `${configs}/:CodeSigningConfigArn/functions`],
    [
      'PutFunctionCodeSigningConfig',
      'PUT',
      '/2020-06-30/functions/:FunctionName/code-signing-config',
    ],
    [
      'DeleteFunctionCodeSigningConfig',
      'DELETE',
      '/2020-06-30/functions/:FunctionName/code-signing-config',
    ],
  ],
  [providers]: [
    ['CreateCapacityProvider', 'POST', capacity],
    ['ListCapacityProviders', 'GET', capacity],
    ['GetCapacityProvider', 'GET', `${capacity}/:CapacityProviderName`],
    ['UpdateCapacityProvider', 'PUT', `${capacity}/:CapacityProviderName`],
    ['DeleteCapacityProvider', 'DELETE', `${capacity}/:CapacityProviderName`],
    [
      'ListFunctionVersionsByCapacityProvider',
      'GET',
      `${capacity}/:CapacityProviderName/function-versions`,
    ],
    ['GetFunctionScalingConfig', 'GET', scaling],
    ['PutFunctionScalingConfig', 'PUT', scaling],
  ],
  [durable]: [
    ['CheckpointDurableExecution', 'POST', `${executions}/:DurableExecutionArn/checkpoint`],
    ['GetDurableExecution', 'GET', `${executions}/:DurableExecutionArn`],
    ['GetDurableExecutionHistory', 'GET', `${executions}/:DurableExecutionArn/history`],
    ['GetDurableExecutionState', 'GET', `${executions}/:DurableExecutionArn/state`],
    ['StopDurableExecution', 'POST', `${executions}/:DurableExecutionArn/stop`],
    [
      'ListDurableExecutionsByFunction',
      'GET',
      '/2025-12-01/functions/:FunctionName/durable-executions',
    ],
    ['SendDurableExecutionCallbackSuccess', 'POST', `${callbacks}/succeed`],
    ['SendDurableExecutionCallbackFailure', 'POST', `${callbacks}/fail`],
    ['SendDurableExecutionCallbackHeartbeat', 'POST', `${callbacks}/heartbeat`],
  ],
  [policies]: [
    ['GetResourcePolicy', 'GET', resourcePolicy],
    ['PutResourcePolicy', 'PUT', resourcePolicy],
    ['DeleteResourcePolicy', 'DELETE', resourcePolicy],
  ],
};

/** Operations of the newest model that are answered with the reason why they are not served. */
export function refusedOperations(services: Services): Operation[] {
  return Object.entries(refused).flatMap(([reason, operations]) =>
    operations.map(([name, method, path]) => ({
      ...{ name, method, path },
      handle(request): Promise<never> {
        if (path.includes(':FunctionName')) referenceOf(services, request, name);
        else authorize(services, request, name);
        throw invalidParameter(`${name} is not supported: ${reason}.`);
      },
    })),
  );
}
