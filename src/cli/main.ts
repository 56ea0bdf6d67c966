import { limits, systemClock } from '../base/mod.ts';
import { runCommandLine } from './mod.ts';

process.exitCode = await runCommandLine(process.argv.slice(2));
// Whatever a failed command left open must not make it look as if it ran: supervisors watch that.
if (process.exitCode !== 0) systemClock.setTimer(limits.cli.exitMs, () => process.exit());
