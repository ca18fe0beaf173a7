# SPDX-License-Identifier: Apache-2.0
# Included by CTest (TEST_INCLUDE_FILES): asks a test program for its tests and adds the entries that run them. Before:
#   folder     its name, the label of all entries        program, emulator    what is run, and by what
#   isas       instruction sets, for "PerIsa"            results              directory for what ran, as XML
# An entry runs some 200 tests, so that a machine with many cores has something for each.
set(tests_per_entry 200)

function(trine_count_tests tests with without count)  # those that match WITH, and not WITHOUT if that is not empty
  list(FILTER tests INCLUDE REGEX "${with}")
  if(without)
    list(FILTER tests EXCLUDE REGEX "${without}")
  endif()
  list(LENGTH tests number)
  set(${count} ${number} PARENT_SCOPE)
endfunction()

# SUFFIX "": entries are numbered even when there is one. ENVIRONMENT: of all of them. COUNT: tests that FILTER selects.
function(trine_add_entries suffix filter labels environment count)
  math(EXPR entries "(${count} + ${tests_per_entry} - 1) / ${tests_per_entry}")
  foreach(entry RANGE 1 ${entries})
    if(count EQUAL 0)
      break()
    elseif(NOT suffix)
      set(name ${folder}/${entry})
    elseif(entries EQUAL 1)
      set(name ${folder}/${suffix})
    else()
      set(name ${folder}/${suffix}/${entry})
    endif()
    math(EXPR index "${entry} - 1")
    string(REPLACE "/" "." file ${name})
    add_test(${name} ${emulator} ${program} --gtest_filter=${filter} --gtest_output=xml:${results}/${file}.xml)
    set_tests_properties(${name} PROPERTIES
      LABELS "${labels}" TIMEOUT 1800 COST 100  # a program before scripts that take a moment, after those that take minutes
      ENVIRONMENT "GTEST_TOTAL_SHARDS=${entries};GTEST_SHARD_INDEX=${index};${environment}"
      SKIP_REGULAR_EXPRESSION "SKIPPED . every test" FAIL_REGULAR_EXPRESSION "Running 0 tests")
  endforeach()
endfunction()

if(NOT EXISTS ${program})
  add_test(${folder}/not_built ${program})
  set_tests_properties(${folder}/not_built PROPERTIES LABELS ${folder})
  return()
endif()
execute_process(COMMAND ${emulator} ${program} --gtest_list_tests OUTPUT_VARIABLE lines RESULT_VARIABLE failed)
if(failed)
  message(FATAL_ERROR "${program} does not list its tests: ${failed}")
endif()
string(REGEX REPLACE "[][;]" "_" lines "${lines}")  # brackets and semicolons mean something in CMake's lists
string(REPLACE "\n" ";" lines "${lines}")
set(tests "")
foreach(line IN LISTS lines)
  string(REGEX REPLACE " +# .*" "" line "${line}")  # the value of a parameter
  if(line MATCHES "^  (.+)")
    list(APPEND tests "${suite}${CMAKE_MATCH_1}")
  elseif(line MATCHES "^[^ ]+\\.$")
    set(suite "${line}")
  endif()
endforeach()
list(FILTER tests EXCLUDE REGEX "DISABLED_")

trine_count_tests("${tests}" "." "PerIsa|Concurrency" count)
trine_add_entries("" "*-*PerIsa*:*Concurrency*" "${folder}" "" ${count})
trine_count_tests("${tests}" "Concurrency" "PerIsa" count)
trine_add_entries(concurrency "*Concurrency*-*PerIsa*" "${folder};concurrency" "" ${count})
trine_count_tests("${tests}" "PerIsa" "" count)
foreach(isa IN LISTS isas)
  trine_add_entries(${isa} "*PerIsa*" "${folder};per_isa" "TRINE_ISA=${isa}" ${count})
endforeach()
