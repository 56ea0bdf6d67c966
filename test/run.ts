/**
 * Runs the tests by node's own runner: `npm test` all of them, `npm test -- ext4 fuse` those whose
 * path has one of the words. End-to-end tests look at the host's mounts, loop devices and processes,
 * so they run one after the other and after everything else.
 */
import { spawnSync } from 'node:child_process';
import { relative } from 'node:path';
import { repositoryRoot, sourceFiles } from './repo/repository.ts';

const words = process.argv.slice(2);
const files = ['src', 'test', 'bench']
  .flatMap(sourceFiles)
  .filter((file) => file.endsWith('.test.ts'))
  .map((file) => relative(repositoryRoot, file))
  .filter((file) => words.length === 0 || words.some((word) => file.includes(word)))
  .sort();

function run(title: string, chosen: readonly string[], concurrency: number): boolean {
  if (chosen.length === 0) return true;
  process.stdout.write(`\n${title}: ${chosen.length} files\n`);
  const flags = ['--test', `--test-concurrency=${concurrency}`, '--test-timeout=900000'];
  const words = ['--disable-warning=ExperimentalWarning', ...flags, '--test-reporter=spec'];
  const { status } = spawnSync(process.execPath, [...words, ...chosen], {
    cwd: repositoryRoot,
    stdio: 'inherit',
  });
  return status === 0;
}

if (files.length === 0) {
  process.stderr.write(`no test file has ${words.join(' or ')} in its path\n`);
  process.exit(2);
}
const endToEnd = files.filter((file) => file.startsWith('test/e2e/'));
const others = files.filter((file) => !file.startsWith('test/e2e/'));
const passed = run('unit, property and conformance tests', others, 2);
process.exit(run('end-to-end tests', endToEnd, 1) && passed ? 0 : 1);
