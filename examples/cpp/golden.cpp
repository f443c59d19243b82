// Run the model of a bundle from C++ and compare its answers with the bundle's golden vectors.
//
//     golden BUNDLE
//
// Labels and shapes stand in the ONNX file and 8-bit values go in as they are, so a host needs no
// more than class Model. Hashes and the preprocessing of images are left to `edge-runtime check`.
// Exit status: 0 all vectors passed, 2 usage, 3 a vector failed or the bundle cannot be read.

#include <onnxruntime_cxx_api.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <iterator>
#include <numeric>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

namespace {

constexpr float kTolerance = 1e-3F;  // of a probability: processors round differently

// Reads the JSON of golden.json and of the model's labels, and none but that: lists, objects
// without objects inside, strings and numbers. Throws std::runtime_error for anything else.
class Json {
 public:
  explicit Json(std::string_view text) : next_(text.data()), end_(next_ + text.size()) {}

  // Calls `element` for each element of a list.
  template <typename Element>
  void list(Element element) {
    items('[', ']', element);
  }

  // Calls `value` with each key of an object, to read what belongs to it.
  template <typename Value>
  void object(Value value) {
    items('{', '}', [&] {
      const std::string key = string();
      expect(':');
      value(key);
    });
  }

  std::string string() {
    expect('"');
    std::string read;
    while (next_ != end_ && *next_ != '"') {
      if (*next_ != '\\') {
        read += *next_++;
        continue;
      }
      if (++next_ == end_) {
        break;
      }
      const char escape = *next_++;
      const std::size_t known = std::string_view("bfnrt").find(escape);
      if (escape == 'u') {
        append_utf8(read, code_point());
      } else {
        read += known == std::string_view::npos ? escape : "\b\f\n\r\t"[known];
      }
    }
    expect('"');
    return read;
  }

  template <typename Number>
  Number number() {
    skip_space();
    Number read{};
    const auto [after, error] = std::from_chars(next_, end_, read);
    if (error != std::errc()) {
      throw std::runtime_error("not as documented: a number is missing or out of range");
    }
    next_ = after;
    return read;
  }

  template <typename Number>
  std::vector<Number> numbers() {
    std::vector<Number> read;
    list([&] { read.push_back(number<Number>()); });
    return read;
  }

  void end() {
    skip_space();
    if (next_ != end_) {
      throw std::runtime_error("not as documented: more than one value");
    }
  }

 private:
  void skip_space() {
    while (next_ != end_ && std::string_view(" \t\r\n").find(*next_) != std::string_view::npos) {
      ++next_;
    }
  }

  // Whether the next character is this one, which then is passed.
  bool skip(char wanted) {
    skip_space();
    if (next_ == end_ || *next_ != wanted) {
      return false;
    }
    ++next_;
    return true;
  }

  void expect(char wanted) {
    if (!skip(wanted)) {
      throw std::runtime_error(std::string("not as documented: '") + wanted + "' is missing");
    }
  }

  template <typename Item>
  void items(char open, char close, Item item) {
    expect(open);
    if (skip(close)) {
      return;
    }
    do {
      item();
    } while (skip(','));
    expect(close);
  }

  std::uint32_t hexadecimal() {
    std::uint32_t read = 0;
    const char* const stop = next_ + std::min<std::ptrdiff_t>(4, end_ - next_);
    const auto [after, error] = std::from_chars(next_, stop, read, 16);
    if (error != std::errc() || after != next_ + 4) {
      throw std::runtime_error("not as documented: \\u without four digits");
    }
    next_ = after;
    return read;
  }

  // After "\u"; what lies above 16 bits is written as two of them.
  std::uint32_t code_point() {
    const std::uint32_t first = hexadecimal();
    if (first < 0xD800 || first >= 0xDC00 || end_ - next_ < 6) {
      return first;
    }
    next_ += 2;
    return 0x10000 + ((first - 0xD800) << 10) + (hexadecimal() - 0xDC00);
  }

  static void append_utf8(std::string& text, std::uint32_t code) {
    if (code < 0x80) {
      text += static_cast<char>(code);
      return;
    }
    const int more = code < 0x800 ? 1 : code < 0x10000 ? 2 : 3;  // bytes after the first
    text += static_cast<char>((0xFF00 >> (more + 1) & 0xFF) | code >> (6 * more));
    for (int byte = more - 1; byte >= 0; --byte) {
      text += static_cast<char>(0x80 | (code >> (6 * byte) & 0x3F));
    }
  }

