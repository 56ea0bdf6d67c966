import type { Architecture, CodeArchive, InstalledCode, LayerStore } from '../records/mod.ts';

export interface InstallRequest {
  readonly accountId: string;
  readonly functionName: string;
  readonly imageUri: string;
  readonly architecture: Architecture;
}

/**
 * Makes an image into a manifest that workers can run. Resolves the tag now: moving it later does
 * not change the function. Rejects with the SluiceError that names the cause; it becomes the
 * function's StateReason. Installing the same image again is cheap and safe.
 */
export interface CodeInstaller {
  install(request: InstallRequest, signal: AbortSignal): Promise<InstalledCode>;
}

export interface ZipInstallRequest {
  readonly accountId: string;
  readonly functionName: string;
  readonly architecture: Architecture;
  /** One of the runtimes that the frontend lets through. */
  readonly runtime: string;
  /** Unpacked to /var/task. */
  readonly archive: Buffer;
  /** Unpacked to /opt, in this order. */
  readonly layers: readonly Buffer[];
}

/** Makes a zip archive into a manifest that workers can run; as `CodeInstaller` otherwise. */
export interface ZipInstaller {
  installZip(request: ZipInstallRequest, signal: AbortSignal): Promise<InstalledCode>;
}

/** Where `S3Bucket` and `S3Key` lead. */
export interface CodeObjects {
  /** Rejects with `CODE_NOT_FOUND`; its `data` has S3's code and message as `code` and `reason`. */
  read(bucket: string, key: string, version: string | undefined): Promise<Buffer>;
}

/** All that zip functions and layers need. */
export interface ZipSupport {
  /** Without it, code comes with the request only. */
  readonly objects?: CodeObjects;
  readonly installer: ZipInstaller;
  readonly archive: CodeArchive;
  readonly layers: LayerStore;
  /** What the bases run on that are gathered from this host; any if absent. */
  readonly architecture?: Architecture;
  /** Runtimes that the operator named a base image for. */
  readonly namedBases?: readonly string[];
}
