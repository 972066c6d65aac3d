# Ruby's sqlite3.
require "sqlite3"

extension = ENV["SLUICE_EXTENSION"]
if extension
  loader = SQLite3::Database.new(":memory:")
  loader.enable_load_extension(true)
  loader.load_extension(extension)
end
options = extension ? [{}, "sluice"] : []
%w[delete wal].each do |mode|
  first = SQLite3::Database.new("#{mode}.db", *options)
  p first.execute("PRAGMA journal_mode=#{mode}")
  first.execute("CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT)")
  first.transaction do
    100.times { |i| first.execute("INSERT INTO t(word) VALUES(?)", ["word #{i}"]) }
  end
  second = SQLite3::Database.new("#{mode}.db", *options)
  begin
    first.transaction do
      first.execute("DELETE FROM t")
      p second.get_first_value("SELECT count(*) FROM t")
      raise "undo"
    end
  rescue RuntimeError => error
    p error.message
  end
  p first.get_first_row("SELECT count(*), max(word) FROM t")
  copy = SQLite3::Database.new("#{mode}-copy.db", *options)
  backup = SQLite3::Backup.new(copy, "main", first, "main")
  backup.step(-1)
  backup.finish
  p copy.get_first_value("PRAGMA integrity_check")
  [first, second, copy].each(&:close)
end
