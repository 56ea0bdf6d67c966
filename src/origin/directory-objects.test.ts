import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { readdirSync, readFileSync, statSync, utimesSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { hostHas } from '../../test/support/host.ts';
import { temporaryDirectory } from '../../test/support/temporary.ts';
import { systemClock, systemRandom } from '../base/mod.ts';
import { nameOf } from '../seal/mod.ts';
import { directoryOrigin } from './mod.ts';
import { collect } from './origin.fixture.ts';
import { chunkOf } from './writer.fixture.ts';

const writer = fileURLToPath(new URL('./writer.fixture.ts', import.meta.url));
const open = (directory: string) =>
  directoryOrigin(directory, { clock: systemClock, random: systemRandom });

function startWriter(directory: string, rootId: string, count: number): ChildProcess {
  const words = [writer, directory, rootId, String(count)];
  return spawn(process.execPath, words, { stdio: ['ignore', 'pipe', 'inherit'] });
}

async function outputOf(child: ChildProcess): Promise<string[]> {
  let output = '';
  for await (const part of child.stdout ?? []) output += part;
  return output.trim().split('\n');
}

/** Every file that is where a chunk is, is that chunk. */
function checkChunks(directory: string, rootId: string): number {
  const folder = join(directory, 'roots', rootId, 'chunks');
  const files = readdirSync(folder, { recursive: true, withFileTypes: true });
  const chunks = files.filter((each) => each.isFile());
  for (const { parentPath, name } of chunks) {
    assert.equal(nameOf(readFileSync(join(parentPath, name))), name);
    assert.equal(basename(parentPath), name.slice(0, 2));
  }
  return chunks.length;
}

test('writers killed at any moment leave whole chunks or none', async (t) => {
  const directory = temporaryDirectory(t);
  const rootId = await open(directory).activeRoot();
  for (let round = 0; round < 6; round++) {
    const child = startWriter(directory, rootId, 10_000);
    const ended = new Promise((resolve) => child.once('exit', resolve));
    // Dies somewhere in the chunk after so many are said to be stored.
    let said = 0;
    for await (const part of child.stdout ?? []) {
      said += String(part).split('\n').length - 1;
      if (said > round * 4) break;
    }
    child.kill('SIGKILL');
    await ended;
    assert.ok(checkChunks(directory, rootId) >= said, 'what was said to be stored is there');
  }
  const origin = open(directory);
  const bytes = chunkOf(0);
  assert.deepEqual(await origin.get({ rootId, name: nameOf(bytes) }), bytes);
});

test('two processes that put the same chunks store each once', async (t) => {
  const directory = temporaryDirectory(t);
  const rootId = await open(directory).activeRoot();
  const children = [1, 2, 3].map(() => startWriter(directory, rootId, 30));
  const outcomes = (await Promise.all(children.map(outputOf))).flat();
  assert.equal(outcomes.length, 90);
  assert.equal(outcomes.filter((outcome) => outcome === 'stored').length, 30);
  assert.equal(outcomes.filter((outcome) => outcome === 'present').length, 60);
  assert.equal(checkChunks(directory, rootId), 30);
});

test('a full disk is reported as full, and keeps its objects whole', async (t) => {
  if (!hostHas(t, 'root', 'tool:unshare')) return;
  const directory = temporaryDirectory(t);
  // The mount is the script's own: it is gone with its namespace, whatever happens.
  const script = `mount -t tmpfs -o size=1m tmpfs "$1" || exit 9
    mkdir -p "$1/state/root" && echo '{"atMs":0}' > "$1/state/root/active"
    "$2" "$3" "$1" root 100; find "$1/roots" "$1/tmp" -type f -printf '%P %s\\n'`;
  const words = ['--mount', '--propagation', 'private', 'sh', '-c', script, 'sh'];
  const child = spawn('unshare', [...words, directory, process.execPath, writer], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const lines = await outputOf(child);
  const outcomes = lines.filter((line) => /^[a-zA-Z_]+$/.test(line));
  const files = lines.filter((line) => / \d+$/.test(line));
  assert.deepEqual(outcomes, ['stored', 'stored', 'stored', 'stored', 'stored', 'DISK_FULL']);
  assert.equal(files.length, 5, 'no temporary file is left');
  for (const file of files) assert.match(file, /^[0-9a-z]+\/chunks\/.. ?.*200000$|chunks/);
});

test('what a killed writer left is removed after an hour, what is being written is not', async (t) => {
  const directory = temporaryDirectory(t);
  const origin = open(directory);
  await origin.activeRoot();
  const temporary = join(directory, 'tmp');
  const [stale, fresh] = [join(temporary, '1-stale'), join(temporary, '2-fresh')];
  for (const path of [stale, fresh]) writeFileSync(path, 'half');
  const hoursAgo = new Date(Date.now() - 2 * 3_600_000);
  utimesSync(stale, hoursAgo, hoursAgo);
  await open(directory).createRoot();
  assert.deepEqual(readdirSync(temporary), ['2-fresh']);
});

test('a damaged chunk is named, counted and never returned', async (t) => {
  const directory = temporaryDirectory(t);
  const counts: [string, unknown][] = [];
  const counter = (name: string) => ({
    add: (_value?: number, labels?: object) => void counts.push([name, labels]),
  });
  const nothing = () => ({ set: () => {}, observe: () => {} });
  const meter = { counter, gauge: nothing, histogram: nothing };
  const origin = directoryOrigin(directory, { clock: systemClock, random: systemRandom, meter });
  const bytes = chunkOf(1);
  const ref = { rootId: await origin.activeRoot(), name: nameOf(bytes) };
  await origin.put(ref, bytes);
  const path = join(directory, 'roots', ref.rootId, 'chunks', ref.name.slice(0, 2), ref.name);
  for (const damaged of [bytes.subarray(1), Buffer.alloc(0), Buffer.alloc(bytes.length)]) {
    writeFileSync(path, damaged);
    await assert.rejects(origin.get(ref), (error: { code: string; message: string }) => {
      return error.code === 'CHUNK_CORRUPT' && error.message.includes(ref.name);
    });
  }
  const corrupt = counts.filter(
    ([, labels]) => (labels as { outcome?: string }).outcome === 'corrupt',
  );
  assert.equal(corrupt.length, 3);
});

test('only its state is left of a deleted root', async (t) => {
  const directory = temporaryDirectory(t);
  const origin = open(directory);
  const rootId = await origin.activeRoot();
  const bytes = chunkOf(1);
  await origin.put({ rootId, name: nameOf(bytes) }, bytes);
  await origin.advanceRoot(rootId, 'expired');
  while ((await origin.removeBatch(rootId, 100)) > 0);
  await origin.advanceRoot(rootId, 'deleted');
  assert.deepEqual(readdirSync(directory).sort(), ['state', 'tmp']);
});

test('nobody but the owner reads what is stored', async (t) => {
  const directory = join(temporaryDirectory(t), 'origin');
  await open(directory).activeRoot();
  assert.equal(statSync(directory).mode & 0o077, 0);
});

test('the keys of a large root are listed in order', async (t) => {
  const directory = temporaryDirectory(t);
  const origin = open(directory);
  const rootId = await origin.activeRoot();
  const names = Array.from({ length: 300 }, (_, i) => nameOf(Buffer.from(String(i))));
  for (const [i, name] of names.entries())
    await origin.put({ rootId, name }, Buffer.from(String(i)));
  assert.deepEqual(await collect(origin.listChunks(rootId)), names.sort());
});
