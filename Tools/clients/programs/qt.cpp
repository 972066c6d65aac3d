// Qt's QSQLITE, with a thread that has a connection of its own.
#include <QtSql>
#include <cstdio>
#include <thread>

static QSqlDatabase opened(const QString &name, const QString &file) {
  QSqlDatabase database = QSqlDatabase::addDatabase("QSQLITE", name);
  database.setDatabaseName(file);
  if (!database.open()) printf("open: %s\n", qPrintable(database.lastError().text()));
  return database;
}

static QString value(const QSqlDatabase &database, const QString &text) {
  QSqlQuery query(database);
  if (!query.exec(text)) return query.lastError().text();
  return query.next() ? query.value(0).toString() : "no row";
}

int main() {
  for (const char *mode : {"delete", "wal"}) {
    const QString file = QString(mode) + ".db";
    QSqlDatabase first = opened(file + " 1", file), second = opened(file + " 2", file);
    puts(qPrintable(value(first, QString("PRAGMA journal_mode=") + mode)));
    value(first, "CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT)");
    first.transaction();
    for (int i = 0; i < 100; i++) value(first, QString("INSERT INTO t(word) VALUES('word %1')").arg(i));
    puts(first.commit() ? "committed" : "not committed");
    first.transaction();
    value(first, "DELETE FROM t");
    puts(qPrintable(value(second, "SELECT count(*) FROM t")));
    first.rollback();
    std::thread([&] {
      QSqlDatabase own = opened(file + " 3", file);
      value(own, "INSERT INTO t(word) VALUES('of a thread')");
    }).join();
    puts(qPrintable(value(first, "SELECT count(*) FROM t")));
    puts(qPrintable(value(first, "PRAGMA integrity_check")));
    first.close();
    second.close();
  }
}
