import { spawn } from 'node:child_process';
import { getPriority, setPriority } from 'node:os';

/** Process groups that go with this process, however it ends. */
const running = new Set<number>();

function endGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // The group has ended by itself.
  }
}

process.on('exit', () => running.forEach(endGroup));

export type Ending = 'passed' | 'failed' | 'late';

/**
 * Runs one test file in a process group of its own and ends the whole group with it: at the first
 * test that fails, at the limit of its time, or when it is through. What it leaves behind goes too.
 * Its limit of CPU time ends a loop that has no end, however busy the machine is.
 */
export function runTestFile(
  file: string,
  options: { cwd: string; timeoutMs: number; cpuSeconds: number; env?: NodeJS.ProcessEnv },
): Promise<Ending> {
  const { cwd, timeoutMs, cpuSeconds, env = {} } = options;
  const node = [process.execPath, '--disable-warning=ExperimentalWarning', '--test-reporter=tap'];
  const limited = ['-c', 'ulimit -S -t "$0"; exec "$@"', String(cpuSeconds), ...node, file];
  const child = spawn('/bin/sh', limited, {
    cwd,
    // Without the context that a test runner above gives, it would speak to that one.
    env: { ...process.env, NODE_TEST_CONTEXT: undefined, SLUICE_PROPERTY_SCALE: '0.5', ...env },
    stdio: ['ignore', 'pipe', 'ignore'],
    detached: true,
  });
  const { pid = 0 } = child;
  if (pid > 0) {
    running.add(pid);
    setPriority(pid, Math.max(10, getPriority()));
  }
  return new Promise((resolve, reject) => {
    let ending: Ending | undefined;
    const end = (how: Ending) => {
      ending ??= how;
      clearTimeout(timer);
      if (pid > 0) endGroup(pid);
    };
    const timer = setTimeout(() => end('late'), timeoutMs);
    let rest = '';
    child.stdout.on('data', (bytes) => {
      const lines = `${rest}${bytes}`.split('\n');
      rest = lines.pop() ?? '';
      if (lines.some((line) => /^\s*not ok /.test(line))) end('failed');
    });
    child.once('error', reject);
    child.once('close', (status, signal) => {
      end(signal === 'SIGXCPU' ? 'late' : status === 0 ? 'passed' : 'failed');
      running.delete(pid);
      resolve(ending ?? 'failed');
    });
  });
}
