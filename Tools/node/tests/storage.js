// What a program with sluice-records.js sees. Run by RecordsFromNodeTests, with SLUICE_TEST_ENGINE as the
// process of the engine that it kills in the end.
"use strict";

const assert = require("node:assert/strict");
const path = require("node:path");
const { Worker, isMainThread, workerData, parentPort } = require("node:worker_threads");
const { openRecordStorage, RecordStorage } = require(process.env.SLUICE_NODE_MODULE);

const session = "co_zAlice_session_z1";

function header(more = {}) {
  return { type: "comap", ruleset: { type: "unsafeAllowAll" }, meta: null, uniqueness: "u", ...more };
}

function message(id, after, count, more = {}) {
  const newTransactions = Array.from({ length: count }, (_, index) => ({
    privacy: "trusting", madeAt: after + index, changes: JSON.stringify([{ op: "set", key: "k", value: index }]),
  }));
  const lastSignature = `signature_z${after + count}`;
  return {
    action: "content", id, priority: 3, new: { [session]: { after, newTransactions, lastSignature } }, ...more,
  };
}

const none = () => undefined;

// Resolves to whether `done` was called before the storage had answered what was asked behind it.
async function store(storage, data, correction = none) {
  let isDone = false;
  storage.store(data, correction, () => { isDone = true; });
  await known(storage, "co_zNothing");
  // A store that is corrected or sent again may be overtaken.
  for (let i = 0; i < 50 && !isDone; i++) await new Promise((resolve) => setTimeout(resolve, 2));
  return isDone;
}

const known = (storage, id) => new Promise((resolve) => storage.loadKnownState(id, resolve));

function load(storage, id) {
  const messages = [];
  return new Promise((resolve) => {
    storage.load(id, (data) => messages.push(data), (found) => resolve({ found, messages }));
  });
}

const once = (call) => new Promise(call);

// A value in memory, as waitForSync looks at it.
class Value {
  listeners = new Set();
  constructor(id, count) { Object.assign(this, { id, count }); }
  knownState() { return { id: this.id, header: true, sessions: { [session]: this.count } }; }
  subscribe(listener) {
    this.listeners.add(listener);
    return () => this.listeners.delete(listener);
  }
  change(count) {
    this.count = count;
    for (const listener of [...this.listeners]) listener(this);
  }
}

async function storesAndLoads(storage) {
  assert.deepEqual(await load(storage, "co_z1"), { found: false, messages: [] });
  assert.equal(await known(storage, "co_z1"), undefined);
  const odd = header({ "ünïcode": "\u0000\u2028\ud83d\ude00", createdAt: null, deep: [1.5, { a: [] }] });
  const first = message("co_z1", 0, 3, { header: odd });
  first.new[session].newTransactions[1].changes = "\ud800 alone \"quoted\" \\ \u0000";
  let isWithinCall = true;
  await once((resolve) => storage.store(first, none, () => resolve(assert.equal(isWithinCall, false))) ?? (isWithinCall = false));
  const state = { id: "co_z1", header: true, sessions: { [session]: 3 } };
  assert.deepEqual(storage.getKnownState("co_z1"), state);
  assert.deepEqual(await known(storage, "co_z1"), state);
  const { found, messages } = await load(storage, "co_z1");
  assert.equal(found, true);
  assert.deepEqual(messages, [first]);
  // In turn, without waiting.
  const order = [];
  await once((resolve) => {
    for (let i = 0; i < 300; i++)
      storage.store(message("co_z1", 3 + i, 1), none, () => order.push(i) === 300 && resolve());
  });
  assert.deepEqual(order, Array.from({ length: 300 }, (_, i) => i));
  assert.equal((await known(storage, "co_z1")).sessions[session], 303);
  // `done` is optional.
  storage.store(message("co_z1", 303, 1), none);
  storage.load("co_z1", none);
  assert.equal((await known(storage, "co_z1")).sessions[session], 304);
}

