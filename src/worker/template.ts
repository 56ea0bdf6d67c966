import type { VersionRef } from '../assignment/mod.ts';
import type { HostMount } from '../isolation/mod.ts';

/** Everything that a worker has to know to make a sandbox of one function version. */
export interface SandboxTemplate {
  readonly functionArn: string;
  readonly functionName: string;
  /** `$LATEST` or a number. */
  readonly version: string;
  /**
   * Changes with every change of code or configuration. Sandboxes of one revision never serve
   * another, so an update is complete the moment the frontend sends the new one.
   */
  readonly revision: string;
  readonly accountId: string;
  /** The ARN that the function was given; it names the sandbox to policies. */
  readonly role?: string | undefined;
  readonly region: string;
  readonly manifestId: string;
  readonly memoryMb: number;
  readonly timeoutMs: number;
  readonly ephemeralMb: number;
  /** The function's own variables. */
  readonly environment: Readonly<Record<string, string>>;
  /** `Env` of the image's config. */
  readonly imageEnvironment: Readonly<Record<string, string>>;
  readonly entrypoint: readonly string[];
  readonly command: readonly string[];
  readonly workingDirectory: string;
  /** What of the image was left out, mended or is not there; said once in the function's log. */
  readonly warnings?: readonly string[] | undefined;
  /** `_HANDLER`; the first element of `command` if absent. */
  readonly handler?: string | undefined;
  /** `nodejs24.x`, …; absent for images and for `provided`. */
  readonly runtime?: string | undefined;
  readonly hostMounts?: readonly HostMount[] | undefined;
  readonly logGroup: string;
  /** Text if absent. */
  readonly logFormat?: 'Text' | 'JSON' | undefined;
  /** TRACE to FATAL, with format JSON only; INFO if absent. */
  readonly applicationLogLevel?: string | undefined;
  /** DEBUG, INFO or WARN, with format JSON only; INFO if absent. */
  readonly systemLogLevel?: string | undefined;
}

/** Where a worker finds what a version's sandboxes are made of. */
export interface TemplateSource {
  /**
   * Rejects with `FUNCTION_NOT_FOUND` once that revision is neither served nor remembered: then
   * nobody asks for it any more either.
   */
  find(version: VersionRef): Promise<SandboxTemplate>;
}
