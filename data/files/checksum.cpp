#include "data/files/checksum.h"

#include <fcntl.h>
#include <openssl/evp.h>

#include <array>
#include <vector>

#include "data/base/error.h"
#include "data/files/file_descriptor.h"

namespace dualpath {
namespace {

void require(bool ok) {
  if (!ok) throw Error("SHA-256: the cryptographic library failed");
}

/// The checksum's register after a byte, by the register's low byte.
constexpr std::array<std::uint32_t, 256> kCrc32c = [] {
  constexpr std::uint32_t kPolynomial = 0x82f63b78;  // its bits reversed, as the register has them
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t byte = 0; byte < 256; ++byte) {
    table[byte] = byte;
    for (int bit = 0; bit < 8; ++bit)
      table[byte] = table[byte] >> 1 ^ ((table[byte] & 1) != 0 ? kPolynomial : 0);
  }
  return table;
}();

}  // namespace

Sha256::Sha256() : context_(EVP_MD_CTX_new(), EVP_MD_CTX_free) {
  require(context_ && EVP_DigestInit_ex(context_.get(), EVP_sha256(), nullptr) == 1);
}

void Sha256::update(std::span<const std::byte> bytes) {
  require(EVP_DigestUpdate(context_.get(), bytes.data(), bytes.size()) == 1);
}

std::string Sha256::hex() const {
  const Sha256 last;  // finishing a context ends it, so finish a copy
  std::array<unsigned char, 32> digest{};
  require(EVP_MD_CTX_copy_ex(last.context_.get(), context_.get()) == 1);
  require(EVP_DigestFinal_ex(last.context_.get(), digest.data(), nullptr) == 1);
  return fmt::format("{:02x}", fmt::join(digest, ""));
}

std::string sha256_hex(std::span<const std::byte> bytes) {
  Sha256 sha;
  sha.update(bytes);
  return sha.hex();
}

std::string sha256_file(const std::filesystem::path& path, std::uint64_t offset) {
  const FileDescriptor file(path, O_RDONLY);
  file.seek(offset);
  std::vector<std::byte> buffer(1 << 20);
  Sha256 sha;
  while (const std::size_t n = file.read(buffer)) sha.update(std::span(buffer).first(n));
  return sha.hex();
}

std::uint32_t crc32c(std::span<const std::byte> bytes) {
  std::uint32_t crc = ~0U;
  for (const std::byte byte : bytes)
    crc = crc >> 8 ^ kCrc32c[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xff];
  return ~crc;
}

void verify_sha256(const std::filesystem::path& path, const std::string& expected,
                   const std::string& list) {
  if (sha256_file(path) != expected)
    throw Error("{}: damaged: its checksum is not the one in {}", path.string(), list);
}

}  // namespace dualpath
