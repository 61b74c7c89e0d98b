// SPDX-License-Identifier: Apache-2.0
// One layer of well-known transformers (or `--dim layers=N`), at any batch and length: `--seq`
// tokens are computed, and `--dim past=N` more stand in the key-value cache (prefill: none; decode:
// --seq 1 --dim past=N).
//   bert_base_layer  Devlin et al., NAACL 2019, section 3: hidden 768, 12 heads, inner 3072.
//   gpt3_layer       Brown et al., NeurIPS 2020, Table 2.1 (175B): hidden 12288, 96 heads.
//   llama2_7b_layer  Touvron et al., 2023, and the model's card: hidden 4096, 32 heads, inner
//   11008. llama3_8b_layer  Grattafiori et al., 2024, Table 3: hidden 4096, 32 heads, 8 for keys
//   and values, inner 14336.
//   mixtral_8x7b_layer  Jiang et al., 2024, Table 1: the same with 8 experts, 2 for each token.
#include <algorithm>
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
    const auto layers = request.dimensions.find("layers");
    if (layers != request.dimensions.end()) layers_ = layers->second;
  }

  /// Normalised after each half, GELU between two products.
  Graph Bert() {
    return Layers([this](TensorId x) {
      TensorId y = net_.Function(At("residual1"), "add", {x, Attention(x, false)});
      y = net_.LayerNorm(At("norm1"), y);
      const TensorId z = net_.Function(At("residual2"), "add", {y, GeluMlp(y)});
      return net_.LayerNorm(At("norm2"), z);
    });
  }

  /// Normalised before each half.
  Graph Gpt() {
    return Layers([this](TensorId x) {
      const TensorId y = net_.Function(At("residual1"), "add",
                                       {x, Attention(net_.LayerNorm(At("norm1"), x), false)});
      return net_.Function(At("residual2"), "add", {y, GeluMlp(net_.LayerNorm(At("norm2"), y))});
    });
  }

  /// RMS norms, rotary positions, a gated inner product.
  Graph Llama() {
    return Layers([this](TensorId x) {
      const TensorId y =
          net_.Function(At("residual1"), "add", {x, Attention(net_.RmsNorm(At("norm1"), x), true)});
      const TensorId h = net_.RmsNorm(At("norm2"), y);
      const TensorId gate = net_.FullyConnected(At("gate_proj"), h, shape_.inner, "silu");
      const TensorId up = net_.FullyConnected(At("up_proj"), h, shape_.inner, "");
      const TensorId z = net_.Function(At("gated"), "mul", {gate, up});
      return net_.Function(At("residual2"), "add",
                           {y, net_.FullyConnected(At("down_proj"), z, shape_.hidden, "")});
    });
  }

  /// The same with experts in place of the inner product.
  Graph Mixtral() {
    return Layers([this](TensorId x) {
      const TensorId y =
          net_.Function(At("residual1"), "add", {x, Attention(net_.RmsNorm(At("norm1"), x), true)});
      return net_.Function(At("residual2"), "add", {y, Mixture(net_.RmsNorm(At("norm2"), y))});
    });
  }

 private:
  template <typename Layer>
  Graph Layers(const Layer& layer) {
    TensorId x = net_.Input("x", {batch_, length_, shape_.hidden});
    for (at_ = 0; at_ < layers_; ++at_) x = layer(x);
    return net_.Finish(x);
  }

  /// An operator's name in the layer that is being built.
  std::string At(const std::string& name) const {
    return layers_ == 1 ? name : "layer" + std::to_string(at_) + "." + name;
  }

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
    const TensorId cached = net_.State(name + "_cache", {batch_, shape_.kv_heads, past_, depth_});
    return net_.Concat(name + ".cached", {cached, x}, 2);
  }

  TensorId Attention(TensorId x, bool rotary) {
    TensorId q =
        Split(At("q_proj"), net_.FullyConnected(At("q_proj"), x, shape_.hidden, ""), shape_.heads);
    const std::int64_t kv = shape_.kv_heads * depth_;
    TensorId k = Split(At("k_proj"), net_.FullyConnected(At("k_proj"), x, kv, ""), shape_.kv_heads);
    TensorId v = Split(At("v_proj"), net_.FullyConnected(At("v_proj"), x, kv, ""), shape_.kv_heads);
    if (rotary) {
      q = Rotate(At("q_rope"), q);
      k = Rotate(At("k_rope"), k);
    }
    k = WithPast(At("k"), k);
    v = WithPast(At("v"), v);
    TensorId y =
        net_.Attention(At("attention"), q, k, v, 1 / std::sqrt(static_cast<double>(depth_)));
    y = net_.Transpose(At("merge.transpose"), y, {0, 2, 1, 3});
    y = net_.Reshape(At("merge"), y, {batch_, length_, shape_.hidden});
    return net_.FullyConnected(At("o_proj"), y, shape_.hidden, "");
  }

  TensorId GeluMlp(TensorId x) {
    const TensorId y = net_.FullyConnected(At("fc1"), x, shape_.inner, "gelu");
    return net_.FullyConnected(At("fc2"), y, shape_.hidden, "");
  }

  /// The router's choice, rows of each expert together, the experts, and rows back to their tokens.
  /// Tokens are taken to be spread evenly over the experts; of few tokens each goes to others.
  TensorId Mixture(TensorId x) {
    const std::int64_t tokens = batch_ * length_;
    const TensorId scores =
        net_.Softmax(At("router.softmax"), net_.Replicated(At("router"), x, kExperts));
    const TensorId chosen = net_.Reduce(At("router.top_k"), "max", scores, 2);
    const TensorId rows = net_.Reshape(At("tokens"), x, {tokens, shape_.hidden});
    const std::int64_t experts = std::min(kExperts, tokens * kExpertsOfToken);
    const std::int64_t each = (tokens * kExpertsOfToken + experts - 1) / experts;
    const TensorId sorted = net_.Gather(At("dispatch"), rows, {experts, each});
    const TensorId gate = net_.Experts(At("experts.gate_proj"), sorted, shape_.inner, "silu");
    const TensorId up = net_.Experts(At("experts.up_proj"), sorted, shape_.inner, "");
    const TensorId inner = net_.Function(At("experts.gated"), "mul", {gate, up});
    TensorId y = net_.Experts(At("experts.down_proj"), inner, shape_.hidden, "");
    y = net_.Reshape(At("expert_rows"), y, {experts * each, shape_.hidden});
    y = net_.Gather(At("combine"), y, {tokens, kExpertsOfToken});
    y = net_.Reduce(At("combine.sum"), "sum", y, 1);
    y = net_.Reshape(At("combined"), y, {batch_, length_, shape_.hidden});
    const TensorId weights = net_.Reshape(At("router.weights"), chosen, {batch_, length_, 1});
    return net_.Function(At("combine.scale"), "mul", {y, weights});
  }

  static constexpr std::int64_t kExperts = 8, kExpertsOfToken = 2;

  NetworkBuilder net_;
  LayerShape shape_;
  std::int64_t batch_, length_, past_, depth_, layers_ = 1, at_ = 0;
};

