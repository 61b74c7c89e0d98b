// SPDX-License-Identifier: Apache-2.0
// Loads a host of configs/hosts.
#pragma once

#include <string>
#include <vector>

#include "sim/config/field_visitor.h"
#include "sim/contract/host_spec.h"

namespace siliscope {

void VisitHost(FieldVisitor& visitor, HostSpec& spec);

/// A name of configs/hosts or a YAML file. Throws UserError.
HostSpec LoadHost(const std::string& name_or_file);
std::vector<std::string> ListHosts();
/// The host whose calls a measurement includes, by the words of its source; the first one where
/// none matches.
HostSpec HostOfMeasurement(const std::string& source);

}  // namespace siliscope
