import { limits } from '../../base/mod.ts';
import { findFunction, functionNotFound } from '../../catalogue/mod.ts';
import { concurrencyProvisioned, concurrencySetAside } from '../../records/mod.ts';
import { invalidParameter } from '../api-error.ts';
import { changeFunction } from '../change.ts';
import { type ApiRequest, json, noContent, type Operation, readInput } from '../operation.ts';
import { referenceOf } from '../request-target.ts';
import type { Services } from '../services.ts';
import { number, structure } from '../shapes.ts';
import { withoutQualifier } from '../without-qualifier.ts';

const input = structure({ ReservedConcurrentExecutions: number({ min: 0 }) }, {});

/** Concurrency belongs to a function as a whole. */
async function wholeFunction(services: Services, request: ApiRequest, operation: string) {
  const reference = referenceOf(services, request, operation);
  const unqualified = withoutQualifier(reference);
  if (reference.qualifier === undefined) return unqualified;
  if (!(await services.cache.read(reference))) throw functionNotFound(services.region, reference);
  throw invalidParameter(
    'This operation is permitted on Lambda functions only. Aliases and versions do not support ' +
      'this operation. Please specify either a function name or an unqualified function ARN.',
  );
}

/** `PutFunctionConcurrency`: the rest of the account keeps its minimum. */
export function putFunctionConcurrency(services: Services): Operation {
  return {
    name: 'PutFunctionConcurrency',
    method: 'PUT',
    path: '/2017-10-31/functions/:FunctionName/concurrency',
    async handle(request) {
      const reference = await wholeFunction(services, request, 'PutFunctionConcurrency');
      const { ReservedConcurrentExecutions: reserved } = readInput(request, input);
      const { accountConcurrency, unreservedConcurrencyMin } = limits.lambda;
      await changeFunction(services, reference, (record, totals) => {
        const others = totals.reservedConcurrency - concurrencySetAside(record);
        if (accountConcurrency - others - reserved < unreservedConcurrencyMin) {
          throw invalidParameter(
            "Specified ReservedConcurrentExecutions for function decreases account's " +
              'UnreservedConcurrentExecution below its minimum value of ' +
              `[${unreservedConcurrencyMin}].`,
          );
        }
        const provisioned = concurrencyProvisioned(record);
        if (reserved < provisioned) {
          throw invalidParameter(
            ` ReservedConcurrentExecutions ${reserved} should not be lower than function's total ` +
              `provisioned concurrency [${provisioned}].`,
          );
        }
        return { function: { ...record, reservedConcurrency: reserved } };
      });
      return json(200, { ReservedConcurrentExecutions: reserved });
    },
  };
}

export function getFunctionConcurrency(services: Services): Operation {
  return {
    name: 'GetFunctionConcurrency',
    method: 'GET',
    path: '/2019-09-30/functions/:FunctionName/concurrency',
    async handle(request) {
      const reference = await wholeFunction(services, request, 'GetFunctionConcurrency');
      const { reservedConcurrency } = await findFunction(services, reference);
      if (reservedConcurrency === undefined) return json(200, {});
      return json(200, { ReservedConcurrentExecutions: reservedConcurrency });
    },
  };
}

export function deleteFunctionConcurrency(services: Services): Operation {
  return {
    name: 'DeleteFunctionConcurrency',
    method: 'DELETE',
    path: '/2017-10-31/functions/:FunctionName/concurrency',
    async handle(request) {
      const reference = await wholeFunction(services, request, 'DeleteFunctionConcurrency');
      await changeFunction(services, reference, (record) => {
        const { reservedConcurrency: _, ...rest } = record;
        return { function: rest };
      });
      return noContent;
    },
  };
}
