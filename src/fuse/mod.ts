export type { FuseFile, FuseFiles, FuseReplies } from './files.ts';
export { mountFuse, unmountFuse } from './mount.ts';
export { ringDoorbell } from './notify.ts';
export { DOORBELL_NAME, DOORBELL_NODE_ID, errno, ROOT_NODE_ID } from './protocol.ts';
export { FuseServer } from './server.ts';
