#include "sluice.h"

#include <CSluice.h>

// Bindings write these structs without the header.
_Static_assert(sizeof(struct sluice_value) == 24, "value");
_Static_assert(offsetof(struct sluice_value, length) == 8, "value");
_Static_assert(offsetof(struct sluice_value, bytes) == 16, "value");
_Static_assert(sizeof(struct sluice_rows) == 48, "rows");
_Static_assert(sizeof(struct sluice_batch_step) == 4 * sizeof(void *), "step");

__attribute__((visibility("default"))) const char *sluice_version(void) { return SLUICE_VERSION; }
