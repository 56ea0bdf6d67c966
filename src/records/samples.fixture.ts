import type { FunctionConfiguration, FunctionRecord, InstalledCode } from './records.ts';
import { newFunction, type Stamp } from './transitions.ts';

let counter = 0;

/** A stamp whose ids are all different and readable; for tests. */
export function sampleStamp(nowMs = 1_700_000_000_000): Stamp {
  return { nowMs, newId: () => `id-${++counter}` };
}

export const sampleConfiguration: FunctionConfiguration = {
  packageType: 'Image',
  role: 'arn:aws:iam::111111111111:role/r',
  description: '',
  timeoutSeconds: 3,
  memoryMb: 128,
  ephemeralStorageMb: 512,
  architecture: 'x86_64',
  layers: [],
  tracingMode: 'PassThrough',
  logging: { format: 'Text', group: '/aws/lambda/f' },
  snapStartApplyOn: 'None',
};

export const sampleCode: InstalledCode = {
  manifestId: 'm1',
  resolvedImageUri: 'localhost:5000/i@sha256:00',
  imageDigest: 'sha256:00',
  codeSizeBytes: 1000,
  codeSha256: '00',
  imageConfig: {
    entrypoint: ['/bin/handler'],
    command: [],
    environment: [],
    workingDirectory: '/',
    user: '',
  },
};

/** A function just created, its code not installed yet. */
export function sampleFunction(key: { accountId: string; name: string }): FunctionRecord {
  const source = { kind: 'image', imageUri: 'localhost:5000/i:1' } as const;
  return newFunction(key, sampleConfiguration, source, sampleStamp());
}
