// The last failure of each thread, for the code of libsluice-records.so.
#ifndef RECORDS_ERROR_H
#define RECORDS_ERROR_H

#include <stddef.h>

// Keeps a failure as the calling thread's last one. A long text is cut.
void records_note(int code, const unsigned char *text, size_t length);

#endif
