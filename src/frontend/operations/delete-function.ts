import { invalidParameter } from '../api-error.ts';
import { functionArn } from '../function-name.ts';
import { functionNotFound, referenceOf } from '../lookup.ts';
import { noContent, type Operation } from '../operation.ts';
import type { Services } from '../services.ts';

/** `DeleteFunction`: the record goes first, so that no new invoke finds it; then the sandboxes. */
export function deleteFunction(services: Services): Operation {
  return {
    name: 'DeleteFunction',
    method: 'DELETE',
    path: '/2015-03-31/functions/:FunctionName',
    async handle(request) {
      const reference = referenceOf(services, request, 'DeleteFunction');
      if (reference.qualifier === '$LATEST') {
        throw invalidParameter('$LATEST version cannot be deleted without deleting the function.');
      }
      const record = await services.store.read(reference);
      if (!record || reference.qualifier !== undefined) {
        throw functionNotFound(services, reference);
      }
      if (!(await services.store.remove(reference))) throw functionNotFound(services, reference);
      services.installs.cancel(record);
      await services.invoker.drain(functionArn(services.region, reference, '$LATEST'));
      return noContent;
    },
  };
}
