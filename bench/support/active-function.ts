import {
  CreateFunctionCommand,
  GetFunctionCommand,
  type LambdaClient,
} from '@aws-sdk/client-lambda';

const POLL_MS = 20;

/** Creates a function of an image and waits until it is Active; throws why if it is not to be. */
export async function createActiveFunction(
  client: LambdaClient,
  name: string,
  imageUri: string,
): Promise<void> {
  await client.send(
    new CreateFunctionCommand({
      FunctionName: name,
      PackageType: 'Image',
      Code: { ImageUri: imageUri },
      Role: 'arn:aws:iam::000000000000:role/any',
      MemorySize: 1769,
      Timeout: 60,
    }),
  );
  for (;;) {
    const { Configuration } = await client.send(new GetFunctionCommand({ FunctionName: name }));
    if (Configuration?.State === 'Active') return;
    if (Configuration?.State === 'Failed') throw new Error(Configuration.StateReason);
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
