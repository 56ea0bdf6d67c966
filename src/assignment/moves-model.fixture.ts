import fc from 'fast-check';
import { limited, ours, type Region, versionOf } from './step-model.fixture.ts';

type StartEnd = 'ok' | 'init-failed' | 'ours' | 'limited';
const workers = ['w1', 'w2'];

export type Move =
  | { type: 'invoke'; function: number; patient: boolean }
  | { type: 'drain'; function: number }
  | { type: 'place'; pick: number; worker: number; taken: boolean }
  | { type: 'start-ends'; pick: number; how: StartEnd }
  | { type: 'answer' | 'settle' | 'die' | 'cancel'; pick: number }
  | { type: 'undelivered'; pick: number; gone: boolean }
  | { type: 'provision'; function: number; count: number }
  | { type: 'reclaim' }
  | { type: 'advance'; ms: number }
  | { type: 'clock-steps'; ms: number }
  | { type: 'report' | 'worker-left'; worker: number }
  | { type: 'takeover'; journal: boolean };

const pick = fc.nat(1000);
const worker = fc.nat(1);
const of = <T extends Move['type']>(type: T) => fc.constant(type);
const calm: { weight: number; arbitrary: fc.Arbitrary<Move> }[] = [
  {
    weight: 6,
    arbitrary: fc.record({
      type: of('invoke'),
      function: fc.nat(4),
      patient: fc.constantFrom(true, true, true, false),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: of('place'),
      pick,
      worker,
      taken: fc.constantFrom(true, true, true, true, false),
    }),
  },
  {
    weight: 5,
    arbitrary: fc.record({
      type: of('start-ends'),
      pick,
      how: fc.constantFrom<StartEnd>('ok', 'ok', 'ok', 'init-failed', 'ours', 'limited'),
    }),
  },
  { weight: 5, arbitrary: fc.record({ type: of('answer'), pick }) },
  { weight: 5, arbitrary: fc.record({ type: of('settle'), pick }) },
  { weight: 1, arbitrary: fc.record({ type: of('die'), pick }) },
  { weight: 1, arbitrary: fc.record({ type: of('cancel'), pick }) },
  { weight: 1, arbitrary: fc.record({ type: of('drain'), function: fc.nat(4) }) },
  { weight: 1, arbitrary: fc.record({ type: of('reclaim') }) },
  { weight: 1, arbitrary: fc.record({ type: of('report'), worker }) },
  { weight: 1, arbitrary: fc.record({ type: of('worker-left'), worker }) },
  { weight: 3, arbitrary: fc.record({ type: of('advance'), ms: fc.nat(300) }) },
  {
    weight: 2,
    arbitrary: fc.record({
      type: of('provision'),
      function: fc.constantFrom(1, 2),
      count: fc.nat(2),
    }),
  },
];

/** What happens under one leader. */
export const calmMoves = fc.array(fc.oneof(...calm), { maxLength: 120, size: 'max' });

/** The same, with leaders and clocks that change and leases that don't arrive. */
export const roughMoves = fc.array(
  fc.oneof(
    ...calm,
    {
      weight: 1,
      arbitrary: fc.record({ type: of('undelivered'), pick, gone: fc.boolean() }),
    },
    { weight: 1, arbitrary: fc.record({ type: of('takeover'), journal: fc.boolean() }) },
    {
      weight: 1,
      arbitrary: fc.record({
        type: of('clock-steps'),
        ms: fc.constantFrom(-3_600_000, -10, 5, 3_600_000),
      }),
    },
  ),
  { maxLength: 120, size: 'max' },
);

export const functions = [0, 1, 2, 3, 4].map((n) => versionOf(`f${n}`, `a${n % 2}`));
/** Three reserved for the first two functions, two kept for what the third may have provisioned. */
export const account = 7;
export const reservedTotal = 5;

const pickOf = <T>(from: Iterable<T>, at: number): T | undefined => {
  const all = [...from];
  return all[at % all.length];
};

/** Plays one move, if it can be played. */
export function play(region: Region, each: Move): void {
  switch (each.type) {
    case 'invoke': {
      // A function's reservation stays what it is; the first functions have one.
      const reserved = each.function < 2 ? [1, 2][each.function] : undefined;
      const allowance = { account, reservedTotal, reserved };
      region.invoke(functions[each.function]!, allowance, each.patient ? undefined : 100);
      break;
    }
    case 'place': {
      const sandboxId = pickOf(region.placing.keys(), each.pick);
      if (sandboxId === undefined) break;
      if (each.taken) region.place(sandboxId, workers[each.worker]);
      else region.unplaced(sandboxId);
      break;
    }
    case 'start-ends': {
      const sandboxId = pickOf(region.starting.keys(), each.pick);
      if (sandboxId === undefined) break;
      if (each.how === 'ours') region.startFailed(sandboxId, ours);
      else if (each.how === 'limited') region.startFailed(sandboxId, limited);
      else region.started(sandboxId, each.how === 'init-failed');
      break;
    }
    case 'drain':
      region.do({ type: 'drain', versionArn: functions[each.function]!.versionArn });
      break;
    case 'provision':
      region.provision(functions[each.function]!, each.count);
      break;
    case 'reclaim':
      region.do({ type: 'reclaim', count: 1 });
      break;
    case 'advance':
      region.advance(each.ms);
      break;
    case 'clock-steps':
      region.nowMs += each.ms;
      break;
    case 'report':
      region.report(workers[each.worker]!);
      break;
    case 'worker-left':
      region.workerLeft(workers[each.worker]!);
      break;
    case 'takeover':
      region.takeover(each.journal ? 'journal' : 'snapshot');
      break;
    default:
      playLease(region, each);
  }
}

function playLease(
  region: Region,
  each: Move & { type: 'answer' | 'settle' | 'die' | 'cancel' | 'undelivered' },
): void {
  switch (each.type) {
    case 'answer': {
      const leaseId = pickOf(region.lent.keys(), each.pick);
      if (leaseId !== undefined) region.answered(leaseId);
      break;
    }
    case 'settle': {
      const sandboxId = pickOf(region.settling.keys(), each.pick);
      if (sandboxId !== undefined) region.settled(sandboxId);
      break;
    }
    case 'die': {
      const sandboxId = pickOf(region.hosted.keys(), each.pick);
      if (sandboxId !== undefined && !region.starting.has(sandboxId)) region.ended(sandboxId);
      break;
    }
    case 'cancel': {
      const leaseId = pickOf(region.waiting.keys(), each.pick);
      if (leaseId === undefined) break;
      region.waiting.delete(leaseId);
      region.do({ type: 'cancelled', leaseId });
      break;
    }
    case 'undelivered': {
      const leaseId = pickOf(region.lent.keys(), each.pick);
      if (leaseId !== undefined) region.undelivered(leaseId, each.gone ? 'gone' : 'busy');
      break;
    }
  }
}
