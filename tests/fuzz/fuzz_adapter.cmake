# SPDX-License-Identifier: Apache-2.0
target_link_libraries(fuzz_adapter PRIVATE trine::pcre2)
target_compile_definitions(fuzz_adapter PRIVATE TRINE_TEST_DATA="${PROJECT_SOURCE_DIR}/tests/golden")

# The golden adapters of the models that fuzz_adapter.cpp has, in its order: configuration and header.
set(models olmoe mixtral_fused_tied qwen3_moe gpt_oss_bf16 deepseek_v2_lite)
file(GLOB goldens CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/golden/adapters/*/golden.json)
foreach(path IN LISTS goldens)
  get_filename_component(directory ${path} DIRECTORY)
  get_filename_component(adapter ${directory} NAME)
  file(READ ${path} golden)
  string(JSON family GET "${golden}" family)
  list(FIND models ${family} model)
  if(model LESS 0)
    continue()
  endif()
  file(READ ${directory}/adapter_config.json config)
  file(READ ${directory}/adapter_model.safetensors length LIMIT 2 HEX)  # little endian; no header here has 64 KiB
  string(REGEX REPLACE "(..)(..)" "0x\\2\\1" length ${length})
  math(EXPR length "${length}")
  file(READ ${directory}/adapter_model.safetensors header OFFSET 8 LIMIT ${length})
  file(WRITE ${seeds}/${adapter} "${model}${config}\n---\n${header}")
endforeach()
