/**
 * Runs the tests by node's own runner: `npm test` all of them, `npm test -- ext4 fuse` those whose
 * path has one of the words. Files run one after the other where they share the host (mounts,
 * cgroups, ports), side by side where they don't.
 */
import { spawnSync } from 'node:child_process';
import { relative } from 'node:path';
import { repositoryRoot, sourceFiles } from './repo/repository.ts';

const words = process.argv.slice(2);
const files = [...sourceFiles('src'), ...sourceFiles('test'), ...sourceFiles('bench')]
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => relative(repositoryRoot, file))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();

if (files.length === 0) {
  process.stderr.write(`no test file has ${words.join(' or ')} in its path\n`);
  process.exit(2);
}

const flags = ['--test', '--test-concurrency=2', '--test-timeout=600000'];
const warnings = '--disable-warning=ExperimentalWarning';
const run = spawnSync(process.execPath, [warnings, ...flags, '--test-reporter=spec', ...files], {
  cwd: repositoryRoot,
  stdio: 'inherit',
});
process.exit(run.status ?? 1);
