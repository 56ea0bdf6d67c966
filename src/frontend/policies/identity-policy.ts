import {
  type ConditionOperator,
  conditionOperators,
  type IdentityPolicy,
  type IdentityStatement,
} from '../../accounts/mod.ts';

/** What a condition may ask about a request, by lower-case key. */
export type PolicyContext = Readonly<Record<string, string | undefined>>;

export type Verdict = 'allow' | 'deny' | 'none';

const asList = <T>(value: T | readonly T[]): readonly T[] =>
  Array.isArray(value) ? value : [value as T];

/** Matches `*` (any run) and `?` (any one character); without backtracking beyond the last star. */
export function wildcardMatches(pattern: string, text: string): boolean {
  let p = 0;
  let t = 0;
  let star = -1;
  let mark = 0;
  while (t < text.length) {
    if (p < pattern.length && pattern[p] === '*') {
      star = p++;
      mark = t;
    } else if (p < pattern.length && (pattern[p] === '?' || pattern[p] === text[t])) {
      p++;
      t++;
    } else if (star >= 0) {
      p = star + 1;
      t = ++mark;
    } else {
      return false;
    }
  }
  while (pattern[p] === '*') p++;
  return p === pattern.length;
}

/** The parts of an ARN match one by one: no wildcard reaches over a colon but in the last. */
export function arnMatches(pattern: string, arn: string): boolean {
  if (pattern === '*') return true;
  const wanted = arnParts(pattern);
  const found = arnParts(arn);
  if (wanted.length !== found.length) return false;
  return wanted.every((part, i) => wildcardMatches(part, found[i] ?? ''));
}

function arnParts(arn: string): string[] {
  const parts = arn.split(':');
  return [...parts.slice(0, 5), parts.slice(5).join(':')];
}

type Test = (wanted: string, found: string) => boolean;

const conditionTests: Readonly<Record<ConditionOperator, Test>> = {
  StringEquals: (wanted, found) => wanted === found,
  StringLike: wildcardMatches,
  ArnEquals: arnMatches,
  ArnLike: arnMatches,
};

/** Undefined for an operator that is not evaluated. */
export function conditionTest(operator: string): Test | undefined {
  const known = conditionOperators.find((each) => each === operator);
  return known && conditionTests[known];
}

/** An operator or a key that is not known never holds: a condition must not be passed over. */
function conditionsHold(statement: IdentityStatement, context: PolicyContext): boolean {
  return Object.entries(statement.Condition ?? {}).every(([operator, keys]) => {
    const test = conditionTest(operator);
    return Object.entries(keys).every(([key, values]) => {
      const found = context[key.toLowerCase()];
      return test && found !== undefined && asList(values).some((each) => test(each, found));
    });
  });
}

function applies(
  statement: IdentityStatement,
  request: { action: string; resource: string },
): boolean {
  const action = request.action.toLowerCase();
  return (
    asList(statement.Action).some((each) => wildcardMatches(each.toLowerCase(), action)) &&
    asList(statement.Resource).some((each) => wildcardMatches(each, request.resource))
  );
}

/**
 * What the policies of a caller say: a Deny that applies wins over every Allow. A Deny with a
 * condition that cannot be evaluated denies.
 */
export function evaluateIdentity(
  policies: readonly IdentityPolicy[],
  request: { readonly action: string; readonly resource: string },
  context: PolicyContext,
): Verdict {
  let verdict: Verdict = 'none';
  for (const policy of policies) {
    for (const statement of asList(policy.Statement)) {
      if (!applies(statement, request)) continue;
      if (statement.Effect === 'Deny') {
        if (conditionsHold(statement, context) || !evaluable(statement)) return 'deny';
      } else if (statement.Effect === 'Allow' && conditionsHold(statement, context)) {
        verdict = 'allow';
      }
    }
  }
  return verdict;
}

function evaluable(statement: IdentityStatement): boolean {
  return Object.keys(statement.Condition ?? {}).every((each) => conditionTest(each));
}
