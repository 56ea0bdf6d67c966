import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, before, describe, test } from 'node:test';
import { repositoryRoot } from '../repo/repository.ts';
import { hostLacks } from '../support/host.ts';
import { loopDevices } from '../support/leftovers.ts';
import { buildTestImage } from '../support/node-image.ts';
import { run, runOrThrow } from '../support/run.ts';
import { scratchDirectory } from '../support/temporary.ts';
import { until } from '../support/until.ts';

const sluice = join(repositoryRoot, 'bin/sluice');
const lacks = hostLacks('root', 'fuse', 'loop');

/** The agent that a process started. */
function agentOf({ pid }: ChildProcess): number {
  const children = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').trim().split(' ');
  const agents = children.filter((child) =>
    readFileSync(`/proc/${child}/cmdline`, 'utf8').includes('agent-main'),
  );
  assert.equal(agents.length, 1);
  return Number(agents[0]);
}

function isMounted(path: string): boolean {
  return readFileSync('/proc/self/mounts', 'utf8').includes(` ${path} `);
}

/** Both at once, so that neither can clean up behind the other. */
async function killBoth(command: ChildProcess): Promise<void> {
  const agent = agentOf(command);
  process.kill(agent, 'SIGSTOP');
  command.kill('SIGKILL');
  await once(command, 'exit');
  process.kill(agent, 'SIGKILL');
}

describe('a served device whose processes are killed', { skip: lacks }, () => {
  const scratch = scratchDirectory('device-faults');
  const data = join(scratch.path, 'data');
  const file = join(scratch.path, 'device.img');
  const directory = join(scratch.path, 'mounted');
  let manifestId: string;
  const start = async (...words: string[]) => {
    const command = spawn(sluice, [...words, '--data', data, '--json'], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    await once(command.stdout, 'data');
    return command;
  };
  const serve = () => start('device', 'serve', manifestId, '--fuse', file);
  const mount = () => start('image', 'mount', manifestId, directory);

  before(async () => {
    const image = await buildTestImage(join(scratch.path, 'image'));
    const added = await runOrThrow(sluice, ['image', 'add', image, '--data', data, '--json']);
    manifestId = JSON.parse(added).manifestId;
    writeFileSync(file, '');
    mkdirSync(directory);
  });
  after(async () => {
    for (const left of [file, directory]) await run('umount', ['--lazy', left]);
    scratch.remove();
  });

  test('its agent: the command fails and says why, and the file is as it was', async () => {
    const command = await serve();
    let said = '';
    command.stderr.setEncoding('utf8').on('data', (text: string) => {
      said += text;
    });
    assert.ok(isMounted(file));
    process.kill(agentOf(command), 'SIGKILL');
    const [status] = await once(command, 'exit');
    assert.equal(status, 1);
    assert.match(said, /AGENT_DIED/);
    assert.equal(isMounted(file), false);
    assert.equal(statSync(file).size, 0);
  });

  test('the command: its agent unmounts and ends', async () => {
    const command = await serve();
    const agent = agentOf(command);
    command.kill('SIGKILL');
    await once(command, 'exit');
    await until('an unmount', () => !isMounted(file));
    await until('the agent ends', () => !existsSync(`/proc/${agent}`));
  });

  test('both: the next start cleans up what they left', async () => {
    await killBoth(await serve());
    assert.ok(isMounted(file));
    assert.throws(() => statSync(file), { code: /^(ENOTCONN|ECONNABORTED)$/ });
    const command = await serve();
    assert.ok(statSync(file).size > 0);
    command.kill('SIGTERM');
    assert.deepEqual(await once(command, 'exit'), [0, null]);

    await killBoth(await mount());
    assert.ok(isMounted(directory));
    const mounted = await mount();
    assert.ok(statSync(join(directory, 'usr')).isDirectory());
    mounted.kill('SIGTERM');
    assert.deepEqual(await once(mounted, 'exit'), [0, null]);
    assert.deepEqual([isMounted(file), isMounted(directory)], [false, false]);
    const isLooped = () => loopDevices().some((line) => line.includes(manifestId));
    await until('the loop device goes', () => !isLooped());
  });
});
