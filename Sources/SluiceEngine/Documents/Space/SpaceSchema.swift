// The tables of a space's file. Protocol/DOCUMENTS.md says what each column means.

enum SpaceSchema {
  /// Tells SQLite's own header that the file is a space: "SlSp".
  static let applicationID: Int64 = 0x536c_5370
  static let version: Int64 = 1

  static let tables = """
    CREATE TABLE docs(doc_id TEXT PRIMARY KEY, created_at TEXT NOT NULL) WITHOUT ROWID;
    CREATE TABLE branches(
      branch_id INTEGER PRIMARY KEY, doc_id TEXT NOT NULL, name TEXT NOT NULL, root TEXT,
      parent_branch_id INTEGER, parent_seq_no INTEGER, origin_seq_no INTEGER NOT NULL,
      origin_heads_json TEXT NOT NULL, origin_tx_id INTEGER NOT NULL,
      closed INTEGER NOT NULL DEFAULT 0, closed_at TEXT, created_at TEXT NOT NULL,
      merged_into_branch_id INTEGER, UNIQUE(doc_id, name));
    CREATE TABLE am_heads(
      branch_id INTEGER PRIMARY KEY, heads_json TEXT NOT NULL, seq_no INTEGER NOT NULL,
      tx_id INTEGER NOT NULL, root_hash BLOB NOT NULL, committed_at TEXT);
    CREATE TABLE tx(
      tx_id INTEGER PRIMARY KEY, committed_at TEXT NOT NULL, prev_tx_hash BLOB NOT NULL,
      tx_body_hash BLOB NOT NULL, tx_hash BLOB NOT NULL, server_sig BLOB, server_pubkey BLOB, client TEXT, client_tx_id TEXT, client_sig BLOB,
      ucan_jwt TEXT, invariants_digest BLOB);
    CREATE TABLE tx_docs(
      tx_id INTEGER NOT NULL, branch_id INTEGER NOT NULL, base_heads_json TEXT NOT NULL,
      heads_json TEXT NOT NULL, seq_no INTEGER NOT NULL, closes_json TEXT,
      PRIMARY KEY(branch_id, tx_id)) WITHOUT ROWID;
    CREATE INDEX tx_docs_by_tx ON tx_docs(tx_id);
    CREATE TABLE tx_reads(
      tx_id INTEGER NOT NULL, read_no INTEGER NOT NULL, branch_id INTEGER NOT NULL,
      heads_json TEXT NOT NULL, PRIMARY KEY(tx_id, read_no)) WITHOUT ROWID;
    CREATE TABLE tx_dedup(
      client TEXT NOT NULL, client_tx_id TEXT NOT NULL, request_digest BLOB NOT NULL,
      tx_id INTEGER NOT NULL, receipt_json TEXT NOT NULL,
      PRIMARY KEY(client, client_tx_id)) WITHOUT ROWID;
    CREATE TABLE am_change_blobs(
      change_id INTEGER PRIMARY KEY, bytes_hash BLOB NOT NULL UNIQUE, bytes BLOB NOT NULL);
    CREATE TABLE am_change_index(
      branch_id INTEGER NOT NULL, seq_no INTEGER NOT NULL, change_id INTEGER NOT NULL,
      tx_id INTEGER NOT NULL, PRIMARY KEY(branch_id, seq_no)) WITHOUT ROWID;
    CREATE TABLE am_snapshots(
      snapshot_id INTEGER PRIMARY KEY, branch_id INTEGER NOT NULL, upto_seq_no INTEGER NOT NULL,
      heads_json TEXT NOT NULL, root_hash BLOB NOT NULL, bytes BLOB NOT NULL,
      tx_id INTEGER NOT NULL, created_at TEXT NOT NULL, UNIQUE(branch_id, upto_seq_no));
    CREATE TABLE cas_blobs(
      digest BLOB PRIMARY KEY, kind TEXT NOT NULL, bytes BLOB NOT NULL, meta_json TEXT,
      created_at TEXT NOT NULL);
    CREATE TABLE client_known_docs(
      client_id TEXT NOT NULL, doc_id TEXT NOT NULL, epoch INTEGER NOT NULL,
      updated_at TEXT NOT NULL, PRIMARY KEY(client_id, doc_id)) WITHOUT ROWID;
    CREATE INDEX client_known_docs_by_epoch ON client_known_docs(epoch);
    CREATE TABLE space_settings(key TEXT PRIMARY KEY, value_json TEXT NOT NULL) WITHOUT ROWID;
    """
}
