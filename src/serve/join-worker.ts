import { AssignmentService, type WorkerListener } from '../assignment/mod.ts';
import { type Logger, type Meter, systemClock, systemRandom } from '../base/mod.ts';
import {
  Dispatcher,
  InvokesUnderWay,
  RegionInvoker,
  type UsageFile,
  type VersionBook,
} from '../dispatch/mod.ts';
import { PlacementService } from '../placement/mod.ts';
import type { Worker } from '../worker/mod.ts';
import type { Stores } from './stores.ts';

interface JoinOptions {
  readonly starts: Stores['settings']['starts'];
  readonly usage: UsageFile;
  readonly versions: VersionBook;
  readonly meter: Meter;
  readonly logger: Logger;
}

/** Puts assignment, placement and dispatch over the one worker of this process. */
export function joinWorker(
  worker: Worker,
  options: JoinOptions,
): { assignment: AssignmentService; invoker: RegionInvoker } {
  const { meter, logger, versions, starts, usage } = options;
  const clock = systemClock;
  const placement = new PlacementService({ clock });
  const assignment = new AssignmentService({
    placer: placement,
    limits: { startsPerRegion: starts.perRegion, startsPerAccount: starts.perAccount },
    meter,
    clock,
    random: systemRandom,
    logger,
  });
  const listener: WorkerListener = {
    release: (lease, outcome) => assignment.release(lease, outcome),
    ended: (sandboxId) => assignment.ended(sandboxId),
    reported: (report) => {
      placement.reported(report);
      assignment.reported(report);
    },
  };
  assignment.join(worker);
  worker.listen(listener);
  const dispatcher = new Dispatcher({
    leases: assignment,
    workers: { find: (workerId) => (workerId === worker.workerId ? worker : undefined) },
    versions,
    usage: usage.ledger,
    meter,
    clock,
  });
  const underWay = new InvokesUnderWay(clock);
  return { assignment, invoker: new RegionInvoker(dispatcher, assignment, versions, underWay) };
}
