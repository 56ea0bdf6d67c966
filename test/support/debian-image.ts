import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { repositoryRoot } from '../repo/repository.ts';
import { runOrThrow } from './run.ts';
import { cachedByInputs } from './shared.ts';

export interface DebianImage {
  /** The OCI layout that umoci wrote. */
  readonly layout: string;
  readonly tag: string;
}

const BUILD_TIMEOUT_MS = 1_200_000;
const handlerFile = join(repositoryRoot, 'test/e2e/image/handler.py');
const oneEntry = 'import os; exec(open("/var/task/handler.py").read())';

/** What `debianImage` needs of the host. */
export const DEBIAN_IMAGE_NEEDS = [
  'root',
  'tool:mmdebstrap',
  'tool:umoci',
  'tool:setfattr',
  'tool:setfacl',
] as const;

/**
 * A Debian image with Python 3 by mmdebstrap and umoci: a base layer, and a layer that umoci makes
 * of changes to it, so that whiteouts, replaced files, hard links and attributes are umoci's own.
 * Built once for each form of this recipe and kept, with Debian's packages of that day; nobody
 * writes to it.
 */
export async function debianImage(): Promise<DebianImage> {
  const recipe = [import.meta.filename, handlerFile].map((file) => readFileSync(file, 'utf8'));
  const inputs = [...recipe, process.arch];
  const kept = await cachedByInputs('debian-image', inputs, async (directory) => {
    const work = mkdtempSync(join(tmpdir(), 'sluice-debian-'));
    try {
      await build(join(directory, 'layout'), work);
    } finally {
      rmSync(work, { recursive: true, force: true });
    }
  });
  return { layout: join(kept, 'layout'), tag: 'latest' };
}

async function build(layout: string, work: string): Promise<void> {
  const base = join(work, 'base.tar');
  const bundle = join(work, 'bundle');
  const what = ['--quiet', '--variant=minbase', '--include=python3', 'bookworm', base];
  await runOrThrow('mmdebstrap', what, { timeoutMs: BUILD_TIMEOUT_MS });
  const image = `${layout}:latest`;
  await runOrThrow('umoci', ['init', '--layout', layout]);
  await runOrThrow('umoci', ['new', '--image', image]);
  await runOrThrow('umoci', ['raw', 'add-layer', '--image', image, base]);
  await runOrThrow('umoci', ['unpack', '--image', image, bundle]);
  await changeTree(join(bundle, 'rootfs'));
  await runOrThrow('umoci', ['repack', '--image', image, bundle]);
  await runOrThrow('umoci', [
    ...['config', '--image', image, '--config.entrypoint', '/usr/bin/python3'],
    ...['--config.entrypoint', '-c', '--config.entrypoint', oneEntry],
    ...['--config.cmd', 'handler.handler', '--config.workingdir', '/var/task'],
  ]);
}

/** What the second layer does to the first: removes, replaces, links, sets attributes and times. */
async function changeTree(root: string): Promise<void> {
  const script = `
    set -e
    rm -rf usr/share/doc usr/share/perl5 && rm -f etc/motd
    mkdir -p var/task usr/share/doc && echo kept > usr/share/doc/only
    cp '${handlerFile}' var/task/handler.py
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
