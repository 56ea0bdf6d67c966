import assert from 'node:assert/strict';
import { chmodSync, cpSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { constants } from 'node:os';
import { join } from 'node:path';
import { type TestContext, test } from 'node:test';
import { isSluiceError, limits } from '../../src/base/mod.ts';
import { launchBinary } from '../../src/isolation/launch/binary.ts';
import {
  type ErrnoName,
  LaunchProgram,
  register,
  type Value,
} from '../../src/isolation/launch/program.ts';
import { hostArchitecture } from '../../src/isolation/lean/launcher/launcher.ts';
import type { SandboxUsers } from '../../src/isolation/mod.ts';
import { hostHas } from '../support/host.ts';
import { temporaryDirectory } from '../support/temporary.ts';
import {
  makeDisk,
  makeFactory,
  makeSpec,
  type RunResult,
  runScript,
  SANDBOX_NEEDS,
} from './sandbox-support.ts';

/** Lends every sandbox the same user. */
const only = (id: number): SandboxUsers => ({
  acquire: () => ({ uid: id, gid: id }),
  release: () => {},
});

/** Runs a script on a bare disk, as an ordinary user and as root: neither may get anywhere. */
async function asUserAndRoot(
  t: TestContext,
  script: string,
  check: (result: RunResult, uid: number) => void,
  fill?: (root: string) => void,
): Promise<void> {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const { disk } = makeDisk(t, fill);
  for (const uid of [limits.sandbox.firstUid, 0]) {
    const factory = await makeFactory(t, { users: only(uid) });
    check(await runScript(factory, makeSpec(disk), script), uid);
  }
}

test('sees no process, file, mount, host name or descriptor of the host', async (t) => {
  const script = `echo processes: /proc/[0-9]*
    echo files: $(ls /proc/self/fd)
    echo host: $(hostname) $(cat /proc/sys/kernel/hostname) $(cat /etc/hostname)
    echo mounts: $(cut -d' ' -f2 /proc/mounts)
    echo environment: $(tr '\\0' ' ' < /proc/$$/environ)
    echo cgroups: $(cut -d: -f3 /proc/self/cgroup)
    echo root: $(ls /) and $(ls /..)
    echo sys: $(ls /sys) $(ls /sys/fs); cat /proc/kcore /proc/1/environ /proc/1/mem; ls /proc/1/root/
    echo links: $(readlink /proc/1/exe /proc/1/cwd /proc/1/fd/1 /proc/1/fd/4 /proc/1/ns/net)`;
  await asUserAndRoot(t, script, ({ stdout, stderr }) => {
    const lines = new Map<string, string>();
    for (const line of stdout.trim().split('\n')) {
      const [key = '', value = ''] = line.split(/: ?/);
      lines.set(key, value);
    }
    assert.equal(lines.get('processes'), '/proc/1 /proc/2');
    assert.equal(lines.get('files'), '0 1 2 3');
    assert.equal(lines.get('host'), 'sandbox sandbox sandbox');
    assert.match(
      lines.get('mounts') ?? '',
      /^(\/sys[\w/]* )+\/ \/tmp \/dev \/proc( \/proc\/[\w.-]+)+$/,
    );
    const identity = 'AWS_LAMBDA_INITIALIZATION_TYPE=on-demand AWS_LAMBDA_LOG_STREAM_NAME=stream';
    assert.equal(lines.get('environment'), `PATH=/bin ${identity}`);
    assert.match(lines.get('cgroups') ?? '', /^(\/ )*\/$/);
    const root = 'bin dev etc lost+found proc sys tmp';
    assert.equal(lines.get('sys'), 'fs cgroup');
    assert.equal(lines.get('root'), `${root} and ${root}`);
    assert.match(stderr, /\/proc\/1\/environ'?: Permission denied/);
    assert.match(stderr, /\/proc\/1\/mem'?: Permission denied/);
    assert.match(stderr, /\/proc\/1\/root\/?: Permission denied/);
    assert.equal(lines.get('links'), '');
  });
});

test('writes to /tmp and nowhere else', async (t) => {
  const script = `for place in / /bin /etc /dev /proc /proc/sys/kernel /opt; do
      touch $place/written 2>/dev/null && echo wrote $place
    done
    echo x > /etc/hosts; echo x > /bin/busybox; echo h > /proc/sys/kernel/hostname
    echo c > /proc/sysrq-trigger; echo 1 > /proc/irq/default_smp_affinity
    mkdir /tmp/a && touch /tmp/a/b && stat -c '%a %u' /tmp
    echo to-stdout > /dev/stdout; echo to-stderr > /dev/stderr; echo gone > /dev/null
    head -c 4 /dev/urandom | wc -c; head -c 2 /dev/zero | od -An -tx1`;
  await asUserAndRoot(t, script, ({ stdout, stderr }) => {
    assert.equal(stdout, '1777 0\nto-stdout\n4\n 00 00\n');
    assert.match(stderr, /to-stderr/);
    assert.match(stderr, /can't create \/etc\/hosts: (Read-only file system|Permission denied)/);
    assert.match(stderr, /can't create \/proc\/sys\/kernel\/hostname: /);
    assert.match(stderr, /can't create \/proc\/sysrq-trigger: /);
  });
});

test('reaches its own loopback and not the host', async (t) => {
  const server = createServer((connection) => connection.end('secret'));
  await new Promise<void>((resolve) => server.listen(0, '0.0.0.0', resolve));
  t.after(() => server.close());
  const { port } = server.address() as { port: number };
  const script = `nc -w 1 127.0.0.1 ${port} </dev/null || echo refused
    nc -w 1 1.1.1.1 53 </dev/null || echo unreachable
    cut -d: -f1 -s /proc/net/dev | tr -d ' \\n'; echo
    ip link set lo down || echo cannot
    cat /etc/resolv.conf; nslookup example.com >/dev/null 2>&1 || echo no names
    ping -c 1 -W 1 sandbox.localdomain 2>&1 | head -1`;
  await asUserAndRoot(t, script, ({ stdout, stderr }) => {
    const [refused, unreachable, interfaces, cannot, resolv, names, ping] = stdout.split('\n');
    assert.deepEqual([refused, unreachable, interfaces], ['refused', 'unreachable', 'lo']);
    assert.deepEqual([cannot, names], ['cannot', 'no names'], stderr);
    assert.match(resolv ?? '', /^#/);
    assert.match(ping ?? '', /127\.0\.0\.1|permission denied/i);
    assert.ok(!stdout.includes('secret'));
  });
});

test('can neither mount, nor leave, nor make namespaces or devices', async (t) => {
  const attempts = [
    'mount -t tmpfs none /tmp',
    'mount -o remount,rw /',
    'mount --bind /bin /tmp',
    'umount /proc',
    'umount /proc/kcore',
    'unshare -m true',
    'unshare -r true',
    'unshare -n true',
    'nsenter -t 1 -m true',
    'chroot /tmp true',
    'mknod /tmp/sda b 8 0',
    'mknod /tmp/mem c 1 1',
    'hostname other',
    'swapon /tmp/swap',
    'insmod /tmp/module.ko',
    'reboot -f',
    'dmesg',
    'chown 5:5 /tmp',
    'kill -9 1; kill -0 1 && test ! -e /proc/1',
    'pivot_root /tmp /tmp',
    'renice -n -5 $$',
  ];
  const script = attempts.map((each) => `(${each}) >/dev/null 2>&1 && echo '${each}'`).join('\n');
  await asUserAndRoot(t, `${script}\ntrue`, ({ stdout, exitCode }, uid) => {
    assert.equal(stdout, '', `as ${uid}`);
    assert.equal(exitCode, 0);
  });
});

test('gains nothing from setuid programs, and has no capability', async (t) => {
  const fill = (root: string) => {
    cpSync('/bin/busybox', join(root, 'bin', 'busybox-setuid'));
    chmodSync(join(root, 'bin', 'busybox-setuid'), 0o4755);
  };
  const script = `grep -E '^(Cap|NoNewPrivs|Seccomp:|Groups)' /proc/self/status
    /bin/busybox-setuid id -u; ulimit -n; ulimit -c; ulimit -u; umask`;
  await asUserAndRoot(
    t,
    script,
    ({ stdout }, uid) => {
      const lines = stdout.split('\n').map((line) => line.replace(/\s+/g, ' ').trim());
      const none = '0000000000000000';
      const sets = ['CapInh', 'CapPrm', 'CapEff', 'CapBnd', 'CapAmb'];
      assert.deepEqual(lines.slice(0, 9), [
        `Groups: ${uid}`,
        ...sets.map((each) => `${each}: ${none}`),
        'NoNewPrivs: 1',
        'Seccomp: 2',
        `${uid}`,
      ]);
      assert.deepEqual(lines.slice(9, 11), ['1024', '0']);
      assert.equal(lines[12], '0022');
    },
    fill,
  );
});

test('an image cannot use links to have files written or mounted outside of itself', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const escaped = join(temporaryDirectory(t), 'escaped');
  const { disk } = makeDisk(t, (root) => {
    mkdirSync(join(root, 'etc'));
    mkdirSync(join(root, 'var'));
    writeFileSync(join(root, 'etc', 'hosts.real'), 'of the image\n');
    symlinkSync('hosts.real', join(root, 'etc', 'hosts'));
    symlinkSync('../run/nowhere/resolv.conf', join(root, 'etc', 'resolv.conf'));
    symlinkSync(`/../../..${escaped}`, join(root, 'etc', 'hostname'));
    mkdirSync(join(root, 'var', 'tmp'));
    symlinkSync('/../../../../var/tmp', join(root, 'tmp'));
    symlinkSync('/../../../../../..', join(root, 'outside'));
  });
  const factory = await makeFactory(t);
  const script = `cat /etc/hosts.real /etc/hostname; grep -c localdomain /etc/hosts
    test -L /etc/hosts || echo replaced; touch /tmp/x && ls /var/tmp; ls /outside`;
  const { stdout } = await runScript(factory, makeSpec(disk), script);
  const expected = 'of the image\nsandbox\n1\nreplaced\nx\n';
  assert.equal(stdout, `${expected}bin\ndev\netc\nlost+found\noutside\nproc\nsys\ntmp\nvar\n`);
  assert.ok(!existsSync(escaped));
});

for (const place of ['/tmp', '/dev', '/proc']) {
  for (const kind of ['a file', 'a broken link'] as const) {
    test(`${place} as ${kind} in the image is the image’s error, in words`, async (t) => {
      if (!hostHas(t, ...SANDBOX_NEEDS)) return;
      const { disk } = makeDisk(t, (root) => {
        if (kind === 'a file') writeFileSync(join(root, place), 'no directory');
        else symlinkSync('/no/where', join(root, place));
      });
      for (const tmp of ['in memory', 'on a disk']) {
        const scratchDirectory = temporaryDirectory(t, 'scratch');
        const factory = await makeFactory(t, tmp === 'in memory' ? {} : { scratchDirectory });
        await assert.rejects(factory.start(makeSpec(disk)), (error) => {
          assert.ok(isSluiceError(error, 'SANDBOX_START_FAILED'), String(error));
          const words = 'the image has a file or a broken link there, not a directory';
          assert.equal(error.message, `${place}: ${words}`);
          assert.equal(error.data['reasonCode'], 'FunctionError.InvalidImage');
          return true;
        });
      }
    });
  }
}

test('the kernel refuses what the filter does, and init cannot be traced', async (t) => {
  if (!hostHas(t, ...SANDBOX_NEEDS)) return;
  const architecture = hostArchitecture();
  const program = new LaunchProgram(architecture);
  const result = register(1);
  const failed = program.label();
  const refuse = (errno: ErrnoName, call: string, ...values: Value[]) => {
    program.call(`${call} ${values}`, call, values, { result, tolerate: [errno] });
    program.branchUnlessEqual(call, result, -constants.errno[errno], failed);
  };
  const buffer = program.bytes(Buffer.alloc(128));
  const newUserNamespace = 0x10000000;
  refuse('EPERM', 'unshare', newUserNamespace);
  refuse('EPERM', 'clone', newUserNamespace | 17, 0, 0, 0, 0);
  refuse('ENOSYS', 'clone3', buffer, 88);
  refuse('EPERM', 'setns', 0, 0);
  refuse('EPERM', 'io_uring_setup', 1, buffer);
  refuse('EPERM', 'io_setup', 1, buffer);
  refuse('EPERM', 'userfaultfd', 0);
  refuse('EPERM', 'bpf', 0, buffer, 128);
  refuse('EPERM', 'keyctl', 0, 0, 0);
  refuse('EPERM', 'add_key', buffer, buffer, buffer, 0, 0);
  refuse('EPERM', 'perf_event_open', buffer, 0, -1, -1, 0);
  refuse('EPERM', 'open_by_handle_at', -100, buffer, 0);
  refuse('EPERM', 'fsopen', buffer, 0);
  refuse('EPERM', 'personality', 0x40000);
  refuse('EAFNOSUPPORT', 'socket', 38, 5, 0);
  for (const call of ['socket', 'socketpair']) {
    refuse('EPROTONOSUPPORT', call, 16, 3, 9, buffer);
    refuse('EAFNOSUPPORT', call, 40, 1, 0, buffer);
    refuse('EPROTONOSUPPORT', call, 2, 1, 132, buffer);
    refuse('EPERM', call, 2, 3, 1, buffer);
  }
  const traceAttach = 16;
  refuse('EPERM', 'ptrace', traceAttach, 1, 0, 0);
  refuse('EINVAL', 'seccomp', 99, 0, 0);
  program.call('say', 'write', [4, program.text('refused'), 7]);
  program.call('leave', 'exit_group', [0]);
  program.place(failed);
  program.decimal('say', buffer, 0, result);
  program.call('say', 'write', [4, buffer, 20]);
  const { disk } = makeDisk(t, (root) => {
    cpSync(launchBinary(architecture), join(root, 'machine'));
    writeFileSync(join(root, 'program'), program.encode());
  });
  for (const uid of [limits.sandbox.firstUid, 0]) {
    const factory = await makeFactory(t, { users: only(uid) });
    const { stdout } = await runScript(factory, makeSpec(disk), '/machine 3</program 4>&1');
    const step = stdout.length === 16 ? program.stepName(Buffer.from(stdout).readUInt32LE(8)) : '';
    assert.equal(stdout, 'refused', `as ${uid}: ${step}`);
  }
});
