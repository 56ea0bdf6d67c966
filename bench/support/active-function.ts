import {
  CreateFunctionCommand,
  type CreateFunctionCommandInput,
  GetFunctionCommand,
  type LambdaClient,
} from '@aws-sdk/client-lambda';
import { writeZip, type ZipMember } from '../../src/zip/mod.ts';

const POLL_MS = 20;

/** Where a function's code comes from, and what runs it. */
export type FunctionSource = Pick<
  CreateFunctionCommandInput,
  'PackageType' | 'Code' | 'Runtime' | 'Handler'
>;

export function imageSource(imageUri: string): FunctionSource {
  return { PackageType: 'Image', Code: { ImageUri: imageUri } };
}

export function zipSource(
  runtime: string,
  handler: string,
  members: readonly ZipMember[],
): FunctionSource {
  const code = { Code: { ZipFile: writeZip(members) }, PackageType: 'Zip' } as const;
  return { ...code, Runtime: runtime as NonNullable<FunctionSource['Runtime']>, Handler: handler };
}

/** Creates a function with a whole CPU and waits until it is Active; throws why if it is not to be. */
export async function createActiveFunction(
  client: LambdaClient,
  name: string,
  source: FunctionSource,
): Promise<void> {
  await client.send(
    new CreateFunctionCommand({
      FunctionName: name,
      ...source,
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
