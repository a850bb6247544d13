#include "data/files/checksum.h"

#include <rapidcheck.h>
#include <catch2/catch.hpp>
#include <string_view>

#include "data/files/atomic_file.h"
#include "tests/support/bytes.h"
#include "tests/support/temporary_directory.h"

using namespace dualpath;
using namespace dualpath::testing;

TEST_CASE("SHA-256 gives the digests of FIPS 180-4", "[base][checksum]") {
  CHECK(sha256_hex({}) == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  CHECK(sha256_hex(bytes_of("abc")) ==
        "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

TEST_CASE("Sha256 in pieces equals Sha256 in one go, and hex() does not end it",
          "[base][checksum]") {
  CHECK(rc::check([](const std::string& first, const std::string& second) {
    Sha256 sha;
    sha.update(bytes_of(first));
    RC_ASSERT(sha.hex() == sha256_hex(bytes_of(first)));
    sha.update(bytes_of(second));
    RC_ASSERT(sha.hex() == sha256_hex(bytes_of(first + second)));
  }));
}

TEST_CASE("sha256_file reads from the offset to the end, over many buffers", "[base][checksum]") {
  const TemporaryDirectory directory;
  const std::string content = "header" + std::string((1 << 20) + 17, 'x');
  write_file(directory / "file", content);
  CHECK(sha256_file(directory / "file") == sha256_hex(bytes_of(content)));
  CHECK(sha256_file(directory / "file", 6) == sha256_hex(bytes_of(content).subspan(6)));
}

TEST_CASE("CRC-32C gives the values of RFC 3720", "[base][checksum]") {
  std::string rising;
  for (char i = 0; i < 32; ++i) rising += i;
  CHECK(crc32c({}) == 0);
  CHECK(crc32c(bytes_of("123456789")) == 0xe3069283);
  CHECK(crc32c(bytes_of(std::string(32, '\0'))) == 0x8a9136aa);
  CHECK(crc32c(bytes_of(std::string(32, '\xff'))) == 0x62a8ab43);
  CHECK(crc32c(bytes_of(rising)) == 0x46dd794e);
}
