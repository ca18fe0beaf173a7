# SPDX-License-Identifier: Apache-2.0
# Does cmake/CheckLayers.cmake find what it is there to find? Each case is one bad header in a tree of its own.
cmake_minimum_required(VERSION 3.22)

function(expect path content message)
  set(tree ${WORK_DIR}/tree)
  file(REMOVE_RECURSE ${tree})
  file(WRITE ${tree}/trine/${path} "${content}")
  execute_process(COMMAND ${CMAKE_COMMAND} -D INCLUDE_DIR=${tree} -P ${CHECK_LAYERS}
                  RESULT_VARIABLE result OUTPUT_VARIABLE output ERROR_VARIABLE output)
  string(FIND "${output}" "${message}" position)
  if(position EQUAL -1)
    message(FATAL_ERROR "${path}: expected '${message}', found '${output}' (exit ${result})")
  endif()
endfunction()

set(spdx "// SPDX-License-Identifier: Apache-2.0\n")
expect(core/good.hpp "${spdx}#include <trine/version.hpp>\n// std::cout, assert(), exit()\nstatic_assert(true);\n"
       "1 headers keep the order")
expect(kernels/dot.hpp "${spdx}#include <trine/weights/raw_blob.hpp>\n" "kernels -> weights is not allowed")
expect(core/tensor.hpp "${spdx}#include <trine/platform/execution.hpp>\n" "core -> platform is not allowed")
expect(nn/linear.hpp "${spdx}#include <trine/trine.hpp>\n" "nn -> trine.hpp")
expect(magic/x.hpp "${spdx}\n" "folder magic is not a layer")
expect(core/x.hpp "int x();\n" "not its SPDX licence")
expect(kernels/x.hpp "${spdx}#pragma omp parallel\n" "OpenMP lives in")
expect(kernels/generic/x.inl "${spdx}#include <omp.h>\n" "OpenMP lives in")
expect(kernels/x.hpp "${spdx}#include <Eigen/Core>\n" "Eigen types stay in")
expect(model/x.hpp "${spdx}auto j = nlohmann::json::parse(text);\n" "JSON is read through")
expect(core/x.hpp "${spdx}inline void f() { std::cerr << 1; }\n" "never prints")
expect(core/x.hpp "${spdx}inline void f() { std::exit(1); }\n" "never ends the process")
expect(core/x.hpp "${spdx}inline void f() { assert(true); }\n" "an assertion is a crash")
expect(core/x.hpp "${spdx}namespace {\n}\n" "no unnamed namespace")
expect(core/x.hpp "${spdx}static int x = 1;\n" "no namespace-scope static")
message(STATUS "CheckLayers finds all of them")
