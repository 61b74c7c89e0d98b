// SPDX-License-Identifier: Apache-2.0
#include "sim/config/host_loader.h"

#include <algorithm>

#include "sim/config/config_folder.h"
#include "sim/config/yaml_reader.h"
#include "sim/core/error.h"
#include "sim/core/nearest_name.h"

namespace siliscope {

void VisitHost(FieldVisitor& v, HostSpec& s) {
  v.Text("name", s.name, Need::kRequired, "the name of the host, as in the name of the file");
  v.Text("description", s.description, Need::kOptional, "one line for `siliscope list hosts`");
  v.Text("measured_by", s.measured_by, Need::kOptional,
         "a word in the source of measurements that include this host's calls");
  v.Table("dispatch", s.dispatch_s, Dimension::kTime, Need::kRequired,
          "from a framework call to its first kernel, by operator, function or default");
  v.Real("next_kernel", s.next_kernel_s, Dimension::kTime, {0, 1}, Need::kOptional,
         "between the kernels of one call");
}

std::vector<std::string> ListHosts() { return NamesIn("configs/hosts"); }

HostSpec LoadHost(const std::string& name_or_file) {
  std::string file = name_or_file;
  if (!LooksLikeFile(name_or_file)) {
    const std::vector<std::string> names = ListHosts();
    if (std::find(names.begin(), names.end(), name_or_file) == names.end()) {
      throw UserError("unknown host \"" + name_or_file.substr(0, 80) + "\"" +
                      Suggestion(name_or_file, names));
    }
    file = RootFolder() + "/configs/hosts/" + name_or_file + ".yaml";
  }
  const YamlDocument document = YamlDocument::FromFile(file);
  YamlReader reader(document, nullptr);
  HostSpec host;
  VisitHost(reader, host);
  reader.Finish();
  return host;
}

HostSpec HostOfMeasurement(const std::string& source) {
  const std::vector<std::string> names = ListHosts();
  for (const std::string& name : names) {
    HostSpec host = LoadHost(name);
    if (!host.measured_by.empty() && source.find(host.measured_by) != std::string::npos) {
      return host;
    }
  }
  if (names.empty()) throw UserError("configs/hosts holds no host");
  return LoadHost(names.back());
}

}  // namespace siliscope