async function corrections(storage) {
  const asked = [];
  const correct = (answer) => (state) => { asked.push(structuredClone(state)); return answer; };
  assert.equal(await store(storage, message("co_z2", 0, 1), correct(undefined)), false);
  assert.equal(await store(storage, message("co_z2", 5, 1), correct([message("co_z2", 0, 6, { header: header() })])), true);
  assert.equal(await store(storage, message("co_z2", 9, 1), correct([message("co_z2", 8, 2)])), false);
  assert.equal(await store(storage, message("co_z2", 9, 1), correct([])), true);
  assert.deepEqual(asked.map((state) => state.sessions[session] ?? 0), [0, 0, 6, 6]);
  assert.deepEqual(asked.map((state) => state.header), [false, false, true, true]);
  // Behind a store that is corrected others keep their order.
  const order = [];
  await once((resolve) => {
    storage.store(message("co_z2", 7, 1), () => [message("co_z2", 6, 2)], () => order.push("corrected"));
    storage.store(message("co_z2", 8, 1), none, () => order.push("next"));
    storage.store(message("co_z3", 0, 1, { header: header() }), none, () => resolve(order.push("last")));
  });
  assert.deepEqual(order, ["corrected", "next", "last"]);
  // What a correction throws, or gives that is no message, is the program's exception, and ends nothing.
  for (const [bad, what] of [[() => { throw new Error("thrown"); }, /thrown/], [() => [{ id: 7 }], /id/], [() => 7, /array/]]) {
    const caught = once((resolve) => process.once("uncaughtException", resolve));
    assert.equal(await store(storage, message("co_z2", 50, 1), bad), false);
    assert.match((await caught).message, what);
  }
}

async function dependenciesAndStreaming(storage) {
  const group = header({ type: "comap", ruleset: { type: "group", initialAdmin: "co_zAlice" } });
  await once((resolve) => storage.store(message("co_zGroup", 0, 1, { header: group }), none, resolve));
  const owned = header({ ruleset: { type: "ownedByGroup", group: "co_zGroup" } });
  await once((resolve) => storage.store(message("co_zOwned", 0, 2, { header: owned }), none, resolve));
  assert.deepEqual((await load(storage, "co_zOwned")).messages.map(({ id }) => id), ["co_zOwned"]);
  storage.onCoValueUnmounted("co_zGroup");
  const { messages } = await load(storage, "co_zOwned");
  assert.deepEqual(messages.map(({ id, priority }) => [id, priority]), [["co_zGroup", 0], ["co_zOwned", 3]]);
  // 12 MB in pieces of 100 KB, while another load gets in between.
  const large = "x".repeat(60_000);
  for (let i = 0; i < 200; i++) {
    const piece = message("co_zFile", i, 1, i === 0 ? { header: header() } : {});
    piece.new[session].newTransactions[0].changes = large;
    storage.store(piece, none);
  }
  let [count, byteCount, groupAt, expected] = [0, 0, -1];
  await once((resolve) => {
    storage.load("co_zFile", (data) => {
      expected ??= data.expectContentUntil;
      count += 1;
      for (const { changes } of data.new[session].newTransactions) byteCount += changes.length;
    }, (found) => resolve(assert.equal(found, true)));
    storage.load("co_zGroup", () => { groupAt = count; });
  });
  assert.deepEqual(expected, { [session]: 200 });
  assert.equal(byteCount, 200 * large.length);
  assert.ok(count >= 100 && groupAt >= 0 && groupAt < count / 2, `${count} messages, the group after ${groupAt}`);
}

async function waiting(storage) {
  await once((resolve) => storage.store(message("co_zW", 0, 2, { header: header() }), none, resolve));
  await storage.waitForSync("co_zW", new Value("co_zW", 2));
  const value = new Value("co_zW", 4);
  let isInSync = false;
  const wait = storage.waitForSync("co_zW", value).then(() => { isInSync = true; });
  await once((resolve) => storage.store(message("co_zW", 2, 1), none, resolve));
  assert.equal(isInSync, false);
  await once((resolve) => storage.store(message("co_zW", 3, 1), none, resolve));
  await wait;
  assert.equal(value.listeners.size, 0);
  value.change(9);
  const changed = storage.waitForSync("co_zW", value);
  value.change(4);
  await changed;
  value.change(9);
  const unmounted = storage.waitForSync("co_zW", value);
  storage.onCoValueUnmounted("co_zW");
  await unmounted;
}

async function deletion(storage) {
  await once((resolve) => storage.store(message("co_zD", 0, 5, { header: header() }), none, resolve));
  storage.markDeleteAsValid("co_zD");
  const tombstone = message("co_zD", 0, 1);
  tombstone.new = { "co_zAlice_session_d1$": tombstone.new[session] };
  await once((resolve) => storage.store(tombstone, none, resolve));
  storage.enableDeletedCoValuesErasure();
  await storage.eraseAllDeletedCoValues();
  assert.deepEqual((await known(storage, "co_zD")).sessions, { "co_zAlice_session_d1$": 1 });
}

