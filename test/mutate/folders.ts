/**
 * The tests that judge a folder's mutants, as folders and files under `src`: its own, and those of
 * its neighbours that are there to judge it. A folder that is not listed has its own alone.
 */
const judges: Readonly<Record<string, readonly string[]>> = {
  assignment: ['assignment', 'dispatch'],
  device: ['device', 'agent/start-pack.test.ts'],
  'frontend/policies': ['frontend/policies', 'accounts/parse-identity-policy.test.ts'],
  origin: ['origin', 'gc/garbage-collector.test.ts', 'gc/migration.test.ts'],
  seal: ['seal', 'origin/attacks.test.ts', 'device/keys.test.ts'],
};

/** Judges of the whole that take minutes for each mutant which survives the rest. */
export const tooSlow: ReadonlySet<string> = new Set(['src/origin/s3-moto.test.ts']);

export function judgesOf(folder: string): readonly string[] {
  return (judges[folder] ?? [folder]).map((each) => `src/${each}`);
}
