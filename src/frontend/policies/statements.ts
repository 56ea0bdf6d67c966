import { limits } from '../../base/mod.ts';
import type { PolicyRecord, PolicyStatement } from '../../records/mod.ts';
import { ApiError, conflict, invalidParameter, notFound } from '../api-error.ts';
import { json } from '../operation.ts';
import { string } from '../shapes.ts';

/** What names a statement of a function's or a layer version's policy. */
export const statementId = string({ max: 100, min: 1, pattern: '([a-zA-Z0-9-_]+)' });

/** Services sign in under the provider's own domains; no other name can ever be a caller. */
const servicePrincipal =
  /^([a-z0-9-]+\.)+(amazonaws\.com(\.cn)?|amazon\.com|aws\.internal|aws\.amazon\.com)$/;

/** The `Principal` of a statement. Throws where the caller's word is none that the API takes. */
export function principal(given: string): PolicyStatement['Principal'] {
  if (given === '*') return '*';
  if (/^\d{12}$/.test(given)) return { AWS: `arn:aws:iam::${given}:root` };
  if (/^arn:aws[a-z-]*:(iam|sts)::\d{12}:\S+$/.test(given)) return { AWS: given };
  if (servicePrincipal.test(given)) return { Service: given };
  throw invalidParameter(
    'The provided principal was invalid. Please check the principal and try again.',
  );
}

/** The statements and one more. Throws if its id is taken, or the policy would be too long. */
export function withStatement(
  policy: PolicyRecord | undefined,
  statement: PolicyStatement,
): readonly PolicyStatement[] {
  if (policy?.statements.some((each) => each.Sid === statement.Sid)) {
    throw conflict(
      `The statement id (${statement.Sid}) provided already exists. Please provide a new ` +
        'statement id, or remove the existing statement.',
    );
  }
  const statements = [...(policy?.statements ?? []), statement];
  requireLength(renderPolicy(statements));
  return statements;
}

/** The statements but one. Throws if it is not there. */
export function withoutStatement(
  policy: PolicyRecord | undefined,
  sid: string,
): readonly PolicyStatement[] {
  const { statements } = requirePolicy(policy);
  const others = statements.filter((each) => each.Sid !== sid);
  if (others.length < statements.length) return others;
  throw notFound(`Statement ${sid} is not found in resource policy.`);
}

/** What `GetPolicy` and `GetLayerVersionPolicy` answer. */
export function policyAnswer({ statements, revisionId }: PolicyRecord) {
  return json(200, { Policy: renderPolicy(statements), RevisionId: revisionId });
}

function requirePolicy(policy: PolicyRecord | undefined): PolicyRecord {
  if (policy) return policy;
  throw notFound('No policy is associated with the given resource.');
}

function renderPolicy(statements: readonly PolicyStatement[]): string {
  return JSON.stringify({ Version: '2012-10-17', Id: 'default', Statement: statements });
}

function requireLength(text: string): void {
  const limit = limits.lambda.resourcePolicyBytes;
  const size = Buffer.byteLength(text);
  if (size <= limit) return;
  throw new ApiError(
    'PolicyLengthExceededException',
    `The final policy size (${size}) is bigger than the limit (${limit}).`,
  );
}
