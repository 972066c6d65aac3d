// Why a call on a space fails. A transaction that is refused is no failure: its receipt says why.

internal import CEngine
internal import SluiceAutomerge

/// Why a call on a space fails, for programs and for people.
package struct SpaceError: Error, Equatable {
  /// The class of the failure. The raw values are stable.
  package enum Code: String, CaseIterable, Sendable {
    /// The name of the space is none.
    case invalidSpace = "InvalidSpace"
    /// There is no such space.
    case noSuchSpace = "NoSuchSpace"
    /// The file is no database, or the database of something else.
    case notASpace = "NotASpace"
    /// A later version of this program has made the file.
    case newerSchema = "NewerSchema"
    case invalidDoc = "InvalidDoc"
    case invalidBranch = "InvalidBranch"
    /// An epoch, a time or heads that the branch does not know.
    case invalidPoint = "InvalidPoint"
    /// A digest, a kind, a setting or an invariant that is none.
    case invalidArgument = "InvalidArgument"
    case limitReached = "LimitReached"
    /// Another process writes. Trying again may work.
    case busy = "Busy"
    /// Nothing was stored. With more room the same call works.
    case diskFull = "DiskFull"
    /// What the file holds does not fit together. `verify` tells more.
    case damaged = "Damaged"
    /// SQLite refuses for another reason.
    case storage = "Storage"
  }

  package var code: Code
  package var message: String

  package init(_ code: Code, _ message: String) {
    self.code = code
    self.message = message
  }

  init(_ error: DatabaseError) {
    let code: Code =
      switch error.code & 0xff {
      case SQLITE_FULL: .diskFull
      case SQLITE_BUSY: .busy
      case SQLITE_NOTADB: .notASpace
      case SQLITE_CORRUPT: .damaged
      default: .storage
      }
    self.init(code, error.message)
  }
}

/// Does `body`, and tells SQLite's refusals as the space's.
func asSpaceError<R>(_ body: () throws(DatabaseError) -> R) throws(SpaceError) -> R {
  do throws(DatabaseError) { return try body() } catch { throw SpaceError(error) }
}
