# Toolchain file for host applications on 64-bit ARM Linux, cross-compiled by Debian's g++-aarch64-linux-gnu; programs
# run here under qemu-user. With a library of convsmith in OUT:
#   cmake -S APP -B build-arm -DCMAKE_TOOLCHAIN_FILE=cmake/toolchains/arm-64-linux.cmake -DCMAKE_PREFIX_PATH=OUT
set(CMAKE_SYSTEM_NAME Linux)
set(CMAKE_SYSTEM_PROCESSOR aarch64)
set(CMAKE_C_COMPILER aarch64-linux-gnu-gcc)
set(CMAKE_CXX_COMPILER aarch64-linux-gnu-g++)

# Static programs need nothing on the board, and no ARM C library where they are emulated.
set(CMAKE_EXE_LINKER_FLAGS_INIT -static)

find_program(convsmith_qemu qemu-aarch64)
if(convsmith_qemu)
  set(CMAKE_CROSSCOMPILING_EMULATOR ${convsmith_qemu}) # `ctest` and add_custom_command run programs with it
endif()
