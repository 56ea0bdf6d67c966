import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { limits, SluiceError, systemClock, systemRandom, toSluiceError } from '../base/mod.ts';
import { type AgentAnswer, type AgentCommand, TierWatch } from '../device/mod.ts';
import { mountFuse, unmountFuse } from '../fuse/mod.ts';
import { KeyReceiver } from '../seal/mod.ts';
import { Agent, type AgentOptions } from './agent.ts';
import type { AgentLoopData } from './agent-loop.ts';
import { sendNotes } from './agent-notes.ts';
import type { AgentSettings } from './agent-settings.ts';
import { AgentTelemetry } from './agent-telemetry.ts';
import { OpenManifests } from './open-manifests.ts';
import { openTiers } from './tiers.ts';

type Command = AgentCommand<AgentSettings>;

/** Ends the process at once, its blocked thread too; the mount goes with its namespace. */
function end(): void {
  process.kill(process.pid, 'SIGKILL');
}

function answer(message: AgentAnswer): void {
  process.send?.(message);
}

/** In a jail the connection is there already; who has to mount takes this process's rights. */
async function openFuse(mountPoint: string, root: AgentLoopData['root']): Promise<number> {
  const given = process.env['SLUICE_FUSE_FD'];
  if (given !== undefined) return Number(given);
  if (root === 'directory') await mkdir(mountPoint);
  return (await mountFuse(mountPoint, root, limits.device.fuseMaxReadBytes)).fd;
}

async function start(command: Extract<Command, { type: 'start' }>): Promise<Agent> {
  const { directory, file, settings, rehearse } = command;
  const root = file === undefined ? 'directory' : 'file';
  const mountPoint = file ?? join(directory, 'devices');
  const overlayDirectory = join(directory, 'overlays');
  await mkdir(overlayDirectory);
  const fd = await openFuse(mountPoint, root);
  const telemetry = new AgentTelemetry();
  const loads = telemetry.meter.counter(
    'sluice_chunk_loads_total',
    'Chunks that devices asked for and memory lacked, by the tier that had them.',
    ['tier'],
  );
  const tiers = new TierWatch((tier) => loads.add(1, { tier }));
  const isJailed = process.env['SLUICE_FUSE_FD'] !== undefined;
  const { meter, logger, traceLoad } = telemetry;
  const tools = { meter, logger, traceLoad, ...(isJailed && { keepNote: sendNotes(process) }) };
  const { source, near, use, rehearse: rehearseTiers } = await openTiers(settings, tiers, tools);
  const everyMs = settings.noteUseMs;
  const opened = new OpenManifests({ use, clock: systemClock, logger, everyMs });
  telemetry.report(systemClock, (message, sent) => process.send?.(message, sent));
  const { memoryBytes } = settings;
  const receiver = new KeyReceiver(systemRandom);
  const options: AgentOptions = {
    receiver,
    fuseFd: fd,
    root,
    overlayDirectory,
    memoryBytes,
    source,
    near,
    rehearseTiers,
    tiers,
    opened,
    meter: telemetry.meter,
    rehearse,
    answer,
    end,
  };
  const agent = new Agent(options);
  answer({ type: 'answer', id: command.id, mountPoint, publicKey: receiver.publicKey });
  if (rehearse) agent.rehearse().catch(end);
  return agent;
}

function main(): void {
  if (!process.send) {
    throw new SluiceError('USAGE', 'agent: started by a worker, which it talks to over IPC');
  }
  let agent: Agent | undefined;
  let mountedFile: string | undefined;
  process.on('disconnect', () => {
    if (mountedFile === undefined) end();
    else unmountFuse(mountedFile).then(end, end);
  });
  const obey = async (command: Command | { type: 'noted' }) => {
    if (command.type === 'noted') return;
    try {
      if (command.type === 'start') {
        agent = await start(command);
        mountedFile = command.file;
      } else {
        agent?.obey(command);
      }
    } catch (error) {
      answer({ type: 'refusal', id: command.id, failure: toSluiceError(error).toJSON() });
    }
  };
  process.on('message', (command: Command | { type: 'noted' }) => void obey(command));
}

main();
