// Loads a SavedModel and asks it for image files, with the functions that TensorFlow Serving uses for both.
//
//   load_saved_model FOLDER SIGNATURE IMAGE...
//
// Prints a line an output: its name, then all its values, between tabs.

#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>
#include <vector>

#include "tensorflow/cc/saved_model/loader.h"

namespace tf = tensorflow;

int fail(const absl::Status& status) {
  std::fprintf(stderr, "%s\n", status.ToString().c_str());
  return 1;
}

int main(int argc, char** argv) {
  tf::SavedModelBundle bundle;
  absl::Status status = tf::LoadSavedModel(tf::SessionOptions(), tf::RunOptions(), argv[1],
                                           {"serve"}, &bundle);
  if (!status.ok()) return fail(status);
  const tf::SignatureDef& signature = bundle.GetSignatures().at(argv[2]);

  const int images = argc - 3;
  tf::Tensor input(tf::DT_STRING, tf::TensorShape({images}));
  for (int i = 0; i < images; ++i) {
    std::ifstream file(argv[3 + i], std::ios::binary);
    input.flat<tf::tstring>()(i) = std::string(std::istreambuf_iterator<char>(file), {});
  }
  std::vector<std::string> names, tensors;
  for (const auto& output : signature.outputs()) {
    names.push_back(output.first);
    tensors.push_back(output.second.name());
  }
  std::vector<tf::Tensor> outputs;
  status = bundle.GetSession()->Run({{signature.inputs().at("image_bytes").name(), input}}, tensors, {}, &outputs);
  if (!status.ok()) return fail(status);

  for (size_t i = 0; i < outputs.size(); ++i) {
    std::printf("%s", names[i].c_str());
    for (int64_t j = 0; j < outputs[i].NumElements(); ++j) {
      switch (outputs[i].dtype()) {
        case tf::DT_FLOAT: std::printf("\t%.9g", outputs[i].flat<float>()(j)); break;
        case tf::DT_BOOL: std::printf("\t%d", outputs[i].flat<bool>()(j)); break;
        case tf::DT_STRING: std::printf("\t%s", outputs[i].flat<tf::tstring>()(j).c_str()); break;
        default: std::fprintf(stderr, "%s: another type\n", names[i].c_str()); return 1;
      }
    }
    std::printf("\n");
  }
}
