export interface Job {
  /** No other job runs meanwhile. */
  readonly alone: boolean;
  run(): Promise<void>;
}

/**
 * Runs the jobs in their order, at most `atOnce` at a time; those that run alone come last, one
 * after the other. Rejects with the first job's error, once none runs any more.
 */
export async function runJobs(jobs: readonly Job[], atOnce: number): Promise<void> {
  const queue = jobs.filter((job) => !job.alone);
  const lane = async () => {
    for (let job = queue.shift(); job; job = queue.shift()) await job.run();
  };
  const ends = await Promise.allSettled(Array.from({ length: atOnce }, lane));
  for (const end of ends) if (end.status === 'rejected') throw end.reason;
  for (const job of jobs) if (job.alone) await job.run();
}
