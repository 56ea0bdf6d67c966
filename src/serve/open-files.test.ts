import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { test } from 'node:test';
import { hostHas } from '../../test/support/host.ts';
import { limits } from '../base/mod.ts';
import { mayRaiseIn, openFilesIn } from './open-files.ts';

const raise = `
  import { raiseOpenFiles } from ${JSON.stringify(import.meta.resolve('./open-files.ts'))};
  console.log(await raiseOpenFiles().catch((error) => error.code));
`;

function limitAfter(shell: string, as = ''): string {
  const command = `${shell}; exec ${as} "$0" --input-type=module -e "$1"`;
  return execFileSync('sh', ['-c', command, process.execPath, raise], { encoding: 'utf8' }).trim();
}

test('the limit of open files is read as the kernel writes it', () => {
  const text =
    'Limit  Soft Limit  Hard Limit  Units\nMax open files            256   4096   files\n';
  assert.equal(openFilesIn(text), 256);
  assert.equal(openFilesIn('Max open files  unlimited  unlimited  files'), Infinity);
});

test('a low limit of open files is raised as far as it may be', () => {
  const limit = Number(limitAfter('ulimit -S -n 256'));
  assert.ok(limit >= limits.host.openFilesLeast, `${limit}`);
});

test('what the kernel lets a process do is read as the kernel writes it', () => {
  assert.equal(mayRaiseIn('CapEff:\t000001ffffffffff\n'), true);
  assert.equal(mayRaiseIn('CapEff:\t000001fffeffffff\n'), false);
});

test('a region never serves with fewer open files than it needs', (t) => {
  if (!hostHas(t, 'root', 'tool:setpriv')) return;
  const powerless = 'setpriv --bounding-set=-sys_resource --inh-caps=-sys_resource';
  assert.equal(limitAfter('ulimit -n 256', powerless), 'HOST_LACKS');
});
