# SPDX-License-Identifier: Apache-2.0
target_link_libraries(fuzz_tokenizer PRIVATE trine::pcre2)

# The small tokenizer of characters, with each component around it that tests/golden/tokenizer has.
file(READ ${PROJECT_SOURCE_DIR}/tests/golden/tokenizer/components.json components)
set(text "\n---\n The QUICK  fox's<s> 1234 é中 😀!\n<tool>▁ ")
string(JSON tokenizer GET "${components}" tokenizer)
string(JSON model GET "${tokenizer}" model)
string(JSON last LENGTH "${components}" cases)
math(EXPR last "${last} - 1")
foreach(i RANGE ${last})
  string(JSON patch GET "${components}" cases ${i} 0)
  set(patched "${tokenizer}")
  foreach(key normalizer pre_tokenizer decoder)
    string(JSON value ERROR_VARIABLE missing GET "${patch}" ${key})
    if(NOT missing)
      string(JSON patched SET "${patched}" ${key} "${value}")
    endif()
  endforeach()
  file(WRITE ${seeds}/components_${i} "${patched}${text}")
endforeach()
# A few bytes of a byte-level one.
file(WRITE ${seeds}/byte_level [=[{"added_tokens":[{"id":5,"content":"<s>","single_word":false,"lstrip":true,"rstrip":true,"normalized":true,"special":true}],"pre_tokenizer":{"type":"Sequence","pretokenizers":[{"type":"Split","pattern":{"Regex":"\\p{N}{1,3}|\\s+(?!\\S)"},"behavior":"Isolated","invert":false},{"type":"ByteLevel","add_prefix_space":true,"use_regex":false}]},"post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[5],"tokens":["<s>"]}}},"decoder":{"type":"ByteLevel"},"model":{"type":"BPE","unk_token":"?","vocab":{"?":0,"a":1,"b":2,"ab":3,"\u0120":4},"merges":["a b"]}}
---
ab a <s> b 12]=])
