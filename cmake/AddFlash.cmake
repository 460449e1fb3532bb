# flash_add_library(<name> sources... [DEPENDS targets...] [LINK libraries...])    static library that uses MLIR
# flash_add_tool(<name> sources... [LINK libraries...])                            executable in bin/
# flash_add_shared_library(<name> sources... [LINK libraries...])                  .so whose only symbols are flash*
# flash_add_plugin(<name> sources... [LINK libraries...])                          module that a stock mlir-opt loads
# flash_add_unittest(<name> sources... [LINK libraries...])                        GoogleTest, run by check-flash
# flash_tablegen(<file.td> OUT <generated file> <flags>... [OUT ...])              generated headers
#
# Each tool, plugin, shared library and unit test joins the property FLASH_TEST_DEPENDS: check-flash builds them all.

set(FLASH_COMPILE_OPTIONS -Wall -Wextra -Wno-unused-parameter -fno-exceptions -fvisibility-inlines-hidden -ffunction-sections -fdata-sections)
# For clang: template instantiations of the header are done once, and no time stamp, so that ccache can hit.
if(CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
  set(FLASH_PCH_OPTIONS -fpch-instantiate-templates)
  set(FLASH_NO_TIMESTAMP -Xclang -fno-pch-timestamp)
endif()
if(FLASH_SANITIZE)
  list(APPEND FLASH_COMPILE_OPTIONS -fsanitize=address,undefined -fno-sanitize=vptr,function -fno-omit-frame-pointer -fno-sanitize-recover=undefined)
  add_link_options(-fsanitize=address,undefined)
endif()

find_program(FLASH_CCACHE ccache)
if(FLASH_CCACHE)
  set(CMAKE_C_COMPILER_LAUNCHER "${FLASH_CCACHE}")
  set(CMAKE_CXX_COMPILER_LAUNCHER "${FLASH_CCACHE}")
endif()

# One precompiled header for everything that includes MLIR: header parsing is most of the compile time. Made by hand and named by
# -include-pch, because ccache cannot rewrite the paths of CMake's own form (-Xclang -include); with pch_external_checksum ccache
# knows the header by the sum beside it, and so hits across checkouts.
function(flash_enable_pch target)
  if(NOT CMAKE_CXX_COMPILER_ID STREQUAL "Clang")
    target_precompile_headers(${target} PRIVATE "${PROJECT_SOURCE_DIR}/cmake/FlashPCH.h")
    return()
  endif()
  set(pch "${CMAKE_BINARY_DIR}/FlashPCH.h.pch")
  if(NOT TARGET flash-pch)
    string(TOUPPER "${CMAKE_BUILD_TYPE}" build_type)
    separate_arguments(pch_flags NATIVE_COMMAND "${CMAKE_CXX_FLAGS} ${CMAKE_CXX_FLAGS_${build_type}}")
    get_directory_property(pch_definitions DIRECTORY "${PROJECT_SOURCE_DIR}" COMPILE_DEFINITIONS)
    list(TRANSFORM pch_definitions PREPEND "-D")
    add_custom_command(OUTPUT "${pch}"
      COMMAND "${CMAKE_CXX_COMPILER}" ${pch_flags} ${pch_definitions} -std=c++17 ${FLASH_COMPILE_OPTIONS} -fPIC ${FLASH_PCH_OPTIONS} ${FLASH_NO_TIMESTAMP}
        -isystem "${LLVM_INCLUDE_DIR}" -x c++-header "${PROJECT_SOURCE_DIR}/cmake/FlashPCH.h" -o "${pch}"
      DEPENDS "${PROJECT_SOURCE_DIR}/cmake/FlashPCH.h"
      COMMENT "Precompiling the headers of MLIR"
      COMMAND_EXPAND_LISTS VERBATIM)
    file(SHA256 "${PROJECT_SOURCE_DIR}/cmake/FlashPCH.h" sum)
    file(WRITE "${pch}.sum" "${sum} ${LLVM_PACKAGE_VERSION} ${CMAKE_BUILD_TYPE} ${FLASH_SANITIZE}")
    add_custom_target(flash-pch DEPENDS "${pch}")
  endif()
  add_dependencies(${target} flash-pch)
  target_compile_options(${target} PRIVATE "$<$<COMPILE_LANGUAGE:CXX>:SHELL:-include-pch \"${pch}\">")
  get_target_property(sources ${target} SOURCES)
  set_property(SOURCE ${sources} APPEND PROPERTY OBJECT_DEPENDS "${pch}")
endfunction()

# What every target of ours has in common. -fPIC everywhere (CMake would give executables -fPIE): the
# precompiled header is shared.
function(flash_common_options name)
  set_target_properties(${name} PROPERTIES POSITION_INDEPENDENT_CODE OFF)
  target_compile_options(${name} PRIVATE ${FLASH_COMPILE_OPTIONS} -fPIC ${FLASH_PCH_OPTIONS})
  flash_enable_pch(${name})
  add_dependencies(${name} flash-headers)
endfunction()

function(flash_add_library name)
  cmake_parse_arguments(ARG "" "" "DEPENDS;LINK" ${ARGN})
  add_library(${name} STATIC ${ARG_UNPARSED_ARGUMENTS})
  flash_common_options(${name})
  if(ARG_DEPENDS)
    add_dependencies(${name} ${ARG_DEPENDS})
  endif()
  target_link_libraries(${name} PUBLIC ${ARG_LINK})
  target_include_directories(${name} INTERFACE $<INSTALL_INTERFACE:include>)
  install(TARGETS ${name} EXPORT FlashTargets ARCHIVE DESTINATION lib COMPONENT FlashDevelopment)
endfunction()

function(flash_add_tool name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  flash_common_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} FlashMLIR)
  if(FLASH_STATIC_LLVM)
    target_link_options(${name} PRIVATE -no-pie)
  endif()
  set_property(GLOBAL APPEND PROPERTY FLASH_TEST_DEPENDS ${name})
  add_dependencies(flash-tools ${name})
  install(TARGETS ${name} RUNTIME DESTINATION bin COMPONENT FlashTools)