async function syncStateListsAndLocks(storage) {
  const unsynced = () => once((resolve) => storage.getUnsyncedCoValueIDs(resolve));
  const update = (id, synced) => ({ id, peerId: "peer", synced });
  await once((resolve) => storage.trackCoValuesSyncState([update("co_zB", false), update("co_zA", false)], resolve));
  assert.deepEqual(await unsynced(), ["co_zA", "co_zB"]);
  await once((resolve) => storage.trackCoValuesSyncState([update("co_zB", true)], resolve));
  storage.stopTrackingSyncState("co_zA");
  assert.deepEqual(await unsynced(), []);
  const count = await once((resolve) => storage.getCoValueCount(resolve));
  const ids = [];
  for (;;) {
    const batch = await once((resolve) => storage.getCoValueIDs(3, ids.length, resolve));
    ids.push(...batch.map(({ id }) => id));
    if (batch.length < 3) break;
  }
  assert.equal(ids.length, count);
  assert.equal(new Set(ids).size, count);
  const acquire = (holder) => once((resolve) => storage.tryAcquireStorageReconciliationLock(holder, "peer", resolve));
  assert.deepEqual(await acquire("a"), { acquired: true, lastProcessedOffset: 0 });
  storage.renewStorageReconciliationLock("a", "peer", 40);
  assert.deepEqual(await acquire("b"), { acquired: false, reason: "lock_held" });
  assert.deepEqual(await acquire("a"), { acquired: true, lastProcessedOffset: 40 });
  storage.releaseStorageReconciliationLock("a", "peer");
  assert.deepEqual(await acquire("b"), { acquired: false, reason: "not_due" });
}

async function misuse(storage) {
  const wrong = [undefined, null, 7, "", "a\0b", {}, [], Symbol("s"), 1n, () => 1];
  const calls = [
    (value) => storage.load(value, none), (value) => storage.getKnownState(value),
    (value) => storage.loadKnownState(value, none), (value) => storage.onCoValueUnmounted(value),
    (value) => storage.markDeleteAsValid(value), (value) => storage.stopTrackingSyncState(value),
    (value) => storage.store({ ...message("co_z1", 0, 1), id: value }, none),
    (value) => storage.trackCoValuesSyncState([{ id: value, peerId: "p", synced: true }]),
    (value) => storage.trackCoValuesSyncState([{ id: "co_z1", peerId: value, synced: true }]),
    (value) => storage.waitForSync(value, new Value("co_z1", 1)),
    (value) => storage.renewStorageReconciliationLock(value, "p", 1),
    (value) => storage.releaseStorageReconciliationLock("h", value),
  ];
  for (const call of calls) for (const value of wrong) assert.throws(() => call(value), TypeError);
  for (const value of [undefined, null, 7, "f", {}]) {
    assert.throws(() => storage.load("co_z1", value), TypeError);
    assert.throws(() => storage.store(message("co_z1", 0, 1), value), TypeError);
    assert.throws(() => storage.getUnsyncedCoValueIDs(value), TypeError);
    assert.throws(() => storage.getCoValueCount(value), TypeError);
  }
  for (const data of [undefined, null, 7, {}, { id: "co_z1" }, { id: "co_z1", new: 7 }, { id: "co_z1", new: { s: 7 } },
    { id: "co_z1", new: { s: { after: -1, newTransactions: [], lastSignature: "s" } } },
    { id: "co_z1", new: { s: { after: 1.5, newTransactions: [], lastSignature: "s" } } },
    { id: "co_z1", new: { s: { after: 0, newTransactions: [none], lastSignature: "s" } } },
    { id: "co_z1", new: { s: { after: 0, newTransactions: [1n], lastSignature: "s" } } },
    { id: "co_z1", new: { s: { after: 0, newTransactions: 7, lastSignature: "s" } } },
    { id: "co_z1", new: { s: { after: 0, newTransactions: [], lastSignature: 7 } } }])
    assert.throws(() => storage.store(data, none), TypeError);
  for (const value of [-1, 1.5, NaN, "1", undefined, 2 ** 60]) {
    assert.throws(() => storage.getCoValueIDs(value, 0, none), TypeError);
    assert.throws(() => storage.getCoValueIDs(1, value, none), TypeError);
  }
  assert.throws(() => new RecordStorage(), TypeError);
  assert.throws(() => storage._event(1, 2), TypeError);
  assert.throws(() => RecordStorage.prototype.load.call({}, "co_z1", none), TypeError);
  // The addon itself, as JavaScript should never call it.
  const addon = require(path.join(path.dirname(process.env.SLUICE_NODE_MODULE), "sluice_records.node"));
  for (const name of Object.keys(addon))
    for (const list of [[], [7], [{}], [{}, 1, 2], [null, "x", "y"], ["a", "b", 0, 0, 0, 0, 7], [storage, 1, "x"]])
      assert.throws(() => addon[name](...list), TypeError);
  for (const options of [7, { socket: 7 }, { mode: "odd" }, { durability: 1 }, { log: 7 }, { signatureInterval: -1 }])
    await assert.rejects(openRecordStorage(":memory:", options), TypeError);
  await assert.rejects(openRecordStorage(7), TypeError);
  await assert.rejects(openRecordStorage(":memory:", { socket: "/not/there" }), /no engine can be reached/);
  await assert.rejects(openRecordStorage("absent", { mode: "open" }), (error) => (error.errcode & 0xff) === 14);
  // A header that is no object is the engine's to refuse.
  assert.equal(await store(storage, message("co_zBad", 0, 1, { header: "text" })), false);
}

