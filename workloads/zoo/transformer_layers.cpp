// SPDX-License-Identifier: Apache-2.0
// One layer of well-known transformers, at any batch and length: `--seq` tokens are computed, and
// `--dim past=N` more stand in the key-value cache (prefill: none; decode: --seq 1 --dim past=N).
//   bert_base_layer  Devlin et al., NAACL 2019, section 3: hidden 768, 12 heads, inner 3072.
//   gpt3_layer       Brown et al., NeurIPS 2020, Table 2.1 (175B): hidden 12288, 96 heads.
//   llama2_7b_layer  Touvron et al., 2023, and the model's card: hidden 4096, 32 heads, inner
//   11008. llama3_8b_layer  Grattafiori et al., 2024, Table 3: hidden 4096, 32 heads, 8 for keys
//   and values,
//                    inner 14336.
#include <cmath>

#include "workloads/zoo/network.h"

namespace siliscope {
namespace {

struct LayerShape {
  std::int64_t hidden, heads, kv_heads, inner;
  std::int64_t usual_length;
};

class TransformerLayer {
 public:
  TransformerLayer(const std::string& name, const LayerShape& shape, const WorkloadRequest& request)
      : net_(name), shape_(shape) {
    batch_ = request.batch > 0 ? request.batch : 1;
    length_ = request.sequence > 0 ? request.sequence : shape.usual_length;
    const auto past = request.dimensions.find("past");
    past_ = past == request.dimensions.end() ? 0 : past->second;
    depth_ = shape.hidden / shape.heads;
  }

  /// Normalised after each half, GELU between two products.
  Graph Bert() {
    const TensorId x = net_.Input("x", {batch_, length_, shape_.hidden});
    TensorId y = net_.Function("residual1", "add", {x, Attention(x, false)});
    y = net_.LayerNorm("norm1", y);
    const TensorId z = net_.Function("residual2", "add", {y, GeluMlp(y)});
    return net_.Finish(net_.LayerNorm("norm2", z));
  }

  /// Normalised before each half.
  Graph Gpt() {
    const TensorId x = net_.Input("x", {batch_, length_, shape_.hidden});
    const TensorId y =
        net_.Function("residual1", "add", {x, Attention(net_.LayerNorm("norm1", x), false)});
    return net_.Finish(net_.Function("residual2", "add", {y, GeluMlp(net_.LayerNorm("norm2", y))}));
  }

  /// RMS norms, rotary positions, a gated inner product.
  Graph Llama() {
    const TensorId x = net_.Input("x", {batch_, length_, shape_.hidden});
    const TensorId y =
        net_.Function("residual1", "add", {x, Attention(net_.RmsNorm("norm1", x), true)});
    const TensorId h = net_.RmsNorm("norm2", y);
    const TensorId gate = net_.FullyConnected("gate_proj", h, shape_.inner, "silu");
    const TensorId up = net_.FullyConnected("up_proj", h, shape_.inner, "");
    const TensorId z = net_.Function("gated", "mul", {gate, up});
    return net_.Finish(net_.Function("residual2", "add",
                                     {y, net_.FullyConnected("down_proj", z, shape_.hidden, "")}));
  }

 private:
  /// [batch, length, heads x depth] to [batch, heads, length, depth].
  TensorId Split(const std::string& name, TensorId x, std::int64_t heads) {
    const TensorId y = net_.Reshape(name + ".heads", x, {batch_, length_, heads, depth_});
    return net_.Transpose(name + ".transpose", y, {0, 2, 1, 3});
  }

  TensorId Rotate(const std::string& name, TensorId x) {
    return net_.Rotary(name, x, net_.Weight(name + ".cos", {length_, depth_}),
                       net_.Weight(name + ".sin", {length_, depth_}));
  }

  /// What the cache holds before the new keys or values.
  TensorId WithPast(const std::string& name, TensorId x) {
    if (past_ == 0) return x;
    const TensorId cached = net_.Input(name + "_cache", {batch_, shape_.kv_heads, past_, depth_});
    return net_.Concat(name + ".cached", {cached, x}, 2);
  }

  TensorId Attention(TensorId x, bool rotary) {
    TensorId q = Split("q_proj", net_.FullyConnected("q_proj", x, shape_.hidden, ""), shape_.heads);
    const std::int64_t kv = shape_.kv_heads * depth_;
    TensorId k = Split("k_proj", net_.FullyConnected("k_proj", x, kv, ""), shape_.kv_heads);
    TensorId v = Split("v_proj", net_.FullyConnected("v_proj", x, kv, ""), shape_.kv_heads);
    if (rotary) {
      q = Rotate("q_rope", q);
      k = Rotate("k_rope", k);
    }
    k = WithPast("k", k);
    v = WithPast("v", v);
    TensorId y = net_.Attention("attention", q, k, v, 1 / std::sqrt(static_cast<double>(depth_)));
    y = net_.Transpose("merge.transpose", y, {0, 2, 1, 3});
    y = net_.Reshape("merge", y, {batch_, length_, shape_.hidden});
    return net_.FullyConnected("o_proj", y, shape_.hidden, "");
  }

  TensorId GeluMlp(TensorId x) {
    const TensorId y = net_.FullyConnected("fc1", x, shape_.inner, "gelu");
    return net_.FullyConnected("fc2", y, shape_.hidden, "");
  }

  NetworkBuilder net_;
  LayerShape shape_;
  std::int64_t batch_, length_, past_, depth_;
};

constexpr LayerShape kBertBase = {768, 12, 12, 3072, 128};
constexpr LayerShape kGpt3 = {12288, 96, 96, 49152, 2048};
constexpr LayerShape kLlama2 = {4096, 32, 32, 11008, 2048};
constexpr LayerShape kLlama3 = {4096, 32, 8, 14336, 2048};

Graph BertBase(const WorkloadRequest& request) {
  return TransformerLayer("bert_base_layer", kBertBase, request).Bert();
}
Graph Gpt3(const WorkloadRequest& request) {
  return TransformerLayer("gpt3_layer", kGpt3, request).Gpt();
}
Graph Llama2(const WorkloadRequest& request) {
  return TransformerLayer("llama2_7b_layer", kLlama2, request).Llama();
}
Graph Llama3(const WorkloadRequest& request) {
  return TransformerLayer("llama3_8b_layer", kLlama3, request).Llama();
}

auto& registry = ZooRegistry::Instance();
const bool kBertBaseLayer = registry.Add(
    "bert_base_layer", {"one layer of BERT base, --seq 128", &BertBase, true, {"past"}});
const bool kGpt3Layer =
    registry.Add("gpt3_layer", {"one layer of GPT-3 175B, --seq 2048", &Gpt3, true, {"past"}});
const bool kLlama2Layer = registry.Add(
    "llama2_7b_layer", {"one layer of Llama 2 7B, --seq 2048 (decode: --seq 1 --dim past=N)",
                        &Llama2,
                        true,
                        {"past"}});
const bool kLlama3Layer = registry.Add(
    "llama3_8b_layer", {"one layer of Llama 3 8B, --seq 2048 (decode: --seq 1 --dim past=N)",
                        &Llama3,
                        true,
                        {"past"}});

}  // namespace
}  // namespace siliscope
