import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';
import { type TestContext, test } from 'node:test';
import { setTimeout as sleep } from 'node:timers/promises';
import { isSluiceError, MIB } from '../base/mod.ts';
import { SandboxLife } from './life.ts';
import type { Sandbox, SandboxEvent, SandboxProvider, SandboxRemains } from './provider.ts';
import type { SandboxIdentity, SandboxShape, SandboxSpec } from './spec.ts';

/** One kind of isolation with a disk on which `/bin/sh` is busybox. */
export interface SandboxBench {
  readonly provider: SandboxProvider;
  /** Whether `/tmp` rests on a disk, which stays when a sandbox is reset. */
  readonly keepsTmp: boolean;
  /** Which of these it refuses. */
  readonly lacks: readonly ('capture' | 'restore' | 'fork')[];
  /** Of a sandbox that runs a shell script; its environment has the bench's needle. */
  specOf(script: string): SandboxSpec;
  /** Processes, loop devices and the like that the host has because of this bench's sandboxes. */
  leftovers(): readonly string[];
  /** Files that hold the `/tmp` of a sandbox. */
  disksOfTmp(): number;
  /** An empty directory. */
  directory(): string;
}

interface Owned {
  readonly sandbox: Sandbox;
  readonly life: SandboxLife;
  readonly events: SandboxEvent[];
}

/** What every isolation must do; `open` answers its bench, or undefined to skip. */
export function sandboxConformance(
  name: string,
  open: (t: TestContext) => Promise<SandboxBench | undefined>,
): void {
  const check = (what: string, body: (bench: SandboxBench) => Promise<void>): void => {
    test(`${name}: ${what}`, async (t) => {
      const bench = await open(t);
      if (!bench) return;
      await body(bench);
      assert.deepEqual(bench.leftovers(), [], 'nothing is left');
    });
  };
  checkLife(check);
  checkStops(check);
  checkResets(check);
  checkFailures(check);
  checkFreezing(check);
  checkLimits(check);
  checkIdentity(check);
}

type Check = (what: string, body: (bench: SandboxBench) => Promise<void>) => void;

async function start(
  { provider }: SandboxBench,
  spec: SandboxSpec,
  remains?: SandboxRemains,
): Promise<Owned> {
  const life = new SandboxLife();
  const events: SandboxEvent[] = [];
  const onEvent = (event: SandboxEvent) => {
    events.push(event);
    life.onEvent(event);
  };
  const sandbox = await provider.start(spec, { onEvent }, remains);
  return { sandbox, life, events };
}

const kindsOf = (events: readonly SandboxEvent[]) => events.map(({ kind }) => kind);

function withShape({ shape, identity }: SandboxSpec, more: Partial<SandboxShape>): SandboxSpec {
  return { shape: { ...shape, ...more }, identity };
}

function withIdentity({ shape, identity }: SandboxSpec, more: Partial<SandboxIdentity>) {
  return { shape, identity: { ...identity, ...more } };
}

