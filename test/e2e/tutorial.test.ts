import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, readdirSync, readFileSync, symlinkSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { repositoryRoot } from '../repo/repository.ts';
import { hostHas } from '../support/host.ts';
import { noteRegion } from '../support/leftovers.ts';
import { run } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';

interface Step {
  readonly kind: 'sh' | 'sh region' | 'sh later';
  readonly commands: string;
  /** What the document says that they print; lines of “…” stand for any lines. */
  readonly printed: string;
}

function readSteps(document: string): Step[] {
  const blocks = [...document.matchAll(/^```([a-z ]+)\n([\s\S]*?)^```$/gm)];
  return blocks.flatMap(([, kind, commands = ''], index) => {
    if (!kind?.startsWith('sh')) return [];
    const [, next, printed = ''] = blocks[index + 1] ?? [];
    return [{ kind: kind as Step['kind'], commands, printed: next === 'text' ? printed : '' }];
  });
}

/** The document's text as a pattern: “…” is anything within a line, alone it is whole lines. */
function patternOf(printed: string): RegExp {
  const lines = printed.split('\n').map((line) => {
    if (line === '…') return '(?:.*\\n)*?';
    const words = line.split('…').map((part) => part.replace(/[\\^$.*+?()[\]{}|]/g, '\\$&'));
    return `${words.join('.*')}\\n`;
  });
  return new RegExp(`^${lines.slice(0, -1).join('')}$`);
}

/** A directory that looks like the clone, so that the tutorial's own files don't land in ours. */
function cloneOf(directory: string): string {
  for (const name of ['bin', 'examples', 'node_modules', 'src']) {
    symlinkSync(join(repositoryRoot, name), join(directory, name));
  }
  return directory;
}

test('every command of the tutorial runs as written, and prints what it says', async (t) => {
  const needs = ['root', 'fuse', 'loop', 'cgroup', 'tool:python3', 'tool:curl'] as const;
  if (!hostHas(t, ...needs, 'tool:bash', 'tool:aws', 'tool:unshare', 'tool:ip')) return;
  const cwd = cloneOf(temporaryDirectory(t, 'tutorial'));
  noteRegion(join(cwd, '.sluice'));
  const steps = readSteps(readFileSync(join(repositoryRoot, 'docs/tutorial.md'), 'utf8'));
  assert.ok(steps.length >= 9, 'the tutorial has its sections');
  const [first, ...rest] = steps;
  assert.equal(first?.kind, 'sh region');
  // A network of its own, in which the tutorial's port is free.
  const inNetwork = ['--net', '/bin/sh', '-c', `ip link set lo up && exec ${first.commands}`];
  const region = spawn('unshare', inNetwork, {
    cwd,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let said = '';
  for (const stream of [region.stdout, region.stderr]) {
    stream.on('data', (part: Buffer) => {
      said += part.toString();
    });
  }
  const ended = once(region, 'exit');
  t.after(async () => {
    region.kill('SIGTERM');
    await ended;
  });
  await until(
    () => `a region that serves: ${said}`,
    () => {
      assert.equal(region.exitCode, null, said);
      return said.includes('serves us-east-1');
    },
  );
  for (const { kind, commands, printed } of rest) {
    const later = join(cwd, '.sluice/destinations/000000000000/failed');
    const isThere = () => existsSync(later) && readdirSync(later).length > 0;
    if (kind === 'sh later') await until('a failure in its directory', isThere);
    const shell = [`--net=/proc/${region.pid}/ns/net`, '/bin/bash', '-ec', commands];
    const { status, stdout, stderr } = await run('nsenter', shell, { cwd });
    assert.equal(status, 0, `${commands}\n${stdout}\n${stderr}\n${said}`);
    const lines = stdout.endsWith('\n') || stdout === '' ? stdout : `${stdout}\n`;
    if (printed) assert.match(lines, patternOf(printed), commands);
  }
  region.kill('SIGTERM');
  assert.deepEqual(await ended, [0, null], said);
});
