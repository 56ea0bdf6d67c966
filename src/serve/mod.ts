export { examineHost, type HostFinding } from './doctor.ts';
