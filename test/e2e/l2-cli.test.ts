import assert from 'node:assert/strict';
import { spawn, spawnSync } from 'node:child_process';
import { hash } from 'node:crypto';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../repo/repository.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const sluice = join(repositoryRoot, 'bin/sluice');

test('sluice cache-node serves, says where, and drains on SIGTERM', async (t) => {
  const directory = temporaryDirectory(t, 'l2-cli');
  const secretFile = join(directory, 'secret');
  writeFileSync(secretFile, 'a secret of this test zone\n');
  const args = ['cache-node', '--listen', '127.0.0.1:0', '--secret-file', secretFile];
  const sizes = ['--memory', '8M', '--flash', '32MiB', '--data', directory, '--json'];
  const node = spawn(sluice, [...args, ...sizes], { stdio: ['ignore', 'pipe', 'inherit'] });
  t.after(() => node.kill('SIGKILL'));
  const [line] = (await once(node.stdout, 'data')) as [Buffer];
  const ready = JSON.parse(line.toString()) as { event: string; address: string };
  assert.equal(ready.event, 'ready');
  assert.equal((await fetch(`http://${ready.address}/healthz`)).status, 200);
  assert.equal((await fetch(`http://${ready.address}/metrics`)).status, 401);
  node.kill('SIGTERM');
  assert.deepEqual(await once(node, 'exit'), [0, null]);
});

test('sluice cache-node refuses a secret file that is not one, and a missing option', (t) => {
  const directory = temporaryDirectory(t, 'l2-cli');
  const short = join(directory, 'short');
  writeFileSync(short, 'short\n');
  const run = (...args: string[]) => spawnSync(sluice, ['cache-node', ...args]);
  const listen = ['--listen', '127.0.0.1:0', '--data', directory];
  const refused = run(...listen, '--secret-file', short);
  assert.equal(refused.status, 1);
  assert.ok(refused.stderr.includes(short), refused.stderr.toString());
  assert.equal(run(...listen).status, 2);
});

test('sluice cache size answers the larger of two sizes and names a bad line', (t) => {
  const directory = temporaryDirectory(t, 'l2-cli');
  const trace = join(directory, 'trace');
  const lines = Array.from(
    { length: 4000 },
    (_, i) => `${i * 500} ${hash('sha256', String(i % 40))}`,
  );
  writeFileSync(trace, `${lines.join('\n')}\n`);
  const run = (...args: string[]) => spawnSync(sluice, ['cache', 'size', ...args]);
  const { stdout, status } = run(trace, '--hit-share', '0.95', '--json');
  assert.equal(status, 0);
  const size = JSON.parse(stdout.toString()) as Record<string, number>;
  assert.equal(size['sizeForHitShareBytes'], 40 * 512 * 1024);
  assert.equal(size['storedBytes'], 1.25 * size['sizeBytes']!);
  assert.match(run(trace).stdout.toString(), /size {8}\d/);

  writeFileSync(trace, `${lines[0]}\nnonsense\n`);
  const bad = run(trace);
  assert.equal(bad.status, 2);
  assert.ok(bad.stderr.toString().includes(`${trace}:2`), bad.stderr.toString());
});
