# What we stand on, by Debian's names. Each library is used from one file of ours.
find_package(PkgConfig REQUIRED)
find_package(Threads REQUIRED)
find_package(OpenSSL 3.0 REQUIRED)
find_package(SQLite3 3.37 REQUIRED) # STRICT tables
find_package(fmt REQUIRED)
find_package(nlohmann_json 3 REQUIRED)
pkg_check_modules(libuv REQUIRED IMPORTED_TARGET libuv>=1.44)
pkg_check_modules(argon2 REQUIRED IMPORTED_TARGET libargon2)
pkg_check_modules(libmnl REQUIRED IMPORTED_TARGET libmnl)
pkg_check_modules(libcap REQUIRED IMPORTED_TARGET libcap)
pkg_check_modules(libcares REQUIRED IMPORTED_TARGET libcares>=1.18)

# Header-only libraries: their warnings are not ours.
find_path(CXXOPTS_DIR cxxopts.hpp REQUIRED)
add_library(nl_cxxopts INTERFACE)
target_include_directories(nl_cxxopts SYSTEM INTERFACE ${CXXOPTS_DIR})
find_path(MUSTACHE_DIR kainjow/mustache.hpp PATH_SUFFIXES include REQUIRED)
add_library(nl_mustache INTERFACE)
target_include_directories(nl_mustache SYSTEM INTERFACE ${MUSTACHE_DIR})

# llhttp: a library in Debian 13, C sources inside node-llhttp in Debian 12.
add_library(nl_llhttp INTERFACE)
find_library(LLHTTP_LIBRARY llhttp)
if(LLHTTP_LIBRARY)
  target_link_libraries(nl_llhttp INTERFACE ${LLHTTP_LIBRARY})
else()
  find_path(LLHTTP_SOURCES llhttp.c PATHS /usr/share/llhttp NO_DEFAULT_PATH REQUIRED)
  find_path(LLHTTP_INCLUDE llhttp.h PATHS /usr/share/include/llhttp /usr/include /usr/include/node REQUIRED)
  add_library(nl_llhttp_sources STATIC ${LLHTTP_SOURCES}/llhttp.c ${LLHTTP_SOURCES}/api.c ${LLHTTP_SOURCES}/http.c)
  target_include_directories(nl_llhttp_sources SYSTEM PUBLIC ${LLHTTP_INCLUDE})
  target_link_libraries(nl_llhttp INTERFACE nl_llhttp_sources)
endif()
