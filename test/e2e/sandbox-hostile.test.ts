import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, readdirSync, readFileSync, symlinkSync, writeFileSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { limits } from '../../src/base/mod.ts';
import { launchBinary } from '../../src/isolation/launch/binary.ts';
import { LaunchProgram, register } from '../../src/isolation/launch/program.ts';
import { hostArchitecture } from '../../src/isolation/lean/launcher/launcher.ts';
import { hostHas } from '../support/host.ts';
import {
  cgroupFilesOf,
  firstLine,
  makeDisk,
  makeFactory,
  makeOwnedFactory,
  makeSpec,
  runScript,
  SANDBOX_NEEDS,
} from './sandbox-support.ts';

/** Takes inotify instances until there are no more, and says so; or takes one, and says that. */
function inotifyProgram(all: boolean): LaunchProgram {
  const program = new LaunchProgram(hostArchitecture());
  const result = register(1);
  const again = program.label();
  program.place(again);
  const options = { result, tolerate: all ? (['EMFILE'] as const) : [] };
  program.call('watch', 'inotify_init1', [0], options);
  if (all) program.branchUnlessEqual('watch', result, -constants.errno.EMFILE, again);
  program.call('say', 'write', [4, program.text('watches\n'), 8]);
  if (all) program.call('stay', 'pause', []);
  program.call('leave', 'exit_group', [0]);
  return program;
}

test('a sandbox cannot use up what the kernel counts by user for another', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  if (hostArchitecture() !== 'x86_64') return t.skip('pause is a call of x86_64');
  const most = Number(readFileSync('/proc/sys/fs/inotify/max_user_instances', 'utf8'));
  const { disk } = makeDisk(t, (root) => {
    cpSync(launchBinary(hostArchitecture()), join(root, 'machine'));
    writeFileSync(join(root, 'all'), inotifyProgram(true).encode());
    writeFileSync(join(root, 'one'), inotifyProgram(false).encode());
  });
  const factory = await makeFactory(t);
  const argv = ['/bin/sh', '-c', 'exec /machine 3</all 4>&1'];
  const hoarder = await factory.start(makeSpec(disk, { argv, openFiles: most + 64 }));
  assert.equal(await firstLine(hoarder.stdout), 'watches');
  const neighbour = await runScript(factory, makeSpec(disk), '/machine 3</one 4>&1');
  assert.equal(neighbour.stdout, 'watches\n');
  await hoarder.stop();
});

test('no two sandboxes have one user, of the range that is set, and each is its own group', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const runs = Array.from({ length: 4 }, () =>
    runScript(factory, makeSpec(disk), 'echo $(id -u) $(id -g) $(id -G)'),
  );
  const ids = (await Promise.all(runs)).map(({ stdout }) => stdout.trim().split(' ').map(Number));
  assert.equal(new Set(ids.map(([uid]) => uid)).size, 4);
  const { firstUid, users } = limits.sandbox;
  for (const [uid = 0, ...groups] of ids) {
    assert.ok(uid >= firstUid && uid < firstUid + users, `${uid}`);
    assert.deepEqual(groups, [uid, uid]);
  }
});

test('all sandboxes together cannot use up the host’s process numbers or memory', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const ownerId = `share-${process.pid}`;
  const factory = await makeOwnedFactory(ownerId);
  t.after(() => factory.close());
  await runScript(factory, makeSpec(disk), 'true');
  const parents = cgroupFilesOf(ownerId);
  const processes = Number(parents.get('pids.max'));
  const pidMax = Number(readFileSync('/proc/sys/kernel/pid_max', 'utf8'));
  assert.ok(processes > 0 && processes <= pidMax - 1024, `${processes} of ${pidMax}`);
  const memory = Number(parents.get('memory.limit_in_bytes') ?? parents.get('memory.max'));
  const kib = /^MemTotal:\s+(\d+)/m.exec(readFileSync('/proc/meminfo', 'utf8'))?.[1];
  assert.ok(memory > 0 && memory < Number(kib) * 1024 * 0.9, `${memory} of ${kib} KiB`);
});

test('a crash runs no handler of the host’s, whatever the sandbox does to its limits', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  // core(5): a handler that core_pattern names is run also at a limit of 0, and not at 1.
  const script = `ulimit -Sc 0; ulimit -Hc 0; ulimit -c unlimited; cat /proc/self/limits
    cd /tmp; sh -c 'kill -SEGV $$'; ls /tmp`;
  const { stdout } = await runScript(factory, makeSpec(disk), script);
  assert.match(stdout, /^Max core file size +1 +1 +bytes/m);
  assert.match(stdout, /units\s*$|Max realtime timeout[^\n]*\n$/, 'no core file');
});

