import type { DatabaseSync, StatementSync } from 'node:sqlite';
import { assert, limits } from '../base/mod.ts';
import { BEGIN, COMMIT, type OnDamaged, openDatabase } from '../database/mod.ts';
import { Claims } from './claims.ts';
import { EventBytes, type EventSize, sizeOf } from './event-bytes.ts';
import { queuesOf, requireRoom, shortest } from './fair-share.ts';
import { SqliteFailures } from './sqlite-failures.ts';
import { eventOfRow, type Row, rowBytes, sizeOfRow } from './sqlite-rows.ts';
import { eventQueueMigrations } from './sqlite-schema.ts';
import { giveBack, makeShrinkable } from './sqlite-space.ts';
import type {
  AsyncEvent,
  EventCapacity,
  EventProgress,
  FailedEvent,
  QueueStats,
  StoredEvent,
} from './types.ts';

/** The internal queue of events that cannot be read: nobody claims them, and they stay for an operator. */
const SET_ASIDE = -1;

/**
 * The queue's tables, synchronous: every call is one part of the batch that its caller commits or
 * rolls back. Claims and depths are kept in memory; `rolledBack` brings them in line again.
 */
export class SqliteEvents {
  readonly #database: DatabaseSync;
  readonly #capacity: Required<EventCapacity>;
  readonly #statements = new Map<string, StatementSync>();
  readonly #claims = new Claims(limits.queue.queues);
  readonly #depths: number[];
  readonly #bytes: EventBytes;
  readonly #failures: SqliteFailures;
  readonly #onDamaged: OnDamaged;
  #commits = 0;
  #turn = 0;

