import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { SourceFile } from 'typescript/unstable/ast';
import { API } from 'typescript/unstable/sync';

/** Parses files, given by absolute path, and hands each to `use`. No types are looked up. */
export function parseFiles(
  paths: readonly string[],
  use: (path: string, file: SourceFile) => void,
): void {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-parse-'));
  const project = join(directory, 'tsconfig.json');
  const compilerOptions = { noLib: true, noResolve: true, types: [], noEmit: true };
  writeFileSync(project, JSON.stringify({ compilerOptions, files: paths }));
  const api = new API({ cwd: directory });
  try {
    const program = api.updateSnapshot({ openProjects: [project] }).getProject(project)?.program;
    if (!program) throw new Error(`${project}: was not read`);
    for (const path of paths) {
      const file = program.getSourceFile(path);
      if (!file) throw new Error(`${path}: was not parsed`);
      use(path, file);
    }
  } finally {
    api.close();
    rmSync(directory, { recursive: true, force: true });
  }
}
