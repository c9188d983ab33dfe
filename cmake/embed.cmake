# embed(file variable header): the text of a file as a constant of the program. The header is named below generated/;
# CMake runs again when the file changes.
function(embed file variable header)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/${header} @ONLY
       CONTENT "#pragma once\n\nconstexpr const char ${variable}[] = R\"embedded(@text@)embedded\";\n")
endfunction()
