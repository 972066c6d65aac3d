// Storage for cojson behind an engine: the StorageAPI of cojson over libsluice-records.so (addon.c).
//
// No call blocks. Callbacks are called from Node's event loop, never within the call. What a callback throws
// is an uncaught exception, as with Node's own events.
"use strict";

const path = require("node:path");

const native = require(process.env.SLUICE_NODE_ADDON ?? path.join(__dirname, "sluice_records.node"));

// As in addon.c.
const DONE = 0, MESSAGE = 1, CORRECTION = 2, LOG = 3;
const NOT_FOUND = 12;
const LOCK = { acquire: 0, renew: 1, release: 2 };
const DURABILITY = { normal: 0, full: 1 };
const MODE = { either: 0, open: 1, create: 2 };

function must(is, what) {
  if (!is) throw new TypeError(what);
}

function isName(value) {
  return typeof value === "string" && value.length > 0 && !value.includes("\0");
}

function mustBeName(value, what) {
  must(isName(value), `${what} must be a string that is not empty and has no zero byte`);
}

function mustBeFunction(value, what, isOptional = false) {
  must(typeof value === "function" || (isOptional && value === undefined), `${what} must be a function`);
}

function mustBeCount(value, what) {
  must(Number.isSafeInteger(value) && value >= 0, `${what} must be a whole number, 0 or more`);
}

function isObject(value) {
  return typeof value === "object" && value !== null;
}

function json(value, what) {
  const text = JSON.stringify(value);
  must(text !== undefined, `${what} must be a value of JSON`);
  return text;
}

// A message as fields that end with a zero byte.
function fields(message) {
  must(isObject(message), "a message must be an object");
  mustBeName(message.id, "a message's id");
  must(isObject(message.new), "a message's `new` must be an object");
  const sessions = Object.entries(message.new);
  const parts = [
    message.id, message.header === undefined || message.header === null ? "" : json(message.header, "a header"),
    sessions.length, 0,
  ];
  let count = 0;
  for (const [session, content] of sessions) {
    mustBeName(session, "a session's name");
    must(isObject(content) && Array.isArray(content.newTransactions), "a session must have `newTransactions`");
    mustBeCount(content.after, "a session's `after`");
    must(
      typeof content.lastSignature === "string" && !content.lastSignature.includes("\0"),
      "a session's `lastSignature` must be a string without a zero byte");
    parts.push(session, content.after, content.lastSignature, content.newTransactions.length);
    for (const transaction of content.newTransactions) parts.push(json(transaction, "a transaction"));
    count += content.newTransactions.length;
  }
  parts[3] = count;
  return parts.join("\0") + "\0";
}

function isInSync(current, stored) {
  if (current.header && !stored.header) return false;
  return Object.entries(current.sessions).every(
    ([session, count]) => count === (stored.sessions[session] ?? 0));
}

class RecordStorage {
  #store;
  #log;
  #isClosed = false;
  #last = 0;
  // What is under way: by its number, who is told.
  #calls = new Map();
  // Who waits for a value: by its id, sets of {current, end}.
  #waiting = new Map();

  // For `openRecordStorage`.
  constructor(key, log) {
    must(key === KEY, "use openRecordStorage");
    this.#log = log;
  }

  _opened(key, store) {
    must(key === KEY, "use openRecordStorage");
    this.#store = store;
  }

  // --- Events ---

  _event(key, kind, number, code, text) {
    must(key === KEY, "events come from the addon");
    if (kind === LOG) return this.#log(code === 0 ? "error" : "warning", text);
    const call = this.#calls.get(number);
    if (kind === MESSAGE) {
      const message = JSON.parse(text);
      this.#changed(message.id);
      call.message(message);
    } else if (kind === CORRECTION) {
      this.#correct(call, JSON.parse(text));
    } else if (kind === DONE) {
      this.#calls.delete(number);
      if (this.#calls.size === 0) native.hold(this.#store, false);
      call.done(code, text);
    }
  }

  #correct(call, state) {
    let answer;
    try {
      this.#changed(state.id);
      const messages = call.correction(state);
      if (messages !== undefined && messages !== null) {
        must(Array.isArray(messages), "a correction must be an array of messages");
        answer = `${messages.length}\0` + messages.map(fields).join("");
        for (const message of messages) call.ids.add(message.id);
      }
    } finally {
      native.correct(this.#store, answer);
    }
  }

  // Begins a call that is told of its end.
  #begin(begin, parts, call) {
    const number = ++this.#last;
    if (this.#calls.size === 0 && !this.#isClosed) native.hold(this.#store, true);
    this.#calls.set(number, call);
    const text = typeof parts === "string" ? parts : parts.map((part) => `${part}\0`).join("");
    const code = this.#isClosed && begin !== native.close ? 21 : begin(this.#store, number, text);
    // Also this is not told within the call.
    if (code !== 0) setImmediate(() => this._event(KEY, DONE, number, code, "the storage is closed"));
  }

  #report(what, code, text) {
    this.#log("error", `${what}: ${text} (code ${code})`);
  }

