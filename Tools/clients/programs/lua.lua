-- Lua's luasql.
local environment = require("luasql.sqlite3").sqlite3()

local function value(connection, query)
  local cursor = assert(connection:execute(query))
  local first = cursor:fetch()
  cursor:close()
  return first
end

for _, mode in ipairs({"delete", "wal"}) do
  local first = assert(environment:connect(mode .. ".db"))
  print(value(first, "PRAGMA journal_mode=" .. mode))
  assert(first:execute("CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT)"))
  first:setautocommit(false)
  for i = 1, 100 do assert(first:execute("INSERT INTO t(word) VALUES('word " .. i .. "')")) end
  assert(first:commit())
  local second = assert(environment:connect(mode .. ".db"))
  assert(first:execute("DELETE FROM t"))
  print(value(second, "SELECT count(*) FROM t"))
  assert(first:rollback())
  print(value(first, "SELECT count(*) FROM t"), value(first, "PRAGMA integrity_check"))
  first:close()
  second:close()
end
environment:close()
