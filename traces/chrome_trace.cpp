// SPDX-License-Identifier: Apache-2.0
#include "sim/contract/trace_writer.h"
