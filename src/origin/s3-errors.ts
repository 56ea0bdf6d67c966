import { type ErrorCode, SluiceError } from '../base/mod.ts';

type Failure = 'absent' | 'present' | 'denied' | 'no-bucket' | 'malformed' | 'passing';

/** What S3's error codes and statuses mean here; all others may pass (S3 API reference, errors). */
const BY_NAME: Readonly<Record<string, Failure>> = {
  NoSuchKey: 'absent',
  NoSuchBucket: 'no-bucket',
  PermanentRedirect: 'no-bucket',
  PreconditionFailed: 'present',
  AccessDenied: 'denied',
  InvalidAccessKeyId: 'denied',
  SignatureDoesNotMatch: 'denied',
  ExpiredToken: 'denied',
  CredentialsProviderError: 'denied',
};
const BY_STATUS: Readonly<Record<number, Failure>> = {
  301: 'no-bucket',
  400: 'malformed',
  403: 'denied',
  404: 'absent',
  412: 'present',
};
const CODES: Readonly<Record<Failure, [ErrorCode, string]>> = {
  absent: ['ORIGIN_UNAVAILABLE', 'nothing is there'],
  present: ['STORE_CONFLICT', 'something is there'],
  denied: ['ACCESS_DENIED', 'S3 refuses these credentials'],
  'no-bucket': ['CONFIG_INVALID', 'there is no such bucket in this region'],
  malformed: ['INTERNAL', 'S3 does not understand the request'],
  passing: ['ORIGIN_UNAVAILABLE', 'S3 did not answer'],
};

export function s3Failure(error: unknown): Failure {
  const { name = '', $metadata } = error as {
    name?: string;
    $metadata?: { httpStatusCode?: number };
  };
  return BY_NAME[name] ?? BY_STATUS[$metadata?.httpStatusCode ?? 0] ?? 'passing';
}

export function s3Error(error: unknown, object: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const { name = 'Error', message = '' } = error as { name?: string; message?: string };
  const [code, meaning] = CODES[s3Failure(error)];
  return new SluiceError(code, `${object}: ${meaning} (${name}: ${message})`, {
    data: { object, s3Code: name },
    cause: error,
  });
}
