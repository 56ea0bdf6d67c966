import type { TestContext } from 'node:test';
import { systemClock } from '../../src/base/mod.ts';
import {
  type Family,
  REQUEST_ID,
  type RunningClient,
  startClient,
} from '../../src/runtime/clients/testing/client-process.fixture.ts';
import type { Invocation } from '../../src/runtime/types.ts';
import type { ClientCase, Observation } from './case.ts';
import { Normal } from './normal.ts';

const HANGS_AFTER_MS = 120_000;
const PROCESSES_AT_ONCE = 2;
/** What a shared process prints before it runs a case. */
const MARK = '\u0001';

/** Ours, or one of Lambda's own: how its processes are started. */
export interface ClientUnderTest {
  /** `nodejs22`, `python3.12`: the runtime that it takes itself for. */
  readonly name: string;
  readonly family: Family;
  /** In place of our client. */
  readonly program?: readonly string[];
  readonly environment: Readonly<Record<string, string>>;
  /** The file and the source of a process that runs all handlers of a group. */
  shared(cases: readonly ClientCase[]): Readonly<Record<string, string>>;
  /** Which of the shared process's handlers runs a group. */
  entryOf(group: string): string;
  groupEnvironment(group: string): Readonly<Record<string, string>>;
  /** What its invokes bring beside what all do. */
  readonly headers?: Partial<Invocation>;
}

const identity = '{"cognitoIdentityId":"id-1","cognitoIdentityPoolId":"pool-1"}';
const more = {
  clientContext: '{"custom":{"k":"ü"},"client":{"app_title":"t"}}',
  cognitoIdentity: identity,
  tenantId: 'tenant-1',
};

/** Runs every case on one client; the cases of a group one after the other in one process. */
export async function observe(
  t: TestContext,
  client: ClientUnderTest,
  cases: readonly ClientCase[],
): Promise<Record<string, Observation>> {
  const own = cases.filter(({ clients }) => clients?.includes(client.name) ?? true);
  const groups = [...Map.groupBy(own, ({ group }) => group)];
  const seen: Record<string, Observation> = {};
  const worker = async () => {
    for (let next = groups.shift(); next; next = groups.shift()) {
      const [group, members] = next;
      Object.assign(seen, await observeGroup(t, client, group, members));
    }
  };
  await Promise.all(Array.from({ length: PROCESSES_AT_ONCE }, worker));
  return Object.fromEntries(own.map(({ name }) => [name, seen[name] as Observation]));
}

/** One process, and another after each case that ended it. */
async function observeGroup(
  t: TestContext,
  client: ClientUnderTest,
  group: string,
  cases: readonly ClientCase[],
): Promise<Record<string, Observation>> {
  const [first] = cases;
  const own = first?.entry !== undefined;
  const seen: Record<string, Observation> = {};
  for (let rest = [...cases]; rest.length > 0; ) {
    const running = await startClient(t, {
      family: client.family,
      ...(client.program ? { program: client.program } : {}),
      handler: first?.entry ?? client.entryOf(group),
      files: own && typeof first.handler === 'object' ? first.handler : client.shared(cases),
      environment: { ...client.environment, ...client.groupEnvironment(group) },
    });
    const normal = new Normal(running.root, REQUEST_ID);
    const ended: [string, Ended][] = [];
    for (
      let end = '';
      end !== 'closed' && end !== 'hangs' && rest.length > 0;
      rest = rest.slice(1)
    ) {
      const each = rest[0] as ClientCase;
      const outcome = await runCase(
        running,
        each,
        group === 'seen' ? { ...more, ...client.headers } : {},
      );
      ended.push([each.name, outcome]);
      end = outcome.outcome;
    }
    running.kill();
    await running.exited;
    for (const [name, end] of ended) {
      const log = normal.log(own ? running.output() : printedBy(running.output(), name));
      seen[name] = { ...normal.ending(end), log } as Observation;
    }
  }
  return seen;
}

export interface Ended {
  readonly outcome: string;
  readonly contentType?: string;
  readonly body?: Buffer;
  /** The posted error. */
  readonly error?: Buffer;
  readonly exit?: number | string;
}

async function runCase(
  running: RunningClient,
  { name, event, entry }: ClientCase,
  headers: Partial<Invocation>,
): Promise<Ended> {
  const abort = new AbortController();
  const late = systemClock.sleep(HANGS_AFTER_MS, abort.signal).then(
    () => 'late' as const,
    () => 'late' as const,
  );
  try {
    const done = await Promise.race([late, begin(running, { case: name, ...event }, headers)]);
    if (done === 'late') return { outcome: 'hangs' };
    if (entry === undefined) return done;
    const exit = await Promise.race([
      late,
      running.exited,
      running.settled().then(() => undefined),
    ]);
    return exit === undefined || exit === 'late' ? done : { ...done, exit };
  } finally {
    abort.abort();
  }
}

async function begin(
  running: RunningClient,
  event: object,
  headers: Partial<Invocation>,
): Promise<Ended> {
  const init = await running.init;
  if (init.kind === 'error') return { outcome: 'init-error', error: init.body };
  if (init.kind !== 'ready') return { outcome: init.kind };
  const { outcome, contentType, body } = await running.stream(event, headers);
  switch (outcome.kind) {
    case 'response':
      return { outcome: 'response', body: outcome.body };
    case 'streamed':
      return { outcome: 'streamed', contentType, body };
    case 'error':
      return {
        outcome: contentType === '' ? 'error' : 'streamed error',
        error: outcome.body,
        body,
      };
    default:
      return { outcome: outcome.kind };
  }
}

/** The part of the output that belongs to one case of a shared process. */
function printedBy(output: string, name: string): string {
  const from = output.indexOf(`${MARK}${name}\n`);
  if (from < 0) return '';
  const text = output.slice(from + MARK.length + name.length + 1);
  const end = text.indexOf(MARK);
  return end < 0 ? text : text.slice(0, end);
}
