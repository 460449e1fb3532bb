# Finds LLVM and MLIR 22.1 and defines what everything links against:
#   FlashMLIR   interface library: libMLIR.so and libLLVM.so, or (FLASH_STATIC_LLVM) their archives.
# Our libraries never name MLIR's own library targets: mixing libMLIR.so with its archives duplicates TypeIDs.

find_package(MLIR 22.1 CONFIG QUIET)
if(NOT MLIR_FOUND)
  if(MLIR_CONSIDERED_VERSIONS)
    message(FATAL_ERROR "Flash needs LLVM/MLIR 22.1, but found only: ${MLIR_CONSIDERED_VERSIONS}. On Debian 12: apt install libmlir-22-dev")
  endif()
  message(FATAL_ERROR "Flash needs LLVM/MLIR 22.1, which was not found. On Debian 12: apt install libmlir-22-dev llvm-22-dev mlir-22-tools (or set MLIR_DIR)")
endif()
list(APPEND CMAKE_MODULE_PATH "${MLIR_CMAKE_DIR}" "${LLVM_CMAKE_DIR}")
include(TableGen)
include(AddLLVM)
include(AddMLIR)

# mlir-doc writes below this; unset, it would write at the root of the file system.
set(MLIR_BINARY_DIR "${CMAKE_BINARY_DIR}")
set(LLVM_RUNTIME_OUTPUT_INTDIR "${CMAKE_BINARY_DIR}/bin")
set(LLVM_LIBRARY_OUTPUT_INTDIR "${CMAKE_BINARY_DIR}/lib")
set(CMAKE_RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/bin")
set(CMAKE_LIBRARY_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/lib")

separate_arguments(flash_llvm_definitions NATIVE_COMMAND "${LLVM_DEFINITIONS}")
add_definitions(${flash_llvm_definitions})
# llvm::Statistic, and so every pass, has another layout without NDEBUG: be as the LLVM that we link.
if(NOT LLVM_ENABLE_ASSERTIONS)
  string(TOUPPER "${CMAKE_BUILD_TYPE}" flash_build_type)
  if(NOT CMAKE_CXX_FLAGS_${flash_build_type} MATCHES "NDEBUG")
    add_compile_definitions(NDEBUG)
  endif()
endif()

add_library(FlashMLIR INTERFACE)
if(FLASH_STATIC_LLVM)
  # Archives are searched lazily, so naming all of them costs link time only; the linker drops unused sections.
  file(GLOB flash_mlir_archives "${LLVM_LIBRARY_DIRS}/libMLIR*.a")
  file(GLOB flash_llvm_archives "${LLVM_LIBRARY_DIRS}/libLLVM*.a")
  target_link_libraries(FlashMLIR INTERFACE ${flash_mlir_archives} ${flash_llvm_archives}
    libz.a libzstd.a pthread dl m)
  target_link_options(FlashMLIR INTERFACE -static-libstdc++ -static-libgcc -Wl,--gc-sections -Wl,--icf=all)
else()
  target_link_libraries(FlashMLIR INTERFACE MLIR LLVM)
endif()
