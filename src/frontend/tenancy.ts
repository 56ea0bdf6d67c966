import type { Target } from '../catalogue/mod.ts';
import type { FunctionRecord } from '../records/mod.ts';
import { invalidParameter } from './api-error.ts';

/** Throws unless an invoke names a tenant if and only if its function keeps tenants apart. */
export function requireTenancy({ version }: Target, tenantId: string | undefined): void {
  const isolates = version.configuration.tenancy !== undefined;
  if (isolates === (tenantId !== undefined)) return;
  throw invalidParameter(
    isolates
      ? 'The invoked function is enabled with tenancy configuration. Add a valid tenant ID in ' +
          'your request and try again.'
      : 'The invoked function is not enabled with tenancy configuration. Remove the tenant ID ' +
          'from your request and try again.',
  );
}

/** Throws for what invokes a function without naming a tenant. */
export function refuseForTenancy({ latest }: FunctionRecord, what: string): void {
  if (latest.configuration.tenancy === undefined) return;
  throw invalidParameter(`${what} is not supported for functions with tenancy configuration.`);
}
