import { systemClock } from '../base/mod.ts';
import { runCommandLine } from './mod.ts';

/** What a failed command has to end in by itself. */
const EXIT_MS = 5000;

process.exitCode = await runCommandLine(process.argv.slice(2));
// Whatever a failed command left open must not make it look as if it ran: supervisors watch that.
if (process.exitCode !== 0) systemClock.setTimer(EXIT_MS, () => process.exit());
