// Java's sqlite-jdbc.
import java.sql.Connection;
import java.sql.DriverManager;
import java.sql.ResultSet;
import java.sql.SQLException;
import java.sql.Statement;
import java.util.Properties;

public class Jdbc {
  static String value(Connection connection, String query) throws SQLException {
    try (Statement statement = connection.createStatement();
        ResultSet rows = statement.executeQuery(query)) {
      return rows.next() ? rows.getString(1) : "no row";
    }
  }

  public static void main(String[] arguments) throws SQLException {
    String extension = System.getenv("SLUICE_EXTENSION");
    String form = "jdbc:sqlite:%s.db";
    if (extension != null) {
      Properties options = new Properties();
      options.setProperty("enable_load_extension", "true");
      Connection loader = DriverManager.getConnection("jdbc:sqlite::memory:", options);
      value(loader, "SELECT load_extension('" + extension + "')");
      form = "jdbc:sqlite:file:%s.db?vfs=sluice";
    }
    for (String mode : new String[] {"delete", "wal"}) {
      Connection first = DriverManager.getConnection(String.format(form, mode));
      Connection second = DriverManager.getConnection(String.format(form, mode));
      System.out.println(value(first, "PRAGMA journal_mode=" + mode));
      Statement statement = first.createStatement();
      statement.executeUpdate("CREATE TABLE t(id INTEGER PRIMARY KEY, word TEXT)");
      first.setAutoCommit(false);
      for (int i = 0; i < 100; i++) {
        statement.executeUpdate("INSERT INTO t(word) VALUES('word " + i + "')");
      }
      first.commit();
      statement.executeUpdate("DELETE FROM t");
      System.out.println(value(second, "SELECT count(*) FROM t"));
      first.rollback();
      System.out.println(value(first, "SELECT count(*) FROM t"));
      first.commit();
      if (extension == null) statement.executeUpdate("backup to " + mode + "-copy.db");
      System.out.println(value(first, "PRAGMA integrity_check"));
      first.close();
      second.close();
    }
  }
}
