import type { Command } from 'commander';
import { withJsonOption } from '../options.ts';
import { createOutput, formatTable } from '../output.ts';

export function registerDoctor(program: Command): void {
  const command = program
    .command('doctor')
    .description('says what this host lacks to run functions, and how to get it');
  withJsonOption(command).action(async (options: { json: boolean }) => {
    const output = createOutput(options.json);
    const { examineHost } = await import('../../serve/mod.ts');
    const findings = await examineHost();
    const rows = findings.map((finding) => [
      finding.present ? 'ok' : finding.required ? 'MISSING' : 'absent',
      finding.name,
      finding.present ? finding.detail : finding.remedy,
    ]);
    output.answer(findings, formatTable(['', 'what', ''], rows));
    if (findings.some((finding) => finding.required && !finding.present)) process.exitCode = 1;
  });
}
