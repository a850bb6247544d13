#pragma once

#include "trainer/recipe/visitor.h"

namespace dualpath::trainer {

/// Prints every field it is shown as YAML, exactly enough to be read back unchanged.
class RecipeWriter : public RecipeVisitor {
 public:
  const std::string& yaml() const { return yaml_; }

  void integer(std::string_view key, std::int64_t& value, Range<std::int64_t> range) override;
  void number(std::string_view key, double& value, Range<double> range) override;
  void boolean(std::string_view key, bool& value) override;
  void path(std::string_view key, std::filesystem::path& value, Presence presence) override;
  void text(std::string_view key, std::string& value, const TextCheck& check) override;
  void texts(std::string_view key, std::vector<std::string>& value,
             const TextCheck& check) override;
  void section(std::string_view key, const std::function<void()>& visit) override;

 protected:
  bool null(std::string_view key, bool is_null) override;
  std::size_t choose(std::string_view key, std::span<const std::string_view> names,
                     std::size_t current) override;

 private:
  void line(std::string_view key, std::string_view value);

  std::string yaml_;
  std::size_t depth_ = 0;
};

}  // namespace dualpath::trainer
