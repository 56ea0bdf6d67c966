export {
  type AccessKey,
  defaultAccountId,
  ensureCredentialsFile,
  formatCredentials,
  newAccessKey,
  parseCredentials,
  writeCredentialsFile,
} from './credentials-file.ts';
export { type DataDirectory, dataDirectory, ensureDataDirectory } from './data-directory.ts';
export { lockDataDirectory, lockFile } from './data-lock.ts';
export { readFileIfThere, replaceFile, replaceFileSync } from './durable-file.ts';
export { fileSystemDirectory } from './file-systems.ts';
export { type RegionRecord, readRegionRecord, writeRegionRecord } from './region-record.ts';
export {
  type CacheSettings,
  type CodeSettings,
  changeSetting,
  type ImageSettings,
  type KeySettings,
  type OriginSettings,
  type QueueSettings,
  readSettings,
  type SaltSettings,
  type SdkSettings,
  type Settings,
} from './settings.ts';
