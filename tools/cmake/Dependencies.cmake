# Libraries from the Debian packages in tools/packages.txt, as imported targets:
# fmt::fmt, nlohmann_json::nlohmann_json, yaml-cpp, CLI11::CLI11, OpenSSL::Crypto, PkgConfig::PCRE2,
# PkgConfig::UTF8PROC, PkgConfig::JPEG, PkgConfig::PNG, PkgConfig::WEBP, PkgConfig::SNDFILE, PkgConfig::SOXR,
# Threads::Threads, hwy::hwy; for tests Catch2::Catch2WithMain and rapidcheck, for tools/bench benchmark::benchmark.

find_package(fmt 9 REQUIRED)
find_package(nlohmann_json 3.11 REQUIRED)
find_package(yaml-cpp 0.7 REQUIRED)
find_package(CLI11 2.1 REQUIRED)
find_package(OpenSSL 3.0 REQUIRED COMPONENTS Crypto)
find_package(Threads REQUIRED)
find_package(hwy 1.0.3 REQUIRED)
find_package(PkgConfig REQUIRED)
pkg_check_modules(PCRE2 REQUIRED IMPORTED_TARGET libpcre2-8)
pkg_check_modules(UTF8PROC REQUIRED IMPORTED_TARGET libutf8proc)
pkg_check_modules(JPEG REQUIRED IMPORTED_TARGET libjpeg)
pkg_check_modules(PNG REQUIRED IMPORTED_TARGET libpng)
pkg_check_modules(WEBP REQUIRED IMPORTED_TARGET libwebp)
pkg_check_modules(SNDFILE REQUIRED IMPORTED_TARGET sndfile)
pkg_check_modules(SOXR REQUIRED IMPORTED_TARGET soxr)

find_package(Catch2 2.13 REQUIRED)
find_package(rapidcheck REQUIRED)
find_package(benchmark 1.7 REQUIRED)
