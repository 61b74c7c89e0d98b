#SPDX - License - Identifier : Apache - 2.0
#Writes ${OUT } : a digest of what measures costs, so that a store of another version isn't used.
file(GLOB sources ${SOURCE}/models/gpu/*.cpp ${SOURCE}/models/gpu/*.h ${SOURCE}/sim/contract/gpu_*.h)
set(all "")
foreach(source ${sources})
  file(SHA256 ${source} digest)
  string(APPEND all ${digest})
endforeach()
string(SHA256 version "${all}")
file(WRITE ${OUT} "#pragma once\nnamespace siliscope {\ninline constexpr char kCostVersion[] = \"${version}\";\n}\n")
