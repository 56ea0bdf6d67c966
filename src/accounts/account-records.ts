/** The condition operators that are evaluated; a policy with another is not taken. */
export const conditionOperators = ['StringEquals', 'StringLike', 'ArnEquals', 'ArnLike'] as const;
export type ConditionOperator = (typeof conditionOperators)[number];

/** One statement of an identity policy (IAM JSON policy elements; the subset that is evaluated). */
export interface IdentityStatement {
  readonly Effect: 'Allow' | 'Deny';
  readonly Action: string | readonly string[];
  readonly Resource: string | readonly string[];
  readonly Condition?: Readonly<
    Record<string, Readonly<Record<string, string | readonly string[]>>>
  >;
}

export interface IdentityPolicy {
  readonly Statement: IdentityStatement | readonly IdentityStatement[];
}

/** A tenant: owns functions, and sees nobody else's. */
export interface AccountRecord {
  /** Twelve digits. */
  readonly accountId: string;
  readonly name: string;
  readonly createdMs: number;
}

/** What a client signs with. */
export interface AccessKeyRecord {
  readonly accessKeyId: string;
  readonly secretAccessKey: string;
  readonly accountId: string;
  /** The name behind `user/` in the ARN that policies know the caller by; the root if absent. */
  readonly userName?: string;
  readonly createdMs: number;
  readonly disabled: boolean;
  /** What the key may do; without any policies it may do all in its account. */
  readonly policies?: readonly IdentityPolicy[];
}

/** A key as the frontend asks for it. */
export interface KnownKey extends AccessKeyRecord {
  readonly principalArn: string;
}
