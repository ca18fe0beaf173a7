# SPDX-License-Identifier: Apache-2.0
# The chat templates of real models, and the small templates of the golden tests, a feature each.
file(GLOB templates CONFIGURE_DEPENDS ${PROJECT_SOURCE_DIR}/tests/golden/chat_templates/templates/*.jinja)
file(COPY ${templates} DESTINATION ${seeds})
file(READ ${PROJECT_SOURCE_DIR}/tests/golden/chat_templates/units.json units)
string(JSON count LENGTH "${units}" cases)
math(EXPR last "${count} - 1")
foreach(i RANGE ${last})
  string(JSON template GET "${units}" cases ${i} template)
  file(WRITE ${seeds}/unit_${i} "${template}")
endforeach()
