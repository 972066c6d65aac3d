// The result codes of sluice.h and sluice_records.h: SQLite's own numbers. `code & 0xff` is the kind.
#ifndef SLUICE_CODES_H
#define SLUICE_CODES_H

#define SLUICE_OK 0
#define SLUICE_ERROR 1      // wrong SQL, a table that is not there; a message that is not stored
#define SLUICE_ABORT 4      // a callback asked for the end
#define SLUICE_BUSY 5       // others held a lock for the whole busy time
#define SLUICE_READONLY 8
#define SLUICE_INTERRUPT 9  // by sluice_cancel, sluice_records_cancel, or the deadline
#define SLUICE_GONE 10      // SQLITE_IOERR: the engine is gone; other kinds of it are of its files
#define SLUICE_NOTFOUND 12  // no such value
#define SLUICE_CANTOPEN 14  // no engine, or no such database or store
#define SLUICE_TOOBIG 18    // a value or message above 64 MiB, SQL above 1 MiB
#define SLUICE_CONSTRAINT 19
#define SLUICE_MISUSE 21
#define SLUICE_RANGE 25     // another number of values than the statement has parameters
#define SLUICE_ROW 100
#define SLUICE_DONE 101

#endif
