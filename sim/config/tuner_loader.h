// SPDX-License-Identifier: Apache-2.0
// Reads what a collective library's tuner believes: configs/hosts/tuners, and a system's part.
#pragma once

#include <string>
#include <vector>

#include "sim/config/field_visitor.h"
#include "sim/contract/tuner_spec.h"

namespace siliscope {

std::vector<std::string> ListTuners();

/// Throws UserError where there is no such file or it is wrong; `place` names who wants it.
TunerTables LoadTuner(const std::string& name, const std::string& place);

/// Finds a machine's generation and host in its library's tables. Throws UserError where they are
/// not there.
void ResolveTuner(const TunerTables& tables, const std::string& place, TunerSpec* spec);

void VisitTuner(FieldVisitor& visitor, TunerSpec& spec);
void VisitTunerTables(FieldVisitor& visitor, TunerTables& tables);

}  // namespace siliscope