constexpr LayerShape kBertBase = {768, 12, 12, 3072, 128};
constexpr LayerShape kGpt3 = {12288, 96, 96, 49152, 2048};
constexpr LayerShape kLlama2 = {4096, 32, 32, 11008, 2048};
constexpr LayerShape kMixtral = {4096, 32, 8, 14336, 2048};
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
Graph Mixtral(const WorkloadRequest& request) {
  return TransformerLayer("mixtral_8x7b_layer", kMixtral, request).Mixtral();
}

auto& registry = ZooRegistry::Instance();
const bool kBertBaseLayer = registry.Add(
    "bert_base_layer", {"one layer of BERT base, --seq 128", &BertBase, true, {"past", "layers"}});
const bool kGpt3Layer = registry.Add(
    "gpt3_layer", {"one layer of GPT-3 175B, --seq 2048", &Gpt3, true, {"past", "layers"}});
const bool kLlama2Layer = registry.Add(
    "llama2_7b_layer", {"one layer of Llama 2 7B, --seq 2048 (decode: --seq 1 --dim past=N)",
                        &Llama2,
                        true,
                        {"past", "layers"}});
const bool kLlama3Layer = registry.Add(
    "llama3_8b_layer", {"one layer of Llama 3 8B, --seq 2048 (decode: --seq 1 --dim past=N)",
                        &Llama3,
                        true,
                        {"past", "layers"}});
const bool kMixtralLayer = registry.Add(
    "mixtral_8x7b_layer",
    {"one layer of Mixtral 8x7B, 2 of 8 experts a token, --seq 2048 (decode: --seq 1 --dim past=N)",
     &Mixtral,
     true,
     {"past", "layers"}});

}  // namespace
}  // namespace siliscope
