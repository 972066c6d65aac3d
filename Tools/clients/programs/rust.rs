//! Rust's rusqlite, linked with libsqlite3.

use rusqlite::{Connection, Result};

fn value(connection: &Connection, query: &str) -> Result<String> {
    connection.query_row(query, [], |row| {
        Ok(match row.get_ref(0)? {
            rusqlite::types::ValueRef::Integer(number) => number.to_string(),
            other => other.as_str()?.to_string(),
        })
    })
}

fn main() -> Result<()> {
    for mode in ["delete", "wal"] {
        let name = format!("{mode}.db");
        let mut first = Connection::open(&name)?;
        println!("{}", value(&first, &format!("PRAGMA journal_mode={mode}"))?);
        first.execute_batch("CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT)")?;
        let transaction = first.transaction()?;
        for i in 0..100 {
            transaction.execute("INSERT INTO t(word) VALUES(?)", [format!("word {i}")])?;
        }
        transaction.commit()?;
        let second = Connection::open(&name)?;
        let transaction = first.transaction()?;
        transaction.execute("DELETE FROM t", [])?;
        println!("{}", value(&second, "SELECT count(*) FROM t")?);
        transaction.rollback()?;
        println!("{}", value(&first, "SELECT count(*) FROM t")?);
        println!("{}", value(&first, "PRAGMA integrity_check")?);
    }
    Ok(())
}
