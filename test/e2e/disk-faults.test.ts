import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { describe, type TestContext, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { type FaultyDisk, faultyDisk } from '../support/faulty-disk.ts';
import { hostLacks } from '../support/host.ts';

type Outcome = { readonly value?: unknown; readonly code?: string; readonly said?: string };
type Outcomes = Readonly<Record<string, Outcome>>;

const lacks = hostLacks(
  ...(['root', 'fuse', 'loop', 'tool:mkfs.ext4'] as const),
  ...(['tool:debugfs', 'tool:e2fsck', 'tool:losetup', 'tool:nsenter', 'tool:unshare'] as const),
);
const main = fileURLToPath(new URL('../support/faulty-stores-main.ts', import.meta.url));

/** A process that has every kind of store open on the disk. */
async function openStores(t: TestContext, disk: FaultyDisk) {
  const [program, words] = disk.inside(process.execPath, main, join(disk.mount, 'stores'));
  const child = spawn(program, words, { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill('SIGKILL'));
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const exited = once(child, 'exit');
  const next = async (): Promise<Outcomes> => {
    const { value } = await lines.next();
    assert.ok(value, 'the process is there and answers');
    return JSON.parse(value);
  };
  const ask = (line: string) => {
    child.stdin.write(`${line}\n`);
    return next();
  };
  return {
    opened: await next(),
    write: (n: number) => ask(`write ${n}`),
    read: (n: number, key: unknown) => ask(`read ${n} ${JSON.stringify(key)}`),
    kill: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

const kindsOf = (outcomes: Outcomes, is: (outcome: Outcome) => unknown) =>
  Object.keys(outcomes).filter((kind) => is(outcomes[kind] ?? {}));
const failed = ({ code }: Outcome) => code !== undefined;
/** An answer that tells who asks again that it is there. */
const isThere = ({ code }: Outcome) => code === undefined || code.endsWith('_EXISTS');

describe('a disk that fails', { skip: lacks }, () => {
  test('loses nothing that a store has acknowledged, names its file, and is used again when it can be', async (t) => {
    const disk = await faultyDisk(t);
    const first = await openStores(t, disk);
    const [before] = [await first.write(0)];
    assert.deepEqual(kindsOf(before, failed), [], JSON.stringify(before));
    await disk.writes('failing');
    const during = await first.write(1);
    const names = ({ code, said }: Outcome) =>
      code !== undefined && code !== 'INTERNAL' && said?.startsWith(`${disk.mount}/stores/`);
    assert.deepEqual(
      kindsOf(during, (each) => !names(each)),
      [],
      JSON.stringify(during, null, 1),
    );
    await disk.writes('none');
    const again = await first.write(1);
    assert.deepEqual(
      kindsOf(again, (each) => !isThere(each)),
      [],
      JSON.stringify(again),
    );
    const after = await first.write(2);
    assert.deepEqual(kindsOf(after, failed), [], JSON.stringify(after));
    await disk.writes('dead');
    await first.kill();
    await disk.restart();
    const second = await openStores(t, disk);
    for (const [n, written] of [before, again, after].entries()) {
      const found = await second.read(n, written['key']?.value);
      const lost = kindsOf(found, ({ value }) => value !== true);
      assert.deepEqual(lost, [], `${n}: ${JSON.stringify(found)}`);
    }
    await second.kill();
  });

  test('in the middle of a write, as the power goes: what was acknowledged is there', async (t) => {
    const disk = await faultyDisk(t);
    const written: Outcomes[] = [];
    for (let life = 0; life < 3; life++) {
      const stores = await openStores(t, disk);
      assert.deepEqual(stores.opened, {}, 'a torn write is no damage');
      written.push(await stores.write(written.length));
      await disk.writes('torn');
      written.push(await stores.write(written.length));
      await stores.kill();
      await disk.restart();
    }
    const stores = await openStores(t, disk);
    for (const [n, outcomes] of written.entries()) {
      const found = await stores.read(n, outcomes['key']?.value ?? null);
      const acknowledged = kindsOf(outcomes, ({ code }) => code === undefined);
      assert.ok(n % 2 === 1 || acknowledged.length === Object.keys(outcomes).length);
      const lost = acknowledged.filter((kind) => found[kind]?.value !== true);
      assert.deepEqual(lost, [], `${n}: ${JSON.stringify(found)}`);
    }
    await stores.kill();
  });

  test('to be read: each store says which file, and serves it when it can', async (t) => {
    const disk = await faultyDisk(t);
    const first = await openStores(t, disk);
    const before = await first.write(0);
    await first.kill();
    await disk.restart();
    await disk.reads('failing');
    const refused = await openStores(t, disk);
    const { code, said } = refused.opened as Outcome;
    assert.equal(code, 'STORE_UNAVAILABLE', said);
    assert.ok(said?.startsWith(`${disk.mount}/stores/`), said);
    await disk.reads('none');
    const opened = await openStores(t, disk);
    await opened.kill();
    await disk.restart();
    const stores = await openStores(t, disk);
    await disk.reads('failing');
    const failing = await stores.read(0, before['key']?.value);
    for (const [kind, { code, said, value }] of Object.entries(failing)) {
      const names = code !== 'INTERNAL' && said?.includes(`${disk.mount}/stores/`);
      assert.ok(value === true || names, `${kind}: ${code}: ${said}`);
    }
    await disk.reads('none');
    const found = await stores.read(0, before['key']?.value);
    assert.deepEqual(
      kindsOf(found, ({ value }) => value !== true),
      [],
      JSON.stringify(found),
    );
    await stores.kill();
  });
});
