import type { Credential } from '../accounts/mod.ts';
import { type FunctionReference, functionArn } from '../catalogue/mod.ts';
import type { FunctionRecord, UrlRecord } from '../records/mod.ts';
import { ApiError } from './api-error.ts';
import type { ApiRequest } from './operation.ts';
import { evaluateIdentity, type Verdict } from './policies/identity-policy.ts';
import { resourceAllows } from './policies/resource-policy.ts';
import type { Services } from './services.ts';

/** The name that policies and error messages know a caller by. */
export function principalOf(caller: Credential): string {
  return caller.principalArn ?? `arn:aws:iam::${caller.accountId}:root`;
}

type PolicyKind = 'identity' | 'resource';

function denied(caller: Credential, action: string, resource: string, kind: PolicyKind): ApiError {
  return new ApiError(
    'AccessDeniedException',
    `User: ${principalOf(caller)} is not authorized to perform: ${action} on resource: ` +
      `${resource} because no ${kind}-based policy allows the ${action} action`,
  );
}

/**
 * Asks the caller's own policies. A key without any has all of its account, as a root user has.
 * `ofFunction` is the function's ARN where the resource is another thing that belongs to it.
 * Throws `AccessDeniedException`.
 */
export function authorize(
  services: Services,
  request: ApiRequest,
  operation: string,
  resource = '*',
  ofFunction = resource === '*' ? undefined : resource,
): void {
  const { caller } = request;
  const verdict = verdictOf(services, caller, operation, resource, ofFunction);
  if (verdict !== 'allow') throw refusal(caller, `lambda:${operation}`, resource, verdict);
}

/**
 * Asks the caller's own policies about a queue or topic that the region uses later in his stead, by
 * the action of its service (`sqs:SendMessage`). Throws `AccessDeniedException`.
 */
export function authorizeAction(
  services: Pick<Services, 'region'>,
  caller: Credential,
  action: string,
  resource: string,
): void {
  const verdict = verdictOn(services, caller, action, resource, undefined);
  if (verdict !== 'allow') throw refusal(caller, action, resource, verdict);
}

function verdictOf(
  services: Pick<Services, 'region'>,
  caller: Credential,
  operation: string,
  resource: string,
  ofFunction: string | undefined,
): Verdict {
  return verdictOn(services, caller, `lambda:${operation}`, resource, ofFunction);
}

function verdictOn(
  services: Pick<Services, 'region'>,
  caller: Credential,
  action: string,
  resource: string,
  ofFunction: string | undefined,
): Verdict {
  if (caller.policies === undefined) return 'allow';
  const context = {
    'aws:principalaccount': caller.accountId,
    'aws:principalarn': principalOf(caller),
    'aws:requestedregion': services.region,
    'lambda:functionarn': ofFunction,
  };
  return evaluateIdentity(caller.policies, { action, resource }, context);
}

function refusal(caller: Credential, action: string, resource: string, verdict: Verdict): ApiError {
  if (verdict === 'none') return denied(caller, action, resource, 'identity');
  return new ApiError(
    'AccessDeniedException',
    `User: ${principalOf(caller)} is not authorized to perform: ${action} on resource: ` +
      `${resource} with an explicit deny in an identity-based policy`,
  );
}

/**
 * Asks whether a caller may invoke a function of its own account: by its own policies, or because
 * the function's policy names it, unless its own deny it.
 */
export function authorizeOwnInvoke(
  services: Pick<Services, 'region'>,
  caller: Credential,
  reference: FunctionReference,
  record: FunctionRecord | undefined,
): void {
  const arn = functionArn(services.region, reference, reference.qualifier);
  const verdict = verdictOf(services, caller, 'InvokeFunction', arn, arn);
  if (verdict === 'allow') return;
  const policy = record?.policies[reference.qualifier ?? '$LATEST'];
  // The account as a whole, when named, only leaves it to the account's own policies.
  const principalArn = principalOf(caller);
  const call = { action: 'lambda:InvokeFunction', accountId: '', principalArn, context: {} };
  if (verdict === 'none' && resourceAllows(policy, call)) return;
  throw refusal(caller, 'lambda:InvokeFunction', arn, verdict);
}

/** Asks about a function of the caller's account; another account's is refused unseen. */
export function authorizeFunction(
  services: Services,
  request: ApiRequest,
  operation: string,
  reference: FunctionReference,
): void {
  const arn = functionArn(services.region, reference, reference.qualifier);
  if (reference.accountId !== request.caller.accountId) {
    throw denied(request.caller, `lambda:${operation}`, arn, 'resource');
  }
  authorize(services, request, operation, arn);
}

/**
 * Asks whether a caller of another account may invoke: its own policies and the function's must
 * both allow. The refusal is the same whether the function exists or not.
 */
export function authorizeForeignInvoke(
  services: Services,
  request: ApiRequest,
  reference: FunctionReference,
  record: FunctionRecord | undefined,
): void {
  const arn = functionArn(services.region, reference, reference.qualifier);
  const action = 'lambda:InvokeFunction';
  const { caller } = request;
  const call = {
    action,
    accountId: caller.accountId,
    principalArn: principalOf(caller),
    context: {},
  };
  const policy = record?.policies[reference.qualifier ?? '$LATEST'];
  if (!resourceAllows(policy, call)) throw denied(caller, action, arn, 'resource');
  authorize(services, request, 'InvokeFunction', arn);
}

/**
 * Whether a function URL may be used. A URL for everybody still needs the statement in the
 * function's policy that says so; a signed request needs its own account's policies or the
 * function's, and from another account both.
 */
export function authorizeUrlInvoke(
  services: Services,
  caller: Credential | undefined,
  {
    record,
    config,
    qualifier,
  }: { record: FunctionRecord; config: UrlRecord; qualifier: string | undefined },
): boolean {
  const action = 'lambda:InvokeFunctionUrl';
  const policy = record.policies[qualifier ?? '$LATEST'];
  const context = {
    'lambda:FunctionUrlAuthType': config.authType,
    'lambda:InvokedViaFunctionUrl': 'true',
  };
  const anybody = { accountId: '', principalArn: '' };
  const who = caller ? { accountId: caller.accountId, principalArn: principalOf(caller) } : anybody;
  const byResource = resourceAllows(policy, { action, context, ...who });
  if (!caller) return byResource;
  const resource = functionArn(services.region, record, qualifier);
  const verdict = verdictOf(services, caller, 'InvokeFunctionUrl', resource, resource);
  if (verdict === 'deny') return false;
  const own = caller.accountId === record.accountId;
  return own ? verdict === 'allow' || byResource : verdict === 'allow' && byResource;
}
