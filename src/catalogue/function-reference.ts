import { LATEST } from '../records/mod.ts';

/** Where a request points: a function of an account, and the qualifier if any was given. */
export interface FunctionReference {
  readonly accountId: string;
  readonly name: string;
  /** An alias, a version number, or `$LATEST`; undefined when the caller named none. */
  readonly qualifier: string | undefined;
}

export function functionArn(
  region: string,
  reference: { accountId: string; name: string },
  qualifier?: string,
): string {
  const arn = `arn:aws:lambda:${region}:${reference.accountId}:function:${reference.name}`;
  return qualifier === undefined ? arn : `${arn}:${qualifier}`;
}

/** `$LATEST` or the number, as ARNs and records have it. */
export function versionName(version: number): string {
  return version === LATEST ? '$LATEST' : String(version);
}
