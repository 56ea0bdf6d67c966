import { limits } from '../base/mod.ts';
import type { FunctionReference } from '../catalogue/mod.ts';
import { ApiError, invalidParameter, notFound } from './api-error.ts';
import { throwBreaches } from './shape-errors.ts';
import { string } from './shapes.ts';

/** The forms of the path label `FunctionName`, from a bare name to a full ARN (service model). */
export const functionNamePattern =
  '(arn:(aws[a-zA-Z-]*)?:lambda:)?((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1}:)?' +
  '(\\d{12}:)?(function:)?([a-zA-Z0-9-_]+)(:(\\$LATEST|[a-zA-Z0-9-_]+))?';
const qualifierPattern = '\\$(LATEST(\\.PUBLISHED)?)|[a-zA-Z0-9-_$]+';

const parts = new RegExp(
  '^(?:arn:aws[a-zA-Z-]*:lambda:)?(?:([a-z]{2}[a-z-]*-\\d):)?(?:(\\d{12}):)?(?:function:)?' +
    '([a-zA-Z0-9-_]+)(?::(\\$LATEST|[a-zA-Z0-9-_]+))?$',
);
const nameShape = string({ max: limits.lambda.functionArnChars, pattern: functionNamePattern });
const qualifierShape = string({ max: 128, min: 1, pattern: qualifierPattern });

/**
 * Reads `FunctionName` (already percent-decoded) and `Qualifier`. Throws ValidationException for
 * what fits no form, InvalidParameterValueException where the two contradict each other, and
 * ResourceNotFoundException for another region.
 */
export function parseFunctionReference(
  given: string,
  qualifierGiven: string | null | undefined,
  caller: { readonly accountId: string; readonly region: string },
): FunctionReference {
  const breaches: string[] = [];
  nameShape.check(given, 'functionName', breaches);
  // Some clients send `Qualifier=` for none.
  const asked = qualifierGiven || undefined;
  if (asked !== undefined) qualifierShape.check(asked, 'qualifier', breaches);
  throwBreaches(breaches);
  const match = parts.exec(given);
  if (!match) throw new ApiError('ValidationException', `${given}: not a function name or ARN`);
  const [, region, accountId = caller.accountId, name = '', derived] = match;
  if (name.length > limits.lambda.functionNameChars) {
    const tooLong: string[] = [];
    string({ max: limits.lambda.functionNameChars }).check(name, 'functionName', tooLong);
    throw invalidParameter(`1 validation error detected: ${tooLong[0]}`);
  }
  if (region !== undefined && region !== caller.region) {
    throw notFound(
      `Functions from '${region}' are not reachable in this region ('${caller.region}')`,
    );
  }
  if (derived !== undefined && asked !== undefined && derived !== asked) {
    throw invalidParameter(
      'The derived qualifier from the function name does not match the specified qualifier.',
    );
  }
  return { accountId, name, qualifier: derived ?? asked };
}