endfunction()

# Everything but flash* stays local: a process that holds another LLVM (or another copy of ours) is not disturbed.
function(flash_add_shared_library name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_library(${name} SHARED ${ARG_UNPARSED_ARGUMENTS})
  flash_common_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} FlashMLIR)
  if(NOT FLASH_SANITIZE)
    target_link_options(${name} PRIVATE
      "-Wl,--version-script=${PROJECT_SOURCE_DIR}/cmake/exports.map" -Wl,-z,defs)
    set_property(TARGET ${name} APPEND PROPERTY LINK_DEPENDS "${PROJECT_SOURCE_DIR}/cmake/exports.map")
  endif()
  set_property(GLOBAL APPEND PROPERTY FLASH_TEST_DEPENDS ${name})
  add_dependencies(flash-tools ${name})
  install(TARGETS ${name} LIBRARY DESTINATION lib COMPONENT FlashTools)
endfunction()

# A plugin uses the MLIR of the program that loads it; it never carries one (FLASH_STATIC_LLVM has no plugin).
function(flash_add_plugin name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  add_library(${name} MODULE ${ARG_UNPARSED_ARGUMENTS})
  set_target_properties(${name} PROPERTIES PREFIX "")
  flash_common_options(${name})
  target_link_libraries(${name} PRIVATE ${ARG_LINK} FlashMLIR)
  set_property(GLOBAL APPEND PROPERTY FLASH_TEST_DEPENDS ${name})
  add_dependencies(flash-tools ${name})
  install(TARGETS ${name} LIBRARY DESTINATION lib COMPONENT FlashTools)
endfunction()

function(flash_add_unittest name)
  cmake_parse_arguments(ARG "" "" "LINK" ${ARGN})
  find_package(GTest REQUIRED)
  add_executable(${name} ${ARG_UNPARSED_ARGUMENTS})
  flash_common_options(${name})
  set_target_properties(${name} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}/unittests/bin")
  target_link_libraries(${name} PRIVATE ${ARG_LINK} FlashMLIR GTest::gtest GTest::gtest_main)
  set_property(GLOBAL APPEND PROPERTY FLASH_TEST_DEPENDS ${name})
endfunction()

# Generates headers from a .td file: flash_tablegen(Foo.td OUT Foo.h.inc -gen-op-decls OUT Foo.cpp.inc -gen-op-defs).
# Every generated file is a dependency of the target flash-headers.
macro(flash_tablegen td)
  set(LLVM_TARGET_DEFINITIONS ${td})
  set(flash_tg_out "")
  set(flash_tg_flags "")
  set(TABLEGEN_OUTPUT "")
  foreach(arg IN ITEMS ${ARGN} OUT)
    if(arg STREQUAL "OUT")
      if(flash_tg_out)
        mlir_tablegen(${flash_tg_out} ${flash_tg_flags})
      endif()
      set(flash_tg_out "")
      set(flash_tg_flags "")
    elseif(NOT flash_tg_out)
      set(flash_tg_out ${arg})
    else()
      list(APPEND flash_tg_flags ${arg})
    endif()
  endforeach()
  string(MAKE_C_IDENTIFIER "${CMAKE_CURRENT_SOURCE_DIR}_${td}" flash_tg_target)
  string(REPLACE "${CMAKE_SOURCE_DIR}" "" flash_tg_rel "${CMAKE_CURRENT_SOURCE_DIR}_${td}")
  string(MAKE_C_IDENTIFIER "gen_${flash_tg_rel}" flash_tg_target)
  add_custom_target(${flash_tg_target} DEPENDS ${TABLEGEN_OUTPUT})
  add_dependencies(flash-headers ${flash_tg_target})
endmacro()

add_custom_target(flash-headers)

# What is used and installed: every tool, plugin and shared library (scripts/quickstart.sh builds it).
add_custom_target(flash-tools)
