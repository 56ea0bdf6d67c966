import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  type LambdaClient,
  waitUntilFunctionActiveV2,
} from '@aws-sdk/client-lambda';

/** Creates a function of an image and waits, by the SDK's own waiter, until it is Active. */
export async function createImageFunction(
  client: LambdaClient,
  FunctionName: string,
  ImageUri: string,
  more: Partial<CreateFunctionCommandInput> = {},
): Promise<void> {
  await client.send(
    new CreateFunctionCommand({
      FunctionName,
      PackageType: 'Image',
      Code: { ImageUri },
      Role: 'arn:aws:iam::000000000000:role/any',
      ...more,
    }),
  );
  const waiter = { client, maxWaitTime: 1800, minDelay: 0.1, maxDelay: 0.5 };
  await waitUntilFunctionActiveV2(waiter, { FunctionName });
}
