/** Any service's ARN, as the model has it for destinations and event sources. */
export const destinationArnPattern =
  'arn:(aws[a-zA-Z0-9-]*):([a-zA-Z0-9\\-])+:' +
  '((eusc-)?[a-z]{2}((-gov)|(-iso([a-z]?)))?-[a-z]+-\\d{1})?:(\\d{12})?:(.*)';

/**
 * Where the end of an event can be told: the service's own ARNs, of which functions, queues and topics
 * are delivered to, and what stands for the rest here: the URL of a webhook or of a queue that speaks SQS, or
 * `directory:NAME` below the region's data.
 */
export const destinationPattern = `directory:[A-Za-z0-9_-]{1,64}|https?://[^\\s]+|${destinationArnPattern}`;

const functionArn = /^arn:aws[a-zA-Z-]*:lambda:/;

export function isFunctionArn(target: string): boolean {
  return functionArn.test(target);
}

const queueArn = /^arn:aws[a-zA-Z-]*:sqs:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,80}(\.fifo)?$/;

/** Whether it is a queue's, of the form `arn:aws:sqs:REGION:ACCOUNT:NAME`. */
export function isQueueArn(target: string): boolean {
  return queueArn.test(target);
}

const topicArn = /^arn:aws[a-zA-Z-]*:sns:[a-z0-9-]+:\d{12}:[A-Za-z0-9_-]{1,256}(\.fifo)?$/;

/** Whether it is a topic's, of the form `arn:aws:sns:REGION:ACCOUNT:NAME`. */
export function isTopicArn(target: string): boolean {
  return topicArn.test(target);
}

/** What the policies of who names a queue or topic have to allow, in its own service's words. */
export function sendingAction(target: string): string {
  return isTopicArn(target) ? 'sns:Publish' : 'sqs:SendMessage';
}

/** False for what fits the pattern and yet nothing here could deliver to. */
export function isDeliverable(target: string): boolean {
  if (isFunctionArn(target) || isQueueArn(target) || isTopicArn(target)) return true;
  if (target.startsWith('directory:')) return true;
  return /^https?:\/\//.test(target) && URL.canParse(target);
}
