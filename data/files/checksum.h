#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>

struct evp_md_ctx_st;  // OpenSSL's EVP_MD_CTX

namespace dualpath {

/// SHA-256 of a stream of bytes.
class Sha256 {
 public:
  Sha256();
  void update(std::span<const std::byte> bytes);
  /// 64 lower-case hexadecimal digits of everything so far; more may follow.
  std::string hex() const;

 private:
  std::unique_ptr<evp_md_ctx_st, void (*)(evp_md_ctx_st*)> context_;
};

std::string sha256_hex(std::span<const std::byte> bytes);
/// SHA-256 of a file from an offset on. Reads in pieces, so that the file never counts as resident
/// memory.
std::string sha256_file(const std::filesystem::path& path, std::uint64_t offset = 0);
/// CRC-32C (Castagnoli, RFC 3720), the checksum in frames of small records.
std::uint32_t crc32c(std::span<const std::byte> bytes);
/// Throws an Error naming the file if its digest is not `expected`. `list` is the file that gave
/// the digest.
void verify_sha256(const std::filesystem::path& path, const std::string& expected,
                   const std::string& list);

}  // namespace dualpath
