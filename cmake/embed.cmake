# embed(file variable header): the text of a file as a constant of the program. The header is named below generated/;
# CMake runs again when the file changes.
function(embed file variable header)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${file})
  file(READ ${file} text)
  file(CONFIGURE OUTPUT ${PROJECT_BINARY_DIR}/generated/${header} @ONLY
       CONTENT "#pragma once\n\nconstexpr const char ${variable}[] = R\"embedded(@text@)embedded\";\n")
endfunction()

# embed_llvm(source variable header): the same of the LLVM code that clang makes of a C file, for programs that compile
# it for any platform. The file includes the header of its name, but nothing of a system's that differs between
# platforms.
function(embed_llvm source variable header)
  find_program(CONVSMITH_CLANG NAMES clang-${LLVM_VERSION_MAJOR} HINTS ${LLVM_TOOLS_BINARY_DIR} REQUIRED
               DOC "clang of the LLVM that Halide is built with")
  get_filename_component(name ${source} NAME_WE)
  set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${source} ${name}.h)
  set(code ${PROJECT_BINARY_DIR}/generated/${name}.ll)
  execute_process(
    COMMAND ${CONVSMITH_CLANG} -std=c99 -O2 -fPIC -ffreestanding -fno-stack-protector -fno-asynchronous-unwind-tables
            -I ${PROJECT_SOURCE_DIR} -S -emit-llvm ${CMAKE_CURRENT_SOURCE_DIR}/${source} -o ${code}
    COMMAND_ERROR_IS_FATAL ANY)
  embed(${code} ${variable} ${header})
endfunction()
