import { findFunction } from '../../catalogue/mod.ts';
import { changeFunction } from '../change.ts';
import { json, type Operation, readInput } from '../operation.ts';
import { referenceOf } from '../request-target.ts';
import type { Services } from '../services.ts';
import { string, structure } from '../shapes.ts';

const path = '/2024-08-31/functions/:FunctionName/recursion-config';
const putInput = structure({ RecursiveLoop: string({ values: ['Terminate', 'Allow'] }) }, {});

/** `GetFunctionRecursionConfig`: what was put, else the service's default. */
export function getFunctionRecursionConfig(services: Services): Operation {
  return {
    name: 'GetFunctionRecursionConfig',
    method: 'GET',
    path,
    async handle(request) {
      const reference = referenceOf(services, request, 'GetFunctionRecursionConfig');
      const record = await findFunction(services, reference);
      return json(200, { RecursiveLoop: record.recursiveLoop ?? 'Terminate' });
    },
  };
}

/** `PutFunctionRecursionConfig`: kept for the tools that read it back; no loop is detected here. */
export function putFunctionRecursionConfig(services: Services): Operation {
  return {
    name: 'PutFunctionRecursionConfig',
    method: 'PUT',
    path,
    async handle(request) {
      const reference = referenceOf(services, request, 'PutFunctionRecursionConfig');
      const { RecursiveLoop: recursiveLoop } = readInput(request, putInput);
      await changeFunction(services, reference, (record) => ({
        function: { ...record, recursiveLoop },
      }));
      return json(200, { RecursiveLoop: recursiveLoop });
    },
  };
}