async function closing() {
  const storage = await openRecordStorage("closing", { log: none });
  await once((resolve) => storage.store(message("co_z1", 0, 1, { header: header() }), none, resolve));
  const waiter = storage.waitForSync("co_z1", new Value("co_z1", 9));
  await Promise.all([assert.rejects(waiter, /closed/), storage.close()]);
  assert.equal(storage.close(), undefined);
  storage.store(message("co_z1", 1, 1), none, () => assert.fail("stored after the close"));
  assert.deepEqual(await load(storage, "co_z1"), { found: false, messages: [] });
  assert.equal(await known(storage, "co_z1"), undefined);
  assert.deepEqual(storage.getKnownState("co_z1"), { id: "co_z1", header: false, sessions: {} });
  storage.onCoValueUnmounted("co_z1");
  storage.markDeleteAsValid("co_z1");
  const again = await openRecordStorage("closing", { mode: "open", durability: "full" });
  assert.equal((await known(again, "co_z1")).sessions[session], 1);
  await again.close();
}

// A thread of JavaScript ends while much is under way; the next one works.
async function environments() {
  for (let round = 0; round < 4; round++) {
    const worker = new Worker(__filename, { workerData: "busy" });
    await once((resolve, reject) => { worker.once("message", resolve); worker.once("error", reject); });
    await worker.terminate();
  }
}

async function busy() {
  const storage = await openRecordStorage("busy", { log: none });
  // The storage's thread waits for an answer that never comes.
  const correct = () => { parentPort.postMessage("ready"); for (;;); };
  const large = message("co_zLarge", 0, 1, { header: header() });
  for (let i = 0; i < 100; i++) storage.store(message(`co_z${i}`, 4, 1), correct);
  storage.load("co_zLarge", none);
  storage.store(large, none);
}

async function death(storage, said) {
  await once((resolve) => storage.store(message("co_zE", 0, 1, { header: header() }), none, resolve));
  const waiter = storage.waitForSync("co_zE", new Value("co_zE", 9));
  process.kill(Number(process.env.SLUICE_TEST_ENGINE), "SIGKILL");
  storage.store(message("co_zE", 1, 1), none);
  assert.deepEqual((await load(storage, "co_zUnknown")).found, false);
  assert.equal(await known(storage, "co_zE"), undefined);
  await assert.rejects(storage.eraseAllDeletedCoValues(), /engine/);
  assert.deepEqual(await once((resolve) => storage.getUnsyncedCoValueIDs(resolve)), []);
  assert.equal(await once((resolve) => storage.getCoValueCount(resolve)), 0);
  assert.equal(
    (await once((resolve) => storage.tryAcquireStorageReconciliationLock("h", "p2", resolve))).acquired, false);
  storage.store(message("co_zE", 2, 1), none, () => assert.fail("stored without an engine"));
  assert.ok(said.some((text) => text.includes("engine is gone")), said.join("\n"));
  await Promise.all([assert.rejects(waiter, /closed/), storage.close()]);
}

async function main() {
  const said = [];
  const storage = await openRecordStorage("store", { log: (level, text) => said.push(`${level}: ${text}`) });
  for (const test of [
    storesAndLoads, corrections, dependenciesAndStreaming, waiting, deletion, syncStateListsAndLocks, misuse, closing,
    environments,
  ]) await test(storage);
  await death(storage, said);
  console.log("done");
}

if (isMainThread) main();
else if (workerData === "busy") busy();
