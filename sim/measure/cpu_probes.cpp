// SPDX-License-Identifier: Apache-2.0
#include "sim/measure/cpu_probes.h"

#include <dlfcn.h>
#include <fmt/format.h>
#include <sys/mman.h>

#include <algorithm>
#include <chrono>
#include <fstream>
#include <memory>
#include <numeric>
#include <random>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

namespace siliscope {
namespace {

/// The least time of several runs: the one that others disturbed least.
template <typename Run>
double LeastSeconds(int times, Run run) {
  double least = 1e300;
  for (int i = 0; i < times; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    least = std::min(least, taken.count());
  }
  return least;
}

/// The compiler may not know a value, nor do without it.
template <typename T>
void Keep(T& value) {
  asm volatile("" : "+r"(value));
}

/// Additions that each wait for the one before take a cycle each.
double ClockHz() {
  constexpr int kTurns = 1'000'000, kChain = 20;
  const double seconds = LeastSeconds(7, [] {
    std::uint64_t x = 1;
    for (int i = 0; i < kTurns; ++i) {
      for (int c = 0; c < kChain; ++c) {
        x += 3;
        Keep(x);
      }
    }
  });
  return kTurns * kChain / seconds;
}

#if defined(__x86_64__)
constexpr int kSums = 16, kTurns = 2'000'000;

/// So many sums as hide the latency of two units, and fit the registers.
__attribute__((target("avx512f"))) void MultiplyAdd512() {
  __m512 sums[kSums];
  for (__m512& s : sums) s = _mm512_set1_ps(1);
  const __m512 a = _mm512_set1_ps(0.5F);
  for (int i = 0; i < kTurns; ++i) {
#pragma GCC unroll 16
    for (int u = 0; u < kSums; ++u) sums[u] = _mm512_fmadd_ps(sums[u], a, a);
  }
  for (__m512& s : sums) asm volatile("" : "+v"(s));
}

__attribute__((target("avx2,fma"))) void MultiplyAdd256() {
  constexpr int kHalf = 12;  // sixteen registers
  __m256 sums[kHalf];
  for (__m256& s : sums) s = _mm256_set1_ps(1);
  const __m256 a = _mm256_set1_ps(0.5F);
  for (int i = 0; i < kTurns / 3 * 4; ++i) {
#pragma GCC unroll 12
    for (int u = 0; u < kHalf; ++u) sums[u] = _mm256_fmadd_ps(sums[u], a, a);
  }
  for (__m256& s : sums) asm volatile("" : "+x"(s));
}

__attribute__((target("avx512f"))) float Sum512(const float* from, std::int64_t count) {
  __m512 sums[8];
  for (__m512& s : sums) s = _mm512_setzero_ps();
  for (std::int64_t i = 0; i < count; i += 128) {
    for (int u = 0; u < 8; ++u)
      sums[u] = _mm512_add_ps(sums[u], _mm512_loadu_ps(from + i + 16 * u));
  }
  for (int u = 1; u < 8; ++u) sums[0] = _mm512_add_ps(sums[0], sums[u]);
  return _mm512_cvtss_f32(sums[0]);
}

__attribute__((target("avx2"))) float Sum256(const float* from, std::int64_t count) {
  __m256 sums[8];
  for (__m256& s : sums) s = _mm256_setzero_ps();
  for (std::int64_t i = 0; i < count; i += 64) {
#pragma GCC unroll 8
    for (int u = 0; u < 8; ++u) sums[u] = _mm256_add_ps(sums[u], _mm256_loadu_ps(from + i + 8 * u));
  }
  for (int u = 1; u < 8; ++u) sums[0] = _mm256_add_ps(sums[0], sums[u]);
  return _mm256_cvtss_f32(sums[0]);
}
#endif

/// The number in a file of /sys, which may end in K or M; 0 = there is none.
std::int64_t NumberIn(const std::string& file) {
  std::ifstream in(file);
  std::int64_t number = 0;
  char unit = ' ';
  if (!(in >> number)) return 0;
  in >> unit;
  return number * (unit == 'K' ? 1024 : unit == 'M' ? 1024 * 1024 : 1);
}

void ReadCaches(CpuProbes* probes) {
  for (int i = 0; i < 8; ++i) {
    const std::string folder = fmt::format("/sys/devices/system/cpu/cpu0/cache/index{}/", i);
    std::ifstream type_file(folder + "type");
    std::string type;
    if (!(type_file >> type) || type == "Instruction") continue;
    CacheSize cache;
    cache.level = static_cast<int>(NumberIn(folder + "level"));
    cache.bytes = NumberIn(folder + "size");
    cache.ways = NumberIn(folder + "ways_of_associativity");
    const std::int64_t line = NumberIn(folder + "coherency_line_size");
    if (line > 0) probes->line_bytes = line;
    if (cache.bytes > 0 && cache.ways > 0) probes->caches.push_back(cache);
  }
  if (probes->caches.empty()) probes->left_out.emplace_back("cache sizes: the system tells none");
}

/// Memory in huge pages where the system gives them.
class Buffer {
 public:
  explicit Buffer(std::int64_t bytes) : bytes_(static_cast<std::size_t>(bytes)) {
    memory_ = mmap(nullptr, bytes_, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    huge_ = memory_ != MAP_FAILED && madvise(memory_, bytes_, MADV_HUGEPAGE) == 0;
  }
  Buffer(const Buffer&) = delete;
  Buffer& operator=(const Buffer&) = delete;
  ~Buffer() {
    if (memory_ != MAP_FAILED) munmap(memory_, bytes_);
  }
  bool exists() const { return memory_ != MAP_FAILED; }
  bool huge() const { return huge_; }
  void* get() const { return memory_; }

 private:
  std::size_t bytes_;
  void* memory_ = MAP_FAILED;
  bool huge_ = false;
};

constexpr std::int64_t kLargest = 64 << 20;  ///< bytes of the largest working set

void ProbeLatency(const Buffer& buffer, CpuProbes* probes) {
  std::mt19937_64 random(1);
  for (std::int64_t bytes = 16 << 10; bytes <= kLargest; bytes *= 2) {
    const std::int64_t line = probes->line_bytes, lines = bytes / line;
    std::vector<std::int64_t> order(static_cast<std::size_t>(lines));
    std::iota(order.begin(), order.end(), 0);
    std::shuffle(order.begin(), order.end(), random);
    char* base = static_cast<char*>(buffer.get());
    for (std::size_t i = 0; i < order.size(); ++i) {
      const std::int64_t next = order[(i + 1) % order.size()];
      *reinterpret_cast<void**>(base + order[i] * line) = base + next * line;
    }
    const std::int64_t loads = std::clamp<std::int64_t>(lines * 2, 1 << 16, 1 << 20);
    void* at = base;
    const double seconds = LeastSeconds(4, [&] {
      for (std::int64_t i = 0; i < loads; ++i) {
        at = *static_cast<void**>(at);
        Keep(at);
      }
    });
    probes->latency.push_back({bytes, loads, seconds});
  }
}

void ProbeBandwidth(const Buffer& buffer, CpuProbes* probes) {
#if defined(__x86_64__)
  const auto* from = static_cast<const float*>(buffer.get());
  for (std::int64_t bytes = 16 << 10; bytes <= kLargest; bytes *= 2) {
    const std::int64_t rounds = std::max<std::int64_t>(2, (16 << 20) / bytes);
    float sum = 0;
    const double seconds = LeastSeconds(4, [&] {
      for (std::int64_t r = 0; r < rounds; ++r) {
        sum += probes->vector_bytes == 64 ? Sum512(from, bytes / 4) : Sum256(from, bytes / 4);
        asm volatile("" ::: "memory");  // it is read anew
      }
    });
    asm volatile("" : "+x"(sum));
    probes->bandwidth.push_back({bytes, rounds, seconds});
  }
#else
  (void)buffer;
  probes->left_out.emplace_back("bandwidth: vectors of this architecture are not known");
#endif
}

void ProbeMultiplyAdd(CpuProbes* probes) {
#if defined(__x86_64__)
  double flops = 0;
  if (__builtin_cpu_supports("avx512f") != 0) {
    probes->vector_bytes = 64;
    flops = 2.0 * 16 * kSums * kTurns / LeastSeconds(5, &MultiplyAdd512);
  } else if (__builtin_cpu_supports("avx2") != 0 && __builtin_cpu_supports("fma") != 0) {
    probes->vector_bytes = 32;
    flops = 2.0 * 8 * kSums * kTurns / LeastSeconds(5, &MultiplyAdd256);
  }
  probes->flops_per_cycle = flops / probes->clock_hz;
#endif
  if (probes->vector_bytes == 0) {
    probes->left_out.emplace_back("peak: neither AVX2 with FMA nor AVX-512");
  }
}

void ProbeProducts(CpuProbes* probes) {
  const auto close = [](void* library) { dlclose(library); };
  const std::unique_ptr<void, decltype(close)> library(dlopen("libopenblas.so.0", RTLD_NOW), close);
  using Gemm = void (*)(int, int, int, int, int, int, float, const float*, int, const float*, int,
                        float, float*, int);
  const auto gemm =
      library == nullptr ? nullptr : reinterpret_cast<Gemm>(dlsym(library.get(), "cblas_sgemm"));
  if (gemm == nullptr) {
    probes->left_out.emplace_back("products: OpenBLAS is not installed (libopenblas0)");
    return;
  }
  const auto threads =
      reinterpret_cast<void (*)(int)>(dlsym(library.get(), "openblas_set_num_threads"));
  if (threads != nullptr) threads(1);
  const auto config = reinterpret_cast<char* (*)()>(dlsym(library.get(), "openblas_get_config"));
  probes->library = config == nullptr ? "OpenBLAS" : config();
  const std::int64_t shapes[][3] = {{64, 64, 64},    {192, 192, 192}, {512, 512, 512},
                                    {8, 1024, 1024}, {64, 1024, 512}, {1024, 1024, 128}};
  for (const auto& [m, n, k] : shapes) {
    std::vector<float> a(static_cast<std::size_t>(m * k), 1), b(static_cast<std::size_t>(k * n), 1),
        c(static_cast<std::size_t>(m * n));
    const auto mi = static_cast<int>(m), ni = static_cast<int>(n), ki = static_cast<int>(k);
    const std::int64_t calls = std::max<std::int64_t>(1, 20'000'000 / (m * n * k));
    const double seconds = LeastSeconds(7, [&, mi = mi, ni = ni, ki = ki] {
      constexpr int kRowMajor = 101, kPlain = 111;
      for (std::int64_t i = 0; i < calls; ++i) {
        gemm(kRowMajor, kPlain, kPlain, mi, ni, ki, 1, a.data(), ki, b.data(), ni, 0, c.data(), ni);
      }
    });
    probes->products.push_back({m, n, k, seconds / static_cast<double>(calls)});
  }
}

}  // namespace

CpuProbes ProbeCpu(void (*progress)(const std::string&)) {
  CpuProbes probes;
  progress("clock and peak");
  probes.clock_hz = ClockHz();
  ProbeMultiplyAdd(&probes);
  ReadCaches(&probes);
  const Buffer buffer(kLargest);
  if (!buffer.exists()) {
    probes.left_out.emplace_back("latency and bandwidth: no memory for 64 MiB");
  } else {
    probes.huge_pages = buffer.huge();
    if (!buffer.huge()) {
      probes.left_out.emplace_back(
          "huge pages: refused, so latencies beyond the caches hold walks");
    }
    progress("latency by working set");
    ProbeLatency(buffer, &probes);
    progress("bandwidth by working set");
    if (probes.vector_bytes > 0) ProbeBandwidth(buffer, &probes);
  }
  progress("products");
  ProbeProducts(&probes);
  return probes;
}

}  // namespace siliscope
