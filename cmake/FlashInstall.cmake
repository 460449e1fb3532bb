# Install rules and the package that `find_package(Flash)` finds: headers, archives, tools. Users link
# `Flash::Compiler`, which brings our libraries and the MLIR of their choice (see FlashConfig.cmake.in).
include(CMakePackageConfigHelpers)

install(DIRECTORY "${PROJECT_SOURCE_DIR}/include/" DESTINATION include COMPONENT FlashDevelopment
  FILES_MATCHING PATTERN "*.h" PATTERN "*.td")
install(DIRECTORY "${PROJECT_BINARY_DIR}/include/" DESTINATION include COMPONENT FlashDevelopment
  FILES_MATCHING PATTERN "*.inc" PATTERN "CMakeFiles" EXCLUDE)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION share/doc/flash COMPONENT FlashTools)

if(NOT FLASH_STATIC_LLVM AND NOT FLASH_SANITIZE)
  install(EXPORT FlashTargets NAMESPACE Flash:: DESTINATION lib/cmake/flash COMPONENT FlashDevelopment)
  configure_package_config_file("${PROJECT_SOURCE_DIR}/cmake/FlashConfig.cmake.in" "${PROJECT_BINARY_DIR}/FlashConfig.cmake"
    INSTALL_DESTINATION lib/cmake/flash)
  write_basic_package_version_file("${PROJECT_BINARY_DIR}/FlashConfigVersion.cmake"
    VERSION ${PROJECT_VERSION} COMPATIBILITY SameMinorVersion)
  install(FILES "${PROJECT_BINARY_DIR}/FlashConfig.cmake" "${PROJECT_BINARY_DIR}/FlashConfigVersion.cmake"
    DESTINATION lib/cmake/flash COMPONENT FlashDevelopment)
endif()
