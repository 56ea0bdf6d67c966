import { z } from 'zod';
import { SluiceError } from '../base/mod.ts';
import { conditionOperators, type IdentityPolicy } from './account-records.ts';

const texts = z.union([z.string(), z.array(z.string()).min(1)]);

const statement = z.strictObject({
  Sid: z.string().optional(),
  Effect: z.enum(['Allow', 'Deny']),
  Action: texts,
  Resource: texts,
  Condition: z.partialRecord(z.enum(conditionOperators), z.record(z.string(), texts)).optional(),
});

const schema = z.strictObject({
  Version: z.enum(['2012-10-17', '2008-10-17']).optional(),
  Id: z.string().optional(),
  Statement: z.preprocess(
    (given) => (given === undefined || Array.isArray(given) ? given : [given]),
    z.array(statement),
  ),
});

/**
 * Reads an IAM policy document. What is not evaluated here (`NotAction`, other operators) is refused
 * by name, since a policy that is passed over in part says something else. Throws `USAGE`.
 */
export function parseIdentityPolicy(text: string, where: string): IdentityPolicy {
  let document: unknown;
  try {
    document = JSON.parse(text);
  } catch (cause) {
    throw new SluiceError('USAGE', `${where}: is not JSON`, { cause });
  }
  const parsed = schema.safeParse(document);
  if (parsed.success) return parsed.data as IdentityPolicy;
  throw new SluiceError('USAGE', `${where}: ${z.prettifyError(parsed.error)}`);
}
