import { type ErrorCode, SluiceError } from '../base/mod.ts';

type Failure = 'absent' | 'denied' | 'passing';

/** What SQS's error names mean here; all others may pass (SQS API reference, common errors). */
const byName: Readonly<Record<string, Failure>> = {
  QueueDoesNotExist: 'absent',
  'AWS.SimpleQueueService.NonExistentQueue': 'absent',
  AccessDenied: 'denied',
  AccessDeniedException: 'denied',
  InvalidSecurity: 'denied',
  InvalidClientTokenId: 'denied',
  SignatureDoesNotMatch: 'denied',
  ExpiredToken: 'denied',
  CredentialsProviderError: 'denied',
};

const meaning: Readonly<Record<Failure, readonly [ErrorCode, string]>> = {
  absent: ['QUEUE_NOT_FOUND', 'there is no such queue'],
  denied: ['QUEUE_DENIED', 'the service refuses the region’s credentials; see AWS_ACCESS_KEY_ID'],
  passing: ['QUEUE_SERVICE_UNAVAILABLE', 'the service did not answer; see the setting sqs'],
};

/** What went wrong with a queue, in our codes. */
export function sqsError(error: unknown, queueArn: string): SluiceError {
  if (error instanceof SluiceError) return error;
  const { name = 'Error', message = '' } = error as { name?: string; message?: string };
  const [code, text] = meaning[(Object.hasOwn(byName, name) && byName[name]) || 'passing'];
  return new SluiceError(code, `${queueArn}: ${text} (${name}: ${message})`, {
    data: { queueArn, sqsCode: name },
    cause: error,
  });
}
