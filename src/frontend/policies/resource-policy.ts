import type { PolicyRecord, PolicyStatement } from '../../records/mod.ts';
import { conditionTest, wildcardMatches } from './identity-policy.ts';

export interface ResourceCall {
  readonly action: string;
  readonly accountId: string;
  readonly principalArn: string;
  /** What conditions are compared with, by the key as AddPermission writes it. */
  readonly context: Readonly<Record<string, string>>;
}

function principalMatches({ Principal }: PolicyStatement, call: ResourceCall): boolean {
  if (Principal === '*') return true;
  if (!('AWS' in Principal)) return false;
  const { AWS: wanted } = Principal;
  return (
    wanted === call.accountId ||
    wanted === call.principalArn ||
    wanted === `arn:aws:iam::${call.accountId}:root`
  );
}

/** A condition about something that this call does not have is not met. */
function conditionsMet({ Condition = {} }: PolicyStatement, call: ResourceCall): boolean {
  return Object.entries(Condition).every(([operator, keys]) => {
    // AddPermission writes Bool beside what identity policies may have.
    const test = conditionTest(operator === 'Bool' ? 'StringEquals' : operator);
    return Object.entries(keys).every(([key, wanted]) => {
      const found = call.context[key];
      return test !== undefined && found !== undefined && test(wanted, found);
    });
  });
}

/** Whether a resource policy lets the call through; statements only ever allow. */
export function resourceAllows(policy: PolicyRecord | undefined, call: ResourceCall): boolean {
  if (!policy) return false;
  return policy.statements.some(
    (each) =>
      wildcardMatches(each.Action, call.action) &&
      principalMatches(each, call) &&
      conditionsMet(each, call),
  );
}