function checkLife(check: Check): void {
  check('tells its owner of its life in order, each once, and ends with stop', async (bench) => {
    const { sandbox, life, events } = await start(bench, bench.specOf('echo out; exit 3'));
    const [stdout, exit] = await Promise.all([text(sandbox.stdout), life.exited]);
    assert.equal(stdout, 'out\n');
    assert.deepEqual(exit, { exitCode: 3, signal: null, oomKilled: false });
    assert.deepEqual(kindsOf(events), ['exited']);
    await sandbox.stop();
    assert.deepEqual(kindsOf(events), ['exited', 'stopped']);
  });

  check('an entrypoint that ends at once is told of all the same', async (bench) => {
    const { sandbox, life } = await start(bench, bench.specOf('exit 5'));
    assert.equal((await life.exited).exitCode, 5);
    await sandbox.stop();
  });

  check('hands out the server that listens inside, and reaches what does', async (bench) => {
    const ask = 'wget -q -O - http://127.0.0.1:9001/ping; echo';
    const listen = 'exec nc -l -p 7000 -e /bin/echo inside';
    const { sandbox } = await start(bench, bench.specOf(`${ask}; ${listen}`));
    const http = createServer((_, response) => response.end('pong'));
    http.listen(sandbox.runtimeApi);
    assert.equal(await firstLine(sandbox), 'pong');
    let heard = '';
    while (heard === '') {
      const socket = await sandbox.connect(7000);
      heard = await text(socket).catch(() => '');
    }
    assert.equal(heard, 'inside\n');
    await sandbox.stop();
    await assert.rejects(sandbox.connect(7000), { code: 'CANCELLED' });
    http.close();
  });

  check('a crash is told by its signal', async (bench) => {
    const { sandbox, life } = await start(bench, bench.specOf('kill -SEGV $$'));
    assert.deepEqual(await life.exited, { exitCode: null, signal: 'SIGSEGV', oomKilled: false });
    await sandbox.stop();
  });

  check('SIGTERM reaches the entrypoint', async (bench) => {
    const script = 'trap "exit 7" TERM; echo up; while :; do sleep 0.01; done';
    const { sandbox, life } = await start(bench, bench.specOf(script));
    await firstLine(sandbox);
    await sandbox.terminate();
    assert.equal((await life.exited).exitCode, 7);
    await sandbox.stop();
    await sandbox.terminate();
  });
}

function checkStops(check: Check): void {
  check('stop may come twice, and ends processes that ignore signals', async (bench) => {
    const script = `sh -c 'trap "" TERM HUP; while :; do sleep 1; done' & echo up; wait`;
    const { sandbox, life, events } = await start(bench, bench.specOf(script));
    await firstLine(sandbox);
    assert.notDeepEqual(bench.leftovers(), [], 'what is left is seen');
    await Promise.all([sandbox.stop(), sandbox.stop()]);
    await sandbox.stop();
    assert.deepEqual(kindsOf(events), ['exited', 'stopped']);
    assert.deepEqual(await life.exited, { exitCode: null, signal: 'SIGKILL', oomKilled: false });
    assert.ok((await sandbox.peakMemoryBytes()) > 0, 'what it used is known');
  });

  check('a start that is aborted at any moment tells nothing and leaves nothing', async (bench) => {
    let aborted = 0;
    for (let delayMs = 0; delayMs < 24; delayMs += 2) {
      const controller = new AbortController();
      const reason = new Error('not wanted any more');
      const events: SandboxEvent[] = [];
      const owner = { onEvent: (event: SandboxEvent) => events.push(event) };
      const { signal } = controller;
      const starting = bench.provider
        .start(bench.specOf('sleep 1000'), { ...owner, signal })
        .then((sandbox) => sandbox.stop())
        .catch((error) => {
          assert.equal(error, reason);
          assert.deepEqual(events, []);
          aborted++;
        });
      await sleep(delayMs);
      controller.abort(reason);
      await starting;
      assert.deepEqual(bench.leftovers(), []);
      assert.equal(bench.disksOfTmp(), 0);
    }
    assert.ok(aborted > 0);
  });

  check('a start past its deadline fails', async (bench) => {
    const late = withIdentity(bench.specOf('sleep 1000'), { deadlineMs: 0 });
    await assert.rejects(start(bench, late), { code: 'DEADLINE_EXCEEDED' });
  });
}

