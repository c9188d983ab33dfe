# Writes the tables of SOURCE_DIR with the rows that README.md adds to them, and the source file it adds, below
# OUTPUT_DIR, by which sources that include the tables are compiled once more:
#   cmake -DSOURCE_DIR=... -DOUTPUT_DIR=... -P readme_extension.cmake
cmake_minimum_required(VERSION 3.25)

set(README ${SOURCE_DIR}/README.md)
set(LANGUAGE cpp)
foreach(example 1=epilogue_row 2=variant_row 3=generators/one_channel.cpp) # 0 is the example of the JIT
  string(REGEX MATCH "^([0-9]+)=(.*)$" matched ${example})
  set(INDEX ${CMAKE_MATCH_1})
  set(OUTPUT ${OUTPUT_DIR}/${CMAKE_MATCH_2})
  include(${CMAKE_CURRENT_LIST_DIR}/readme_example.cmake)
endforeach()

# extend(table pattern replacement): a copy of the table with the first match replaced.
function(extend table pattern replacement)
  file(READ ${SOURCE_DIR}/${table} text)
  if(NOT text MATCHES "${pattern}")
    message(FATAL_ERROR "readme_extension: ${table} has no '${pattern}'")
  endif()
  string(REGEX REPLACE "${pattern}" "${replacement}" text "${text}")
  file(WRITE ${OUTPUT_DIR}/${table} "${text}")
endfunction()

file(READ ${OUTPUT_DIR}/epilogue_row row)
file(READ ${SOURCE_DIR}/generators/epilogues.inc table)
file(WRITE ${OUTPUT_DIR}/generators/epilogues.inc "${table}${row}")

file(READ ${OUTPUT_DIR}/variant_row row)
extend(generators/variants.inc "CONVSMITH_VARIANT\\(direct," "${row}CONVSMITH_VARIANT(direct,")
extend(schedules/schedules.inc "direct\\), cpu" "one_channel, direct), cpu")
