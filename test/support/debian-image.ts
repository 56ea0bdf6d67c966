import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { repositoryRoot } from '../repo/repository.ts';
import { runOrThrow } from './run.ts';

export interface DebianImage {
  /** The OCI layout that umoci wrote. */
  readonly layout: string;
  readonly tag: string;
}

const oneEntry = 'import os; exec(open("/var/task/handler.py").read())';

/**
 * A Debian image with Python 3 by mmdebstrap and umoci: a base layer, and a layer that umoci makes
 * of changes to it, so that whiteouts, replaced files, hard links and attributes are umoci's own.
 */
export async function buildDebianImage(directory: string): Promise<DebianImage> {
  const layout = join(directory, 'layout');
  const base = join(directory, 'base.tar');
  const bundle = join(directory, 'bundle');
  mkdirSync(directory, { recursive: true });
  await runOrThrow('mmdebstrap', [
    '--quiet',
    '--variant=minbase',
    '--include=python3',
    'bookworm',
    base,
  ]);
  const image = `${layout}:latest`;
  await runOrThrow('umoci', ['init', '--layout', layout]);
  await runOrThrow('umoci', ['new', '--image', image]);
  await runOrThrow('umoci', ['raw', 'add-layer', '--image', image, base]);
  await runOrThrow('umoci', ['unpack', '--image', image, bundle]);
  const root = join(bundle, 'rootfs');
  await changeTree(root);
  await runOrThrow('umoci', ['repack', '--image', image, bundle]);
  await runOrThrow('umoci', [
    ...['config', '--image', image, '--config.entrypoint', '/usr/bin/python3'],
    ...['--config.entrypoint', '-c', '--config.entrypoint', oneEntry],
    ...['--config.cmd', 'handler.handler', '--config.workingdir', '/var/task'],
  ]);
  return { layout, tag: 'latest' };
}

/** What the second layer does to the first: removes, replaces, links, sets attributes and times. */
async function changeTree(root: string): Promise<void> {
  const script = `
    set -e
    rm -rf usr/share/doc usr/share/perl5 && rm -f etc/motd
    mkdir -p var/task usr/share/doc && echo kept > usr/share/doc/only
    cp '${join(repositoryRoot, 'test/e2e/image/handler.py')}' var/task/handler.py
    ln var/task/handler.py var/task/linked.py
    ln -s ../../etc/hostname var/task/slow-link-${'x'.repeat(70)}
    ln -s /etc/hostname var/task/fast
    mkfifo -m 600 var/task/fifo && mknod -m 640 var/task/device c 5 1
    chown 70000:80000 var/task/fifo && chmod 4755 var/task/handler.py
    setfattr -n user.note -v 0x00ff10 var/task/handler.py
    setfattr -n security.capability -v 0x0100000200200000000000000000000000000000 var/task/linked.py
    setfacl -m u:1234:r var/task
    touch -d '1965-03-04T05:06:07.123456789Z' var/task/fast -h
    touch -d '2105-03-04T05:06:07.5Z' usr/share/doc/only
  `;
  const file = join(root, '..', 'change.sh');
  writeFileSync(file, script);
  await runOrThrow('sh', [file], { cwd: root });
}