function checkResets(check: Check): void {
  const writes = 'umask 077; mkdir /tmp/lost+found; echo kept > /tmp/lost+found/file; echo up; ';
  const lingers = `sh -c 'trap "" TERM HUP; while :; do sleep 1; done' & wait`;
  const reads = 'cat /tmp/lost+found/file || echo nothing; sleep 1000';

  check('a reset ends all processes, and the next start finds their /tmp', async (bench) => {
    const { sandbox, events } = await start(bench, bench.specOf(writes + lingers));
    await firstLine(sandbox);
    const remains = await sandbox.reset();
    assert.deepEqual(bench.leftovers(), [], 'nothing runs');
    assert.deepEqual(kindsOf(events), ['exited', 'stopped']);
    await assert.rejects(sandbox.reset(), { code: 'CANCELLED' });
    await sandbox.stop();
    const again = await start(bench, bench.specOf(reads), remains);
    assert.equal(await firstLine(again.sandbox), bench.keepsTmp ? 'kept' : 'nothing');
    await again.sandbox.stop();
  });

  check('remains that are discarded, or whose start fails, are gone', async (bench) => {
    const files = () => (bench.keepsTmp ? 1 : 0);
    const first = await start(bench, bench.specOf(`${writes}sleep 1000`));
    await firstLine(first.sandbox);
    const left = await first.sandbox.reset();
    assert.equal(bench.disksOfTmp(), files());
    await Promise.all([left.discard(), left.discard()]);
    assert.equal(bench.disksOfTmp(), 0);
    for (const refused of [
      withShape(bench.specOf(''), { argv: ['/no/such'] }),
      withShape(bench.specOf(''), { memoryBytes: 0 }),
      withIdentity(bench.specOf('sleep 1000'), { deadlineMs: 0 }),
    ]) {
      const { sandbox } = await start(bench, bench.specOf(`${writes}sleep 1000`));
      await firstLine(sandbox);
      const remains = await sandbox.reset();
      assert.equal(bench.disksOfTmp(), files());
      await assert.rejects(start(bench, refused, remains));
      assert.equal(bench.disksOfTmp(), 0);
    }
  });

  check('what another kind of isolation left is refused', async (bench) => {
    let discarded = 0;
    const remains = { isolation: 'another', discard: async () => void discarded++ };
    const refused = start(bench, bench.specOf('sleep 1000'), remains);
    await assert.rejects(refused, { code: 'ISOLATION_LACKS' });
    assert.equal(discarded, 1);
  });
}

function checkFailures(check: Check): void {
  check('a start that cannot be says which step failed, and has no life', async (bench) => {
    const spec = withShape(bench.specOf(''), { argv: ['/no/such'] });
    const events: SandboxEvent[] = [];
    const owner = { onEvent: (event: SandboxEvent) => events.push(event) };
    await assert.rejects(bench.provider.start(spec, owner), (error) => {
      assert.ok(isSluiceError(error, 'SANDBOX_START_FAILED'), String(error));
      assert.equal(error.data['reasonCode'], 'FunctionError.InvalidEntryPoint');
      return true;
    });
    const nothing = withShape(spec, { argv: [] });
    await assert.rejects(bench.provider.start(nothing, owner), { code: 'SANDBOX_START_FAILED' });
    const shapeless = withShape(spec, { memoryBytes: 0 });
    await assert.rejects(bench.provider.start(shapeless, owner), { code: 'USAGE' });
    assert.deepEqual(events, []);
  });

  check('what it cannot do it refuses by its code, and goes on', async (bench) => {
    const { provider, lacks } = bench;
    const spec = bench.specOf('echo up; sleep 1000');
    const { sandbox, events } = await start(bench, spec);
    await firstLine(sandbox);
    const owner = { onEvent: () => assert.fail('nothing came to life') };
    const snapshot = {
      isolation: provider.isolation,
      shape: spec.shape,
      directory: bench.directory(),
    };
    const operations = {
      capture: () => sandbox.capture(bench.directory()),
      fork: () => sandbox.fork(spec, owner),
      restore: () => provider.restore(snapshot, spec, owner),
    };
    for (const operation of lacks) {
      await assert.rejects(operations[operation](), (error) => {
        assert.ok(isSluiceError(error, 'ISOLATION_LACKS'), String(error));
        assert.equal(error.data['operation'], operation);
        assert.equal(error.data['isolation'], provider.isolation);
        return true;
      });
    }
    assert.deepEqual(events, []);
    await sandbox.stop();
  });
}

