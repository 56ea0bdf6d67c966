import { limits } from '../../base/mod.ts';
import { authorize } from '../authorization.ts';
import { json, type Operation } from '../operation.ts';
import type { Services } from '../services.ts';

/** `GetAccountSettings`: the account's quotas and what it uses of them. */
export function getAccountSettings(services: Services): Operation {
  const { lambda } = limits;
  return {
    name: 'GetAccountSettings',
    method: 'GET',
    path: '/2016-08-19/account-settings',
    async handle(request) {
      authorize(services, request, 'GetAccountSettings');
      const totals = await services.store.totals(request.caller.accountId);
      const unreserved = lambda.accountConcurrency - totals.reservedConcurrency;
      return json(200, {
        AccountLimit: {
          TotalCodeSize: lambda.codeStorageBytes,
          CodeSizeUnzipped: lambda.codeSizeUnzippedBytes,
          CodeSizeZipped: lambda.codeSizeZippedBytes,
          ConcurrentExecutions: lambda.accountConcurrency,
          UnreservedConcurrentExecutions: unreserved,
        },
        AccountUsage: { TotalCodeSize: totals.codeSizeBytes, FunctionCount: totals.functions },
      });
    },
  };
}
