import { execute } from './device-rig.ts';

/** Which of these programs are not on this host. */
export async function lacking(programs: readonly string[]): Promise<string[]> {
  const found = await Promise.all(
    programs.map((program) => execute('which', [program]).catch(() => undefined)),
  );
  return programs.filter((_, index) => !found[index]);
}