  // --- Messages ---

  store(data, handleCorrection, done) {
    mustBeFunction(handleCorrection, "handleCorrection");
    mustBeFunction(done, "done", true);
    const ids = new Set([data?.id]);
    this.#begin(native.store, fields(data), {
      ids,
      correction: handleCorrection,
      done: (code) => {
        for (const id of ids) this.#changed(id);
        if (code === 0) done?.();
      },
    });
  }

  load(id, callback, done) {
    mustBeName(id, "id");
    mustBeFunction(callback, "callback");
    mustBeFunction(done, "done", true);
    this.#begin(native.load, [id], { message: callback, done: (code) => done?.(code === 0) });
  }

  // --- Known states ---

  getKnownState(id) {
    mustBeName(id, "id");
    const text = this.#isClosed ? undefined : native.knownState(this.#store, id);
    return text === undefined ? { id, header: false, sessions: {} } : JSON.parse(text);
  }

  loadKnownState(id, callback) {
    mustBeName(id, "id");
    mustBeFunction(callback, "callback");
    this.#begin(native.loadKnownState, [id], {
      done: (code, text) => {
        if (code !== 0 && code !== NOT_FOUND) this.#report("loadKnownState", code, text);
        callback(code === 0 ? JSON.parse(text) : undefined);
      },
    });
  }

  waitForSync(id, coValue) {
    mustBeName(id, "id");
    must(
      typeof coValue?.knownState === "function" && typeof coValue?.subscribe === "function",
      "coValue must have knownState and subscribe");
    const current = coValue.knownState();
    if (isInSync(current, this.getKnownState(id))) return Promise.resolve();
    if (this.#isClosed) return Promise.reject(new Error("the storage is closed"));
    return new Promise((resolve, reject) => {
      const waiter = { current };
      const unsubscribe = coValue.subscribe((value) => {
        waiter.current = value.knownState();
        this.#changed(id);
      }, false);
      waiter.end = (error) => {
        const waiters = this.#waiting.get(id);
        waiters?.delete(waiter);
        if (waiters?.size === 0) this.#waiting.delete(id);
        if (typeof unsubscribe === "function") unsubscribe();
        if (error) reject(error); else resolve();
      };
      if (!this.#waiting.has(id)) this.#waiting.set(id, new Set());
      this.#waiting.get(id).add(waiter);
    });
  }

  // What is stored of a value, or is in memory, has changed.
  #changed(id) {
    const waiters = this.#waiting.get(id);
    if (!waiters) return;
    const stored = this.getKnownState(id);
    for (const waiter of [...waiters]) if (isInSync(waiter.current, stored)) waiter.end();
  }

  onCoValueUnmounted(id) {
    mustBeName(id, "id");
    if (!this.#isClosed) native.unmount(this.#store, id);
    for (const waiter of [...(this.#waiting.get(id) ?? [])]) waiter.end();
  }

  // --- Deletion ---

  markDeleteAsValid(id) {
    mustBeName(id, "id");
    if (!this.#isClosed) native.markDeleteAsValid(this.#store, id);
  }

  enableDeletedCoValuesErasure() {
    if (!this.#isClosed) native.enableErasure(this.#store);
  }

  eraseAllDeletedCoValues() {
    return new Promise((resolve, reject) => {
      this.#begin(native.erase, [], {
        done: (code, text) => {
          if (code === 0) resolve(); else reject(Object.assign(new Error(text), { errcode: code }));
        },
      });
    });
  }

  // --- Sync state and lists ---

  trackCoValuesSyncState(updates, done) {
    must(Array.isArray(updates), "updates must be an array");
    mustBeFunction(done, "done", true);
    const parts = [updates.length];
    for (const update of updates) {
      must(isObject(update), "an update must be an object");
      mustBeName(update.id, "an update's id");
      mustBeName(update.peerId, "an update's peerId");
      must(typeof update.synced === "boolean", "an update's `synced` must be a boolean");
      parts.push(update.id, update.peerId, update.synced ? 1 : 0);
    }
    this.#begin(native.track, parts, {
      done: (code, text) => {
        if (code === 0) done?.(); else this.#report("trackCoValuesSyncState", code, text);
      },
    });
  }

  // After a failure, lists are empty.
  #list(begin, parts, what, callback) {
    mustBeFunction(callback, "callback");
    this.#begin(begin, parts, {
      done: (code, text) => {
        if (code !== 0) this.#report(what, code, text);
        callback(code === 0 ? JSON.parse(text) : []);
      },
    });
  }

  getUnsyncedCoValueIDs(callback) {
    this.#list(native.unsynced, [], "getUnsyncedCoValueIDs", callback);
  }

  stopTrackingSyncState(id) {
    mustBeName(id, "id");
    if (!this.#isClosed) native.stopTracking(this.#store, id);
  }

  getCoValueIDs(limit, offset, callback) {
    mustBeCount(limit, "limit");
    mustBeCount(offset, "offset");
    mustBeFunction(callback, "callback");
    this.#list(
      native.ids, [limit, offset], "getCoValueIDs", (ids) => callback(ids.map((id) => ({ id }))));
  }

  getCoValueCount(callback) {
    mustBeFunction(callback, "callback");
    this.#begin(native.count, [], {
      done: (code, text) => {
        if (code !== 0) this.#report("getCoValueCount", code, text);
        callback(code === 0 ? Number(text) : 0);
      },
    });
  }

  // --- Reconciliation ---

  #lock(action, sessionId, peerId, offset, callback) {
    mustBeName(sessionId, "sessionId");
    mustBeName(peerId, "peerId");
    mustBeCount(offset, "offset");
    this.#begin(native.lock, [LOCK[action], peerId, sessionId, offset], {
      done: (code, text) => {
        if (code !== 0) this.#report(`${action} of the reconciliation's lock`, code, text);
        // Of a lock that cannot be had, nobody knows the holder.
        callback?.(code === 0 ? JSON.parse(text) : [2, 0]);
      },
    });
  }

  tryAcquireStorageReconciliationLock(sessionId, peerId, callback) {
    mustBeFunction(callback, "callback");
    this.#lock("acquire", sessionId, peerId, 0, ([outcome, offset]) => callback(
      outcome === 0
        ? { acquired: true, lastProcessedOffset: offset }
        : { acquired: false, reason: outcome === 1 ? "not_due" : "lock_held" }));
  }

  renewStorageReconciliationLock(sessionId, peerId, offset) {
    this.#lock("renew", sessionId, peerId, offset);
  }

  releaseStorageReconciliationLock(sessionId, peerId) {
    this.#lock("release", sessionId, peerId, 0);
  }

  // --- The end ---

  // Stores in progress are finished; those that were not begun are not stored. Who waits for a value learns
  // of the end. Later calls do nothing, or find nothing.
  close() {
    if (this.#isClosed) return undefined;
    const closed = new Promise((resolve) => {
      this.#begin(native.close, [], {
        done: () => {
          native.closed(this.#store);
          resolve();
        },
      });
    });
    this.#isClosed = true;
    const error = new Error("the storage was closed");
    for (const waiters of [...this.#waiting.values()])
      for (const waiter of [...waiters]) waiter.end(error);
    return closed;
  }
}

const KEY = Symbol("sluice-records");

function choice(value, choices, what) {
  if (value === undefined) return 0;
  must(Object.hasOwn(choices, value), `${what} must be one of ${Object.keys(choices).join(", ")}`);
  return choices[value];
}

function count(value, what) {
  if (value === undefined) return 0;
  mustBeCount(value, what);
  return value;
}

function print(level, text) {
  (level === "error" ? console.error : console.warn)(`sluice: ${text}`);
}

/**
 * Opens a store, or creates it. Its path is relative to the engine's root; ":memory:" is one in the engine's
 * memory. Options: socket (else SLUICE_SQL_SOCKET, else a private engine), mode ("either", "open", "create"),
 * durability ("normal", "full"), busyMilliseconds, signatureInterval, log(level, text).
 */
async function openRecordStorage(name, options = {}) {
  mustBeName(name, "the path");
  must(isObject(options), "options must be an object");
  if (options.socket !== undefined) mustBeName(options.socket, "socket");
  mustBeFunction(options.log, "log", true);
  const storage = new RecordStorage(KEY, options.log ?? print);
  const store = await native.open(
    name, options.socket ?? "", choice(options.mode, MODE, "mode"),
    choice(options.durability, DURABILITY, "durability"),
    count(options.busyMilliseconds, "busyMilliseconds"),
    count(options.signatureInterval, "signatureInterval"),
    (...event) => storage._event(KEY, ...event));
  storage._opened(KEY, store);
  return storage;
}

module.exports = { openRecordStorage, RecordStorage };
