import assert from 'node:assert/strict';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hostHas } from '../support/host.ts';
import { runOrThrow } from '../support/run.ts';
import { temporaryDirectory } from '../support/temporary.ts';

const writer = fileURLToPath(new URL('../support/acknowledged-writes-main.ts', import.meta.url));

/**
 * On a filesystem of its own, in a namespace of its own: writes, takes the filesystem down without
 * flushing anything (EXT4_IOC_SHUTDOWN with NOLOGFLUSH, ext4(5)'s way to test a loss of power),
 * mounts it again and says what is there.
 */
const SCRIPT = `set -e
  image="$1/image"; mount="$1/mount"; node="$2"; writer="$3"
  mount -o loop "$image" "$mount"
  "$node" "$writer" write "$mount/stores" > "$1/said" & writing=$!
  trap 'kill -9 $writing 2>/dev/null || true' EXIT
  until [ -s "$1/said" ]; do kill -0 $writing; sleep 0.05; done
  echo unsynced > "$mount/unsynced"
  perl -e 'open(my $d, "<", $ARGV[0]) or die; my $how = pack("L", 2);
    ioctl($d, 0x8004587d, $how) or die "shutdown: $!"' "$mount"
  kill -9 $writing; wait $writing || true
  umount "$mount"; mount -o loop "$image" "$mount"
  [ -e "$mount/unsynced" ] && echo 'the power was not lost' >&2 && exit 1
  "$node" "$writer" read "$mount/stores" "$(cat "$1/said")"
  umount "$mount"`;

test('what every store has acknowledged is there after a loss of power', async (t) => {
  if (!hostHas(t, 'root', 'loop', 'tool:mkfs.ext4', 'tool:perl', 'tool:unshare')) return;
  const directory = temporaryDirectory(t, 'power');
  mkdirSync(join(directory, 'mount'));
  await runOrThrow('truncate', ['-s', '64M', join(directory, 'image')]);
  await runOrThrow('mkfs.ext4', ['-q', '-E', 'root_owner=0:0', join(directory, 'image')]);
  const words = ['--mount', '--propagation', 'private', 'bash', '-c', SCRIPT, 'bash', directory];
  const found = await runOrThrow('unshare', [...words, process.execPath, writer]);
  assert.deepEqual(JSON.parse(found), {
    ...{ event: true, function: true, layer: true, mapping: true },
    ...{ account: true, archive: true, key: true, pin: true },
  });
});
