import type { Operation } from '../operation.ts';
import type { Services } from '../services.ts';
import { getAccountSettings } from './account-settings.ts';
import { createFunction } from './create-function.ts';
import { deleteFunction } from './delete-function.ts';
import { invoke } from './invoke.ts';
import { getFunction, getFunctionConfiguration, listFunctions } from './read-functions.ts';
import { updateFunctionCode, updateFunctionConfiguration } from './update-function.ts';

/** Every operation of the API that this frontend answers. */
export function allOperations(services: Services): Operation[] {
  return [
    invoke,
    createFunction,
    getFunction,
    getFunctionConfiguration,
    listFunctions,
    updateFunctionCode,
    updateFunctionConfiguration,
    deleteFunction,
    getAccountSettings,
  ].map((each) => each(services));
}