  constructor(path: string, capacity: Required<EventCapacity>, onDamaged: OnDamaged) {
    this.#capacity = capacity;
    this.#depths = new Array<number>(limits.queue.queues).fill(0);
    this.#bytes = new EventBytes(capacity.bytes);
    this.#database = openDatabase(path, eventQueueMigrations);
    this.#onDamaged = onDamaged;
    makeShrinkable(this.#database);
    this.#failures = new SqliteFailures(this.#database, capacity.failures);
    this.#loadDepths();
    for (const row of this.#all('SELECT * FROM events WHERE queue = ?', SET_ASIDE)) {
      eventOfRow(row, onDamaged);
    }
  }

  begin(): void {
    this.#claims.begin();
    this.#database.exec(BEGIN);
  }

  commit(): void {
    this.#database.exec(COMMIT);
    if (++this.#commits % limits.queue.commitsPerVacuum === 0) giveBack(this.#database);
  }

  /** Nothing of the batch was done. */
  rolledBack(): void {
    if (this.#database.isTransaction) this.#database.exec('ROLLBACK');
    this.#claims.rollBack();
    this.#failures.reload();
    this.#loadDepths();
  }

  close(): void {
    this.#database.close();
  }

  enqueue(event: AsyncEvent): void {
    const { accountId, functionName } = event;
    const { queues, queuesPerFunction } = limits.queue;
    const candidates = queuesOf(`${accountId}/${functionName}`, queues, queuesPerFunction);
    const queue = shortest(candidates, (each) => this.#depths[each] ?? 0);
    const depth = this.#depths[queue] ?? 0;
    const events = this.#eventCount();
    requireRoom(functionName, { depth, events, eventsMax: this.#capacity.events });
    const size = sizeOf(event);
    this.#bytes.requireRoom(size);
    this.#run(
      `INSERT INTO events (queue, visible_at_ms, received_ms, account_id, function_name, qualifier,
         request_id, trace_id, tenant_id, payload, invokes, refusals)
       VALUES (?,?,?,?,?,?,?,?,?,?,0,0)`,
      queue,
      Math.floor(event.receivedMs),
      Math.floor(event.receivedMs),
      accountId,
      functionName,
      event.qualifier ?? null,
      event.requestId,
      event.traceId,
      event.tenantId ?? null,
      event.payload,
    );
    this.#depths[queue] = (this.#depths[queue] ?? 0) + 1;
    this.#bytes.add(size);
  }

  claim(nowMs: number, limit: number): StoredEvent[] {
    const events: StoredEvent[] = [];
    const { queues } = limits.queue;
    for (let idle = 0; events.length < limit && idle < queues; this.#turn++) {
      const queue = this.#turn % queues;
      const next = this.#nextOf(queue, nowMs);
      if (!next) idle++;
      else {
        idle = 0;
        const event = eventOfRow(this.#row('*', next.eventId), this.#onDamaged);
        if (event) {
          this.#claims.take(event.eventId, queue);
          events.push(event);
        } else this.#setAside(next.eventId, queue);
      }
    }
    return events;
  }

  save(eventId: number, progress: EventProgress, release: boolean): void {
    const { visibleAtMs, invokes, refusals, ending, lastAnswer } = progress;
    this.#bytes.remove(this.#sizeOf(eventId));
    this.#run(
      `UPDATE events SET visible_at_ms = ?, invokes = ?, refusals = ?, ending = ?, last_version = ?,
         last_answer = ? WHERE event_id = ?`,
      Math.ceil(visibleAtMs),
      invokes,
      refusals,
      ending === undefined ? null : JSON.stringify(ending),
      lastAnswer?.executedVersion ?? null,
      lastAnswer?.payload ?? null,
      eventId,
    );
    this.#bytes.add(this.#sizeOf(eventId));
    if (release) this.#claims.release(eventId);
  }

  remove(eventId: number, failure: FailedEvent | undefined): void {
    const queue = this.#claims.queueOf(eventId);
    const removed = this.#all(
      `DELETE FROM events WHERE event_id = ? RETURNING account_id, function_name,
         ${rowBytes} AS bytes`,
      eventId,
    );
    for (const row of removed) this.#bytes.remove(sizeOfRow(row));
    if (queue !== undefined) this.#depths[queue] = (this.#depths[queue] ?? 1) - 1;
    this.#claims.release(eventId);
    if (failure) this.#failures.add(failure);
  }

  nextDueMs(): number | undefined {
    const dues: number[] = [];
    for (let queue = 0; queue < limits.queue.queues; queue++) {
      const next = this.#nextOf(queue, Number.MAX_SAFE_INTEGER);
      if (next) dues.push(next.visibleAtMs);
    }
    return dues.length === 0 ? undefined : Math.min(...dues);
  }

  failures(accountId: string, limit: number): FailedEvent[] {
    return this.#failures.list(accountId, limit, this.#onDamaged);
  }

  shift(byMs: number): void {
    const sql = `UPDATE events SET visible_at_ms = visible_at_ms + ?1, received_ms = received_ms + ?1`;
    this.#run(sql, Math.round(byMs));
  }

  stats(): QueueStats {
    const [oldest] = this.#all('SELECT received_ms FROM events ORDER BY event_id LIMIT 1');
    const oldestReceivedMs = oldest && Number(oldest['received_ms']);
    return { events: this.#eventCount(), claimed: this.#claims.size, oldestReceivedMs };
  }

  /** Whether it has events that may be claimed, now or later. */
  #isOpen(queue: number): boolean {
    const claimed = this.#claims.countOf(queue);
    return claimed < limits.queue.claimsPerQueue && (this.#depths[queue] ?? 0) > claimed;
  }

  /** The first event of a queue that may be claimed by `nowMs`; answered by an index alone. */
  #nextOf(queue: number, nowMs: number): { eventId: number; visibleAtMs: number } | undefined {
    if (!this.#isOpen(queue)) return undefined;
    const sql = `SELECT event_id, visible_at_ms FROM events WHERE queue = ? AND visible_at_ms <= ?
      ORDER BY visible_at_ms, event_id LIMIT ?`;
    const most = this.#claims.countOf(queue) + 1;
    const rows = this.#all(sql, queue, Math.floor(nowMs), most);
    const row = rows.find((each) => !this.#claims.has(Number(each['event_id'])));
    return row && { eventId: Number(row['event_id']), visibleAtMs: Number(row['visible_at_ms']) };
  }

  #setAside(eventId: number, queue: number): void {
    this.#run('UPDATE events SET queue = ? WHERE event_id = ?', SET_ASIDE, eventId);
    this.#depths[queue] = (this.#depths[queue] ?? 1) - 1;
  }

  #sizeOf(eventId: number): EventSize {
    return sizeOfRow(this.#row(`account_id, function_name, ${rowBytes} AS bytes`, eventId));
  }

  #row(columns: string, eventId: number): Row {
    const [row] = this.#all(`SELECT ${columns} FROM events WHERE event_id = ?`, eventId);
    assert(row, `event ${eventId} is there`);
    return row;
  }

  #eventCount(): number {
    return this.#depths.reduce((sum, depth) => sum + depth, 0);
  }

  #loadDepths(): void {
    this.#depths.fill(0);
    const depths = 'SELECT queue, count(*) AS depth FROM events WHERE queue >= 0 GROUP BY queue';
    for (const row of this.#all(depths)) {
      this.#depths[Number(row['queue'])] = Number(row['depth']);
    }
    this.#bytes.clear();
    const sums = this.#all(
      `SELECT account_id, function_name, sum(${rowBytes}) AS bytes FROM events
         GROUP BY account_id, function_name`,
    );
    for (const row of sums) this.#bytes.add(sizeOfRow(row));
  }

  #statement(sql: string): StatementSync {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#database.prepare(sql);
      this.#statements.set(sql, statement);
    }
    return statement;
  }

  #run(sql: string, ...values: (string | number | null | Uint8Array)[]): void {
    this.#statement(sql).run(...values);
  }

  #all(sql: string, ...values: (string | number)[]): Row[] {
    return this.#statement(sql).all(...values) as Row[];
  }
}