test('sees only its own processes and listed files in /proc, and its cgroups in /sys', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const script = `for each in /proc/*; do
      case $each in /proc/[0-9]*) continue;; esac
      if test -d $each; then set -- $(ls -A $each); echo "$each $#"
      else echo "$each $(cat $each 2>/dev/null | head -c 100 | wc -c)"; fi
    done; for each in $(find /sys/fs/cgroup -type d -mindepth 2); do echo "beyond $each"; done
    find /sys -writable`;
  const { stdout } = await runScript(factory, makeSpec(disk), script);
  const shown = stdout
    .trim()
    .split('\n')
    .filter((line) => !/ 0$/.test(line))
    .map((line) => line.replace('/proc/', '').replace(/ \d+$/, ''));
  const listed = `cgroups cpuinfo filesystems loadavg meminfo mounts net self stat sys sysvipc
    thread-self uptime version`.split(/\s+/);
  assert.deepEqual(shown, listed);
});

test('runs as a user that passwd knows, by the image’s file and ours', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const factory = await makeFactory(t);
  const script = 'id -un; id -gn; echo ~sbx_user1051; grep -c root /etc/passwd; ls -ln /etc/passwd';
  const own = 'sbx_user1051\nsbx_user1051\n/home/sbx_user1051\n';
  const etc = (fill: (etc: string) => void) => (root: string) => {
    mkdirSync(join(root, 'etc'));
    fill(join(root, 'etc'));
  };
  const images: Readonly<Record<string, [(root: string) => void, RegExp]>> = {
    'no /etc': [() => {}, new RegExp(`^${own}0\n`)],
    'a passwd without its last newline': [
      etc((at) => writeFileSync(join(at, 'passwd'), 'root:x:0:0::/root:/bin/sh')),
      new RegExp(`^${own}1\n-rw-r--r-- +1 0 +0 `),
    ],
    'a link to a passwd elsewhere': [
      etc((at) => {
        writeFileSync(join(at, 'other'), 'root:x:0:0::/root:/bin/sh\n');
        symlinkSync('other', join(at, 'passwd'));
      }),
      new RegExp(`^${own}1\n`),
    ],
    'a link to nowhere': [etc((at) => symlinkSync('/no/where', join(at, 'passwd'))), /^/],
    'a pipe': [etc((at) => execFileSync('mkfifo', [join(at, 'passwd')])), /^/],
    'a directory': [etc((at) => mkdirSync(join(at, 'passwd'))), /^/],
  };
  for (const [name, [fill, expected]] of Object.entries(images)) {
    const { disk } = makeDisk(t, fill);
    const before = readFileSync(disk);
    const { stdout, exitCode } = await runScript(
      factory,
      makeSpec(disk),
      name.startsWith('a pipe') ? 'echo starts' : script,
    );
    assert.match(stdout, expected, name);
    assert.notEqual(exitCode, null, name);
    assert.ok(readFileSync(disk).equals(before), `${name}: the image's disk is as it was`);
  }
});

test('reads what an image gives to all, but not what only root may read', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t, (root) => {
    writeFileSync(join(root, 'for-all'), 'read by all\n', { mode: 0o644 });
    writeFileSync(join(root, 'for-root'), 'read by root\n', { mode: 0o600 });
  });
  const factory = await makeFactory(t);
  const script = `cat /for-all /for-root; touch /tmp/own; chmod 600 /tmp/own; test -O /tmp/own && cat /tmp/own
    test "$(stat -c %u /tmp/own)" = "$(id -u)" && echo own`;
  const { stdout, stderr } = await runScript(factory, makeSpec(disk), script);
  assert.equal(stdout, 'read by all\nown\n');
  assert.match(stderr, /for-root'?: Permission denied/);
});

test('leaves no process, and its user is lent again only after that', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t);
  const factory = await makeFactory(t);
  const argv = ['/bin/sh', '-c', 'id -u; sleep 1000'];
  const sandbox = await factory.start(makeSpec(disk, { argv }));
  const uid = await firstLine(sandbox.stdout);
  const ofUser = () =>
    readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .filter((pid) => {
        try {
          return new RegExp(`^Uid:\\s${uid}\\s`, 'm').test(
            readFileSync(`/proc/${pid}/status`, 'utf8'),
          );
        } catch {
          return false;
        }
      });
  assert.ok(ofUser().length >= 2);
  await sandbox.stop();
  assert.deepEqual(ofUser(), []);
});
