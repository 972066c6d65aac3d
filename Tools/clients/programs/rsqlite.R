# R's RSQLite, which has a SQLite of its own.
library(DBI)
extension <- Sys.getenv("SLUICE_EXTENSION")
if (extension != "") {
  loader <- dbConnect(RSQLite::SQLite(), ":memory:", loadable.extensions = TRUE)
  invisible(dbGetQuery(loader, sprintf("SELECT load_extension('%s')", extension)))
}
opened <- function(name) {
  dbConnect(RSQLite::SQLite(), if (extension == "") name else sprintf("file:%s?vfs=sluice", name))
}
for (mode in c("delete", "wal")) {
  first <- opened(paste0(mode, ".db"))
  print(dbGetQuery(first, paste0("PRAGMA journal_mode=", mode)))
  dbWriteTable(first, "t", data.frame(id = 1:100, word = paste("word", 1:100)))
  second <- opened(paste0(mode, ".db"))
  dbBegin(first)
  invisible(dbExecute(first, "DELETE FROM t"))
  print(dbGetQuery(second, "SELECT count(*) AS n FROM t"))
  dbRollback(first)
  print(dbGetQuery(first, "SELECT count(*) AS n, max(word) AS m FROM t"))
  print(dbGetQuery(first, "PRAGMA integrity_check"))
  dbDisconnect(first)
  dbDisconnect(second)
}
