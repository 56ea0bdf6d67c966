import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  type LambdaClient,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';
import { IMAGE, ROLE } from './harness.fixture.ts';

/** Creates a function from an image, with what the test wants different. */
export function create(client: LambdaClient, input: Partial<CreateFunctionCommandInput> = {}) {
  return client.send(
    new CreateFunctionCommand({
      FunctionName: 'f',
      Role: ROLE,
      PackageType: 'Image',
      Code: { ImageUri: IMAGE },
      ...input,
    }),
  );
}

/** Creates a function and waits until it can be invoked. */
export async function createActive(
  client: LambdaClient,
  input: Partial<CreateFunctionCommandInput> = {},
) {
  await create(client, input);
  const waiter = { client, maxWaitTime: 600, minDelay: 0.02, maxDelay: 0.05 };
  await waitUntilFunctionActiveV2(waiter, { FunctionName: input.FunctionName ?? 'f' });
}

/** The error's name, status and message, as the SDK read them. */
export async function refusal(work: Promise<unknown>) {
  try {
    await work;
  } catch (error) {
    const { name, message, $metadata, Reason } = error as Error & {
      $metadata: { httpStatusCode: number };
      Reason?: string;
    };
    return { name, status: $metadata?.httpStatusCode, message, ...(Reason ? { Reason } : {}) };
  }
  throw new Error('the call succeeded');
}