function checkFreezing(check: Check): void {
  check(
    'frozen it stands still, thawed it goes on, and frozen it can be stopped',
    async (bench) => {
      const script = 'i=0; while :; do i=$((i+1)); echo $i; sleep 0.01; done';
      const { sandbox, events } = await start(bench, bench.specOf(script));
      let lines = 0;
      sandbox.stdout.on('data', (chunk: Buffer) => {
        lines += String(chunk).split('\n').length - 1;
      });
      const more = async () => {
        for (const before = lines; lines === before; ) await sleep(5);
      };
      await more();
      await sandbox.freeze();
      await sandbox.freeze();
      await sleep(50);
      const frozenAt = lines;
      await sleep(150);
      assert.equal(lines, frozenAt);
      await sandbox.thaw();
      await more();
      await sandbox.freeze();
      await sandbox.stop();
      assert.deepEqual(kindsOf(events), ['exited', 'stopped']);
    },
  );

  check('one that was stopped has no hand on the next', async (bench) => {
    const spec = bench.specOf('echo up; cat');
    const first = (await start(bench, spec)).sandbox;
    await first.stop();
    const { sandbox } = await start(bench, bench.specOf('echo up; while :; do echo; done'));
    await firstLine(sandbox);
    await first.freeze();
    first.limitCpu(1);
    await first.stop();
    let grown = 0;
    sandbox.stdout.on('data', (chunk: Buffer) => {
      grown += chunk.length;
    });
    while (grown === 0) await sleep(5);
    await first.thaw();
    await sandbox.stop();
  });
}

function checkLimits(check: Check): void {
  check('memory, processes, open files and /tmp end where the shape says', async (bench) => {
    const outputOf = async (script: string, more: Partial<SandboxShape>) => {
      const spec = withShape(bench.specOf(script), more);
      const { sandbox, life } = await start(bench, spec);
      const [stdout, exit] = await Promise.all([
        text(sandbox.stdout),
        life.exited,
        text(sandbox.stderr),
      ]);
      await sandbox.stop();
      return { stdout, exit };
    };
    const hog = await outputOf('exec tail /dev/zero', { memoryBytes: 64 * MIB });
    assert.equal(hog.exit.oomKilled, true);
    assert.equal(hog.exit.signal, 'SIGKILL');
    const forks = 'i=0; while [ $i -lt 40 ]; do sleep 1000 & i=$((i+1)); done; echo all';
    assert.doesNotMatch((await outputOf(forks, { processes: 16 })).stdout, /all/);
    assert.equal((await outputOf('ulimit -n', { openFiles: 77 })).stdout, '77\n');
    const fill = 'dd if=/dev/zero of=/tmp/x bs=1M count=64 || echo full';
    assert.equal((await outputOf(fill, { tmpBytes: 16 * MIB })).stdout, 'full\n');
  });
}

function checkIdentity(check: Check): void {
  check('two of one shape have each their own identity, and their own life', async (bench) => {
    const script = 'echo $SHAPE $AWS_LAMBDA_LOG_STREAM_NAME $AWS_SESSION_TOKEN; exec sleep 1000';
    const base = bench.specOf(script);
    const environment = { ...base.shape.environment, SHAPE: 'same', AWS_SESSION_TOKEN: 'forged' };
    const shape = Object.freeze({ ...base.shape, environment: Object.freeze(environment) });
    const identities = ['one', 'two'].map((each) => ({
      ...base.identity,
      sandboxId: each,
      logStream: `stream-${each}`,
      credentials: { AWS_SESSION_TOKEN: `key-${each}` },
    }));
    const both = await Promise.all(identities.map((identity) => start(bench, { shape, identity })));
    assert.deepEqual(await Promise.all(both.map(({ sandbox }) => firstLine(sandbox))), [
      'same stream-one key-one',
      'same stream-two key-two',
    ]);
    const [one, two] = both as [Owned, Owned];
    assert.equal(one.sandbox.sandboxId, 'one');
    await one.sandbox.stop();
    assert.deepEqual(kindsOf(one.events), ['exited', 'stopped']);
    assert.deepEqual(two.events, []);
    await two.sandbox.stop();
  });
}

async function firstLine({ stdout }: Sandbox): Promise<string> {
  let seen = '';
  for await (const chunk of stdout.iterator({ destroyOnReturn: false })) {
    seen += chunk;
    if (seen.includes('\n')) break;
  }
  return seen.slice(0, seen.indexOf('\n'));
}
