#include "sluice_codes.h"
