import findMyWay, { type HTTPMethod } from 'find-my-way';
import type { Operation } from '../operation.ts';

export interface Route {
  readonly operation: Operation;
  readonly labels: Readonly<Record<string, string | undefined>>;
}

const LABEL_CHARS_MAX = 2048;

/** Finds the operation of a path; labels come percent-decoded, a trailing slash does not matter. */
export class Router {
  readonly #routes = findMyWay({ ignoreTrailingSlash: true, maxParamLength: LABEL_CHARS_MAX });

  constructor(operations: readonly Operation[]) {
    for (const each of operations) this.#routes.on(each.method, each.path, () => {}, each);
  }

  find(method: string, rawPath: string): Route | undefined {
    const found = this.#routes.find(method as HTTPMethod, rawPath);
    return found ? { operation: found.store as Operation, labels: found.params } : undefined;
  }
}
