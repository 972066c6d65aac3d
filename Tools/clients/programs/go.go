// Go's mattn/go-sqlite3, built with -tags libsqlite3.
package main

import (
	"database/sql"
	"fmt"
	"os"

	sqlite3 "github.com/mattn/go-sqlite3"
)

func must(err error) {
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
}

func value(db *sql.DB, query string) (answer string) {
	must(db.QueryRow(query).Scan(&answer))
	return answer
}

func main() {
	driver, form := "sqlite3", "%s.db"
	if extension := os.Getenv("SLUICE_EXTENSION"); extension != "" {
		sql.Register("loader", &sqlite3.SQLiteDriver{Extensions: []string{extension}})
		loader, err := sql.Open("loader", ":memory:")
		must(err)
		must(loader.Ping())
		form = "file:%s.db?vfs=sluice"
	}
	for _, mode := range []string{"delete", "wal"} {
		first, err := sql.Open(driver, fmt.Sprintf(form, mode))
		must(err)
		first.SetMaxOpenConns(1)
		second, err := sql.Open(driver, fmt.Sprintf(form, mode))
		must(err)
		fmt.Println(value(first, "PRAGMA journal_mode="+mode))
		_, err = first.Exec("CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT)")
		must(err)
		insert, err := first.Begin()
		must(err)
		for i := 0; i < 100; i++ {
			_, err = insert.Exec("INSERT INTO t(word) VALUES(?)", fmt.Sprint("word ", i))
			must(err)
		}
		must(insert.Commit())
		undone, err := first.Begin()
		must(err)
		_, err = undone.Exec("DELETE FROM t")
		must(err)
		fmt.Println(value(second, "SELECT count(*) FROM t"))
		must(undone.Rollback())
		fmt.Println(value(first, "SELECT count(*) FROM t"), value(first, "PRAGMA integrity_check"))
		must(first.Close())
		must(second.Close())
	}
}
