import type { MessagePort } from 'node:worker_threads';
import { parentPort, receiveMessageOnPort, workerData } from 'node:worker_threads';
import { assert, limits, systemClock, systemRandom } from '../base/mod.ts';
import { ChunkSlots } from '../cache/mod.ts';
import { DeviceLoop, type LoopCommand, type LoopReport, rehearse } from '../device/mod.ts';
import { DOORBELL_NODE_ID, FuseServer, ROOT_NODE_ID } from '../fuse/mod.ts';

/** What the agent's main thread hands to this one. */
export interface AgentLoopData {
  readonly fuseFd: number;
  /** What the mount is: a directory of devices, or a file that is the one device. */
  readonly root: 'directory' | 'file';
  readonly memory: SharedArrayBuffer;
  readonly overlayDirectory: string;
  readonly commands: MessagePort;
  readonly rehearse: boolean;
}

/**
 * The agent's second thread: answers FUSE requests in a blocking loop until the mount is gone.
 * Its event loop never turns, so commands are taken from their port when the doorbell rings.
 */
async function serve(data: AgentLoopData): Promise<void> {
  const port = parentPort;
  assert(port, 'the loop runs in a worker thread');
  const { overlayDirectory } = data;
  const [clock, random] = [systemClock, systemRandom];
  if (data.rehearse) {
    const memory = new ChunkSlots(ChunkSlots.allocate(0));
    await rehearse({ memory, overlayDirectory, clock, random });
  }
  const loop = new DeviceLoop({
    memory: new ChunkSlots(data.memory),
    clock,
    random,
    overlayDirectory,
    firstNodeId: data.root === 'file' ? ROOT_NODE_ID : DOORBELL_NODE_ID + 1,
    nextCommand: () => receiveMessageOnPort(data.commands)?.message as LoopCommand | undefined,
    report: (report: LoopReport) => port.postMessage(report),
  });
  const server = new FuseServer({
    fd: data.fuseFd,
    files: loop,
    root: data.root,
    maxTransferBytes: limits.device.fuseMaxReadBytes,
    maxBackground: limits.agent.maxBackground,
  });
  server.run();
  loop.closeAll();
}

await serve(workerData as AgentLoopData);
