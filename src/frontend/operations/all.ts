import type { Operation } from '../operation.ts';
import type { Services } from '../services.ts';
import { getAccountSettings } from './account-settings.ts';
import { createAlias, deleteAlias, getAlias, listAliases, updateAlias } from './aliases.ts';
import { createFunction } from './create-function.ts';
import { deleteFunction } from './delete-function.ts';
import {
  deleteFunctionEventInvokeConfig,
  getFunctionEventInvokeConfig,
  listFunctionEventInvokeConfigs,
  putFunctionEventInvokeConfig,
  updateFunctionEventInvokeConfig,
} from './event-invoke-config.ts';
import {
  createEventSourceMapping,
  deleteEventSourceMapping,
  getEventSourceMapping,
  listEventSourceMappings,
  updateEventSourceMapping,
} from './event-source-mappings.ts';
import {
  createFunctionUrlConfig,
  deleteFunctionUrlConfig,
  getFunctionUrlConfig,
  listFunctionUrlConfigs,
  updateFunctionUrlConfig,
} from './function-urls.ts';
import { invoke, invokeAsync } from './invoke.ts';
import { invokeWithResponseStream } from './invoke-with-response-stream.ts';
import {
  addLayerVersionPermission,
  getLayerVersionPolicy,
  removeLayerVersionPermission,
} from './layer-permissions.ts';
import {
  deleteLayerVersion,
  getLayerVersion,
  listLayers,
  listLayerVersions,
  publishLayerVersion,
} from './layers.ts';
import { addPermission, getPolicy, removePermission } from './permissions.ts';
import {
  deleteProvisionedConcurrencyConfig,
  getProvisionedConcurrencyConfig,
  putProvisionedConcurrencyConfig,
} from './provisioned-concurrency.ts';
import { getFunction, getFunctionConfiguration, listFunctions } from './read-functions.ts';
import { getFunctionRecursionConfig, putFunctionRecursionConfig } from './recursion-config.ts';
import { refusedOperations } from './refused-operations.ts';
import {
  deleteFunctionConcurrency,
  getFunctionConcurrency,
  putFunctionConcurrency,
} from './reserved-concurrency.ts';
import { getRuntimeManagementConfig, putRuntimeManagementConfig } from './runtime-management.ts';
import { listTags, tagResource, untagResource } from './tags.ts';
import { updateFunctionCode, updateFunctionConfiguration } from './update-function.ts';
import {
  getFunctionCodeSigningConfig,
  listVersionsByFunction,
  publishVersion,
} from './versions.ts';

const functionOperations = [
  createFunction,
  getFunction,
  getFunctionConfiguration,
  listFunctions,
  updateFunctionCode,
  updateFunctionConfiguration,
  deleteFunction,
  publishVersion,
  listVersionsByFunction,
  createAlias,
  getAlias,
  updateAlias,
  deleteAlias,
  listAliases,
  getFunctionCodeSigningConfig,
  getRuntimeManagementConfig,
  putRuntimeManagementConfig,
  getFunctionRecursionConfig,
  putFunctionRecursionConfig,
];

const settingOperations = [
  putFunctionConcurrency,
  getFunctionConcurrency,
  deleteFunctionConcurrency,
  putProvisionedConcurrencyConfig,
  getProvisionedConcurrencyConfig,
  deleteProvisionedConcurrencyConfig,
  putFunctionEventInvokeConfig,
  updateFunctionEventInvokeConfig,
  getFunctionEventInvokeConfig,
  deleteFunctionEventInvokeConfig,
  listFunctionEventInvokeConfigs,
  createFunctionUrlConfig,
  getFunctionUrlConfig,
  updateFunctionUrlConfig,
  deleteFunctionUrlConfig,
  listFunctionUrlConfigs,
  addPermission,
  getPolicy,
  removePermission,
  listTags,
  tagResource,
  untagResource,
  getAccountSettings,
];

const layerOperations = [
  publishLayerVersion,
  getLayerVersion,
  deleteLayerVersion,
  listLayerVersions,
  listLayers,
  addLayerVersionPermission,
  getLayerVersionPolicy,
  removeLayerVersionPermission,
];

const eventSourceOperations = [
  createEventSourceMapping,
  listEventSourceMappings,
  getEventSourceMapping,
  updateEventSourceMapping,
  deleteEventSourceMapping,
];

/** Every operation of the API that this frontend answers, even if only with a refusal. */
export function allOperations(services: Services): Operation[] {
  const served = [
    invoke,
    invokeAsync,
    invokeWithResponseStream,
    ...functionOperations,
    ...settingOperations,
    ...layerOperations,
    ...eventSourceOperations,
  ];
  return [...served.map((each) => each(services)), ...refusedOperations(services)];
}
