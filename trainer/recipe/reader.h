#pragma once

#include "trainer/recipe/errors.h"
#include "trainer/recipe/node.h"
#include "trainer/recipe/visitor.h"

namespace dualpath::trainer {

/// Fills fields from a recipe's YAML. A key that is absent or null leaves its field at the default
/// (for section_or_null, null is a value). Mistakes go to the errors, and reading goes on, so the
/// fields have a meaning only if there were none. root and errors must outlive the reader.
class RecipeReader : public RecipeVisitor {
 public:
  RecipeReader(const RecipeNode& root, RecipeErrors& errors) : root_(root), errors_(errors) {}

  /// Walks over the recipe's outermost keys. No other function may be called outside of it.
  void read(const std::function<void()>& visit);

  void integer(std::string_view key, std::int64_t& value, Range<std::int64_t> range) override;
  void number(std::string_view key, double& value, Range<double> range) override;
  void boolean(std::string_view key, bool& value) override;
  void path(std::string_view key, std::filesystem::path& value, Presence presence) override;
  void text(std::string_view key, std::string& value, const TextCheck& check) override;
  void texts(std::string_view key, std::vector<std::string>& value,
             const TextCheck& check) override;
  void stated(std::string_view key, std::vector<std::string_view> values,
              std::string_view expected) override;
  void without_effect(std::string_view key) override { find(key); }
  void not_null(std::string_view key, std::string_view expected) override;
  void section(std::string_view key, const std::function<void()>& visit) override;
  std::optional<std::vector<std::string>> given_keys() override;
  void check(bool ok, std::string_view expected, std::string_view got) override;

 protected:
  bool null(std::string_view key, bool is_null) override;
  std::size_t choose(std::string_view key, std::span<const std::string_view> names,
                     std::size_t current) override;

 private:
  struct Section {
    std::string path;
    Place place;             // the place of keys that the section lacks
    const RecipeNode* node;  // a map; null if the section is absent
    std::size_t errors_before;
    std::vector<std::string> known_keys{};
  };

  void walk(std::string path, Place place, const RecipeNode* node,
            const std::function<void()>& visit);
  const RecipeNode* find(std::string_view key);
  template <class T>
  void read_number(std::string_view key, T& value, Range<T> range);
  void refuse_unknown_keys(const Section& section);
  void refuse(const RecipeNode& node, std::string_view key, std::string_view expected);
  std::string path_to(std::string_view key) const;

  const RecipeNode& root_;
  RecipeErrors& errors_;
  std::vector<Section> sections_;  // the open sections, outermost first
};

}  // namespace dualpath::trainer