  const char* next_;
  const char* end_;
};

struct Vector {
  std::string image;
  std::string about;
  std::string label;
  std::vector<std::uint8_t> tensor;  // 0 to 255, height x width x channels
  std::vector<float> probabilities;  // one for each label
};

std::vector<Vector> read_golden(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  if (!file) {
    throw std::runtime_error("cannot be read");
  }
  std::vector<Vector> vectors;
  Json json(text);
  json.list([&] {
    Vector vector;
    json.object([&](const std::string& key) {
      if (key == "tensor") {
        vector.tensor = json.numbers<std::uint8_t>();
      } else if (key == "probabilities") {
        vector.probabilities = json.numbers<float>();
      } else if (key == "tensor_tolerance") {
        json.number<int>();  // is for those that decode the image
      } else {
        (key == "image" ? vector.image : key == "label" ? vector.label : vector.about) =
            json.string();
      }
    });
    vectors.push_back(std::move(vector));
  });
  json.end();
  return vectors;
}

class Model {
 public:
  // Throws Ort::Exception or std::runtime_error for a file that is no such model.
  explicit Model(const std::filesystem::path& path)
      : session_(environment_, path.c_str(), options()),
        given_(session_.GetInputNameAllocated(0, allocator_)),
        answer_(session_.GetOutputNameAllocated(0, allocator_)) {
    const Ort::TypeInfo type = session_.GetInputTypeInfo(0);
    const auto given = type.GetTensorTypeAndShapeInfo();
    if (given.GetElementType() != ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8) {
      throw std::runtime_error("does not take 8-bit values");
    }
    shape_ = given.GetShape();
    shape_.at(0) = 1;  // the batch
    const Ort::AllocatedStringPtr text =
        session_.GetModelMetadata().LookupCustomMetadataMapAllocated("labels", allocator_);
    if (!text) {
      throw std::runtime_error("holds no labels");
    }
    Json json(text.get());
    json.list([&] { labels_.push_back(json.string()); });
  }

  const std::vector<std::string>& labels() const { return labels_; }

  // Of one tensor of the model's shape, row by row: one for each label.
  std::vector<float> probabilities(std::vector<std::uint8_t> tensor) {
    const auto wanted =
        std::accumulate(shape_.begin(), shape_.end(), std::int64_t{1}, std::multiplies<>());
    if (static_cast<std::int64_t>(tensor.size()) != wanted) {
      throw std::runtime_error("takes " + std::to_string(wanted) + " values, not " +
                               std::to_string(tensor.size()));
    }
    const Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
    const Ort::Value given = Ort::Value::CreateTensor<std::uint8_t>(
        memory, tensor.data(), tensor.size(), shape_.data(), shape_.size());
    const char* const given_name = given_.get();
    const char* const answer_name = answer_.get();
    const auto answers = session_.Run(Ort::RunOptions(), &given_name, &given, 1, &answer_name, 1);
    const float* const first = answers[0].GetTensorData<float>();
    const auto count = answers[0].GetTensorTypeAndShapeInfo().GetElementCount();
    if (count != labels_.size()) {
      throw std::runtime_error("gives " + std::to_string(count) + " probabilities for " +
                               std::to_string(labels_.size()) + " labels");
    }
    return {first, first + count};
  }

 private:
  static Ort::SessionOptions options() {
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    return options;
  }

  Ort::Env environment_{ORT_LOGGING_LEVEL_ERROR, "golden"};
  Ort::AllocatorWithDefaultOptions allocator_;
  Ort::Session session_;
  Ort::AllocatedStringPtr given_;
  Ort::AllocatedStringPtr answer_;
  std::vector<std::int64_t> shape_;
  std::vector<std::string> labels_;
};

// Prints a line for the vector; whether it passed.
bool check(Model& model, const Vector& vector) {
  const std::vector<float> found = model.probabilities(vector.tensor);
  if (found.size() != vector.probabilities.size()) {
    throw std::runtime_error("gives " + std::to_string(found.size()) + " probabilities, " +
                             vector.image + " has " + std::to_string(vector.probabilities.size()));
  }
  const auto largest = std::max_element(found.begin(), found.end()) - found.begin();
  // A blank image is "unknown" whatever the model says of it.
  const std::string& label = vector.label == "unknown" ? vector.label : model.labels()[largest];
  bool passed = label == vector.label;
  float worst = 0;
  for (std::size_t i = 0; i < found.size(); ++i) {
    const float difference = std::abs(found[i] - vector.probabilities[i]);
    passed &= difference <= kTolerance;  // which no NaN is
    worst = std::max(worst, difference);
  }
  const std::string name = vector.image + ": " + vector.about;
  std::printf("%-36s %10s  %11.1e  %s\n", name.c_str(), label.c_str(), worst,
              passed ? "ok" : "FAILED");
  return passed;
}

int fail(const std::filesystem::path& path, std::string_view why) {
  const std::string line(why.substr(0, why.find('\n')));
  std::fprintf(stderr, "golden: %s: %s\n", path.string().c_str(), line.c_str());
  return 3;
}

}  // namespace

int main(int count, char** arguments) {
  if (count != 2) {
    std::fprintf(stderr, "usage: golden BUNDLE\n");
    return 2;
  }
  setenv("ORT_DISABLE_TELEMETRY", "1", 1);  // onnxruntime 1.29 and later send it otherwise
  const std::filesystem::path bundle = arguments[1];
  std::filesystem::path path = bundle / "golden" / "golden.json";  // what an error is about
  try {
    const std::vector<Vector> vectors = read_golden(path);
    path = bundle / "model.onnx";
    Model model(path);
    std::printf("%-36s %10s  %11s\n", "golden image", "label", "probability");
    std::size_t passed = 0;
    for (const Vector& vector : vectors) {
      passed += check(model, vector);
    }
    std::printf("\n%zu of %zu golden tensors passed\n", passed, vectors.size());
    return passed == vectors.size() ? 0 : 3;
  } catch (const std::exception& error) {
    return fail(path, error.what());
  }
}
