#include "CTensorKernels.h"

#include <math.h>

#if defined(__x86_64__)

#include <immintrin.h>

#define AVX2 __attribute__((target("avx2,fma")))

bool pdsweep_has_avx2(void) {
  return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
}

AVX2 static inline float horizontal_sum(__m256 v) {
  __m128 low = _mm_add_ps(_mm256_castps256_ps128(v), _mm256_extractf128_ps(v, 1));
  low = _mm_add_ps(low, _mm_movehl_ps(low, low));
  low = _mm_add_ss(low, _mm_movehdup_ps(low));
  return _mm_cvtss_f32(low);
}

// exp(x) to about 1e-7 relative: x = k ln 2 + r with |r| <= ln 2 / 2, exp(r) by its Taylor series to r^7,
// scaled by 2^k in two halves so that results down to the subnormals come out right. Below -104 the result is 0,
// above 88.72 it is infinite.
AVX2 static inline __m256 exp8(__m256 x) {
  const __m256 bounded = _mm256_max_ps(_mm256_min_ps(x, _mm256_set1_ps(89.0f)), _mm256_set1_ps(-105.0f));
  const __m256 k = _mm256_round_ps(
      _mm256_mul_ps(bounded, _mm256_set1_ps(1.44269504088896341f)), _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
  __m256 r = _mm256_fnmadd_ps(k, _mm256_set1_ps(0.693359375f), bounded);
  r = _mm256_fnmadd_ps(k, _mm256_set1_ps(-2.12194440e-4f), r);
  __m256 p = _mm256_set1_ps(1.0f / 5040);
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 720));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 120));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 24));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f / 6));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(0.5f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  p = _mm256_fmadd_ps(p, r, _mm256_set1_ps(1.0f));
  const __m256i exponent = _mm256_cvtps_epi32(k);
  const __m256i first = _mm256_srai_epi32(exponent, 1);
  const __m256i second = _mm256_sub_epi32(exponent, first);
  const __m256i bias = _mm256_set1_epi32(127);
  p = _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(first, bias), 23)));
  p = _mm256_mul_ps(p, _mm256_castsi256_ps(_mm256_slli_epi32(_mm256_add_epi32(second, bias), 23)));
  // max and min above drop a NaN; it has to come through, for divergence is recognised by it.
  return _mm256_blendv_ps(p, x, _mm256_cmp_ps(x, x, _CMP_UNORD_Q));
}

AVX2 static inline __m256i tail_mask(size_t rest) {
  static const int lanes[16] = {-1, -1, -1, -1, -1, -1, -1, -1, 0, 0, 0, 0, 0, 0, 0, 0};
  return _mm256_loadu_si256((const __m256i *)(lanes + 8 - rest));
}

AVX2 static inline __m256 keep(__m256 v, __m256i mask) {
  return _mm256_and_ps(v, _mm256_castsi256_ps(mask));
}

// Runs BODY over the row: whole vectors with MASKED = 0, then at most one part with MASKED = 1 and `mask` set.
#define FOR_ROW(BODY)                                              \
  size_t i = 0;                                                    \
  for (; i + 8 <= n; i += 8) {                                     \
    BODY(_mm256_loadu_ps, _mm256_storeu_ps, IDENTITY)              \
  }                                                                \
  if (i < n) {                                                     \
    const __m256i mask = tail_mask(n - i);                         \
    BODY(MASKED_LOAD, MASKED_STORE, MASKED_KEEP)                   \
  }
#define IDENTITY(v) (v)
#define MASKED_LOAD(p) _mm256_maskload_ps((p), mask)
#define MASKED_STORE(p, v) _mm256_maskstore_ps((p), mask, (v))
#define MASKED_KEEP(v) keep((v), mask)

AVX2 float pdsweep_max(const float *x, size_t n) {
  __m256 a = _mm256_set1_ps(-INFINITY), b = a;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    a = _mm256_max_ps(a, _mm256_loadu_ps(x + i));
    b = _mm256_max_ps(b, _mm256_loadu_ps(x + i + 8));
  }
  a = _mm256_max_ps(a, b);
  float lanes[8], best = -INFINITY;
  _mm256_storeu_ps(lanes, a);
  for (int j = 0; j < 8; j++) best = lanes[j] > best ? lanes[j] : best;
  for (; i < n; i++) best = x[i] > best ? x[i] : best;
  return best;
}

AVX2 float pdsweep_exp_sum(const float *x, size_t n, float shift) {
  const __m256 s = _mm256_set1_ps(shift);
  __m256 a = _mm256_setzero_ps(), b = a;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    a = _mm256_add_ps(a, exp8(_mm256_sub_ps(_mm256_loadu_ps(x + i), s)));
    b = _mm256_add_ps(b, exp8(_mm256_sub_ps(_mm256_loadu_ps(x + i + 8), s)));
  }
  for (; i < n; i += 8) {
    const __m256i mask = tail_mask(n - i < 8 ? n - i : 8);
    a = _mm256_add_ps(a, keep(exp8(_mm256_sub_ps(_mm256_maskload_ps(x + i, mask), s)), mask));
  }
  return horizontal_sum(_mm256_add_ps(a, b));
}

AVX2 float pdsweep_exp_in_place(float *x, size_t n, float shift) {
  const __m256 s = _mm256_set1_ps(shift);
  __m256 a = _mm256_setzero_ps(), b = a;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256 p = exp8(_mm256_sub_ps(_mm256_loadu_ps(x + i), s));
    const __m256 q = exp8(_mm256_sub_ps(_mm256_loadu_ps(x + i + 8), s));
    _mm256_storeu_ps(x + i, p);
    _mm256_storeu_ps(x + i + 8, q);
    a = _mm256_add_ps(a, p);
    b = _mm256_add_ps(b, q);
  }
  for (; i < n; i += 8) {
    const __m256i mask = tail_mask(n - i < 8 ? n - i : 8);
    const __m256 p = keep(exp8(_mm256_sub_ps(_mm256_maskload_ps(x + i, mask), s)), mask);
    _mm256_maskstore_ps(x + i, mask, p);
    a = _mm256_add_ps(a, p);
  }
  return horizontal_sum(_mm256_add_ps(a, b));
}

AVX2 void pdsweep_scale_offset(float *x, size_t n, float scale, float offset) {
  const __m256 s = _mm256_set1_ps(scale), o = _mm256_set1_ps(offset);
#define BODY(LOAD, STORE, KEEP) STORE(x + i, _mm256_fmadd_ps(LOAD(x + i), s, o));
  FOR_ROW(BODY)
#undef BODY
}

AVX2 float pdsweep_sum(const float *x, size_t n) {
  __m256 a = _mm256_setzero_ps();
#define BODY(LOAD, STORE, KEEP) a = _mm256_add_ps(a, LOAD(x + i));
  FOR_ROW(BODY)
#undef BODY
  return horizontal_sum(a);
}

AVX2 float pdsweep_dot(const float *x, const float *y, size_t n) {
  __m256 a = _mm256_setzero_ps(), b = a;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    a = _mm256_fmadd_ps(_mm256_loadu_ps(x + i), _mm256_loadu_ps(y + i), a);
    b = _mm256_fmadd_ps(_mm256_loadu_ps(x + i + 8), _mm256_loadu_ps(y + i + 8), b);
  }
  for (; i < n; i += 8) {
    const __m256i mask = tail_mask(n - i < 8 ? n - i : 8);
    a = _mm256_fmadd_ps(_mm256_maskload_ps(x + i, mask), _mm256_maskload_ps(y + i, mask), a);
  }
  return horizontal_sum(_mm256_add_ps(a, b));
}

AVX2 void pdsweep_add_scaled(float *y, const float *x, size_t n, float scale) {
  const __m256 s = _mm256_set1_ps(scale);
#define BODY(LOAD, STORE, KEEP) STORE(y + i, _mm256_fmadd_ps(LOAD(x + i), s, LOAD(y + i)));
  FOR_ROW(BODY)
#undef BODY
}

AVX2 float pdsweep_forward_kl(
    const float *edited, float edited_lse, const float *base, float base_lse, size_t n, float weight,
    float *gradient) {
  const __m256 e = _mm256_set1_ps(edited_lse), b = _mm256_set1_ps(base_lse), w = _mm256_set1_ps(weight);
  __m256 total = _mm256_setzero_ps();
  if (gradient) {
#define BODY(LOAD, STORE, KEEP)                                               \
  const __m256 le = _mm256_sub_ps(LOAD(edited + i), e);                       \
  const __m256 lb = _mm256_sub_ps(LOAD(base + i), b);                         \
  const __m256 pe = exp8(le), pb = KEEP(exp8(lb));                            \
  total = _mm256_fmadd_ps(pb, _mm256_sub_ps(lb, le), total);                  \
  STORE(gradient + i, _mm256_mul_ps(w, _mm256_sub_ps(pe, pb)));
    FOR_ROW(BODY)
#undef BODY
  } else {
#define BODY(LOAD, STORE, KEEP)                                               \
  const __m256 le = _mm256_sub_ps(LOAD(edited + i), e);                       \
  const __m256 lb = _mm256_sub_ps(LOAD(base + i), b);                         \
  total = _mm256_fmadd_ps(KEEP(exp8(lb)), _mm256_sub_ps(lb, le), total);
    FOR_ROW(BODY)
#undef BODY
  }
  return horizontal_sum(total);
}

AVX2 float pdsweep_reverse_kl(
    const float *edited, float edited_lse, const float *base, float base_lse, size_t n) {
  const __m256 e = _mm256_set1_ps(edited_lse), b = _mm256_set1_ps(base_lse);
  __m256 total = _mm256_setzero_ps();
#define BODY(LOAD, STORE, KEEP)                                               \
  const __m256 le = _mm256_sub_ps(LOAD(edited + i), e);                       \
  const __m256 lb = _mm256_sub_ps(LOAD(base + i), b);                         \
  total = _mm256_fmadd_ps(KEEP(exp8(le)), _mm256_sub_ps(le, lb), total);
  FOR_ROW(BODY)
#undef BODY
  return horizontal_sum(total);
}

AVX2 void pdsweep_reverse_kl_gradient(
    float *edited, float edited_lse, const float *base, float base_lse, size_t n, float weight, float kl) {
  const __m256 e = _mm256_set1_ps(edited_lse), b = _mm256_set1_ps(base_lse);
  const __m256 w = _mm256_set1_ps(weight), k = _mm256_set1_ps(kl);
#define BODY(LOAD, STORE, KEEP)                                                         \
  const __m256 le = _mm256_sub_ps(LOAD(edited + i), e);                                 \
  const __m256 lb = _mm256_sub_ps(LOAD(base + i), b);                                   \
  const __m256 pull = _mm256_sub_ps(_mm256_sub_ps(le, lb), k);                          \
  STORE(edited + i, _mm256_mul_ps(_mm256_mul_ps(w, exp8(le)), pull));
  FOR_ROW(BODY)
#undef BODY
}

#define GELU_C 0.7978845608028654f
#define GELU_A 0.044715f

// sigmoid(2 u), u = c x (1 + a x^2).
AVX2 static inline __m256 gelu_gate(__m256 x, __m256 squared) {
  const __m256 inner = _mm256_fmadd_ps(squared, _mm256_set1_ps(GELU_A), _mm256_set1_ps(1.0f));
  const __m256 minus_two_u = _mm256_mul_ps(_mm256_mul_ps(x, _mm256_set1_ps(-2.0f * GELU_C)), inner);
  const __m256 one = _mm256_set1_ps(1.0f);
  return _mm256_div_ps(one, _mm256_add_ps(one, exp8(minus_two_u)));
}

AVX2 void pdsweep_gelu(const float *x, float *out, size_t n) {
#define BODY(LOAD, STORE, KEEP)                                               \
  const __m256 v = LOAD(x + i);                                               \
  STORE(out + i, _mm256_mul_ps(v, gelu_gate(v, _mm256_mul_ps(v, v))));
  FOR_ROW(BODY)
#undef BODY
}

AVX2 void pdsweep_gelu_backward(const float *x, float *gradient, size_t n) {
  const __m256 one = _mm256_set1_ps(1.0f);
#define BODY(LOAD, STORE, KEEP)                                                                        \
  const __m256 v = LOAD(x + i);                                                                        \
  const __m256 squared = _mm256_mul_ps(v, v);                                                          \
  const __m256 gate = gelu_gate(v, squared);                                                           \
  const __m256 slope = _mm256_mul_ps(                                                                  \
      _mm256_set1_ps(2.0f * GELU_C), _mm256_fmadd_ps(squared, _mm256_set1_ps(3.0f * GELU_A), one));    \
  const __m256 bend = _mm256_mul_ps(_mm256_mul_ps(v, slope), _mm256_mul_ps(gate, _mm256_sub_ps(one, gate))); \
  STORE(gradient + i, _mm256_mul_ps(LOAD(gradient + i), _mm256_add_ps(gate, bend)));
  FOR_ROW(BODY)
#undef BODY
}

AVX2 void pdsweep_rms_scale(const float *x, const float *weight, float inverse, float *out, size_t n) {
  const __m256 s = _mm256_set1_ps(inverse);
#define BODY(LOAD, STORE, KEEP) \
  STORE(out + i, _mm256_mul_ps(LOAD(weight + i), _mm256_mul_ps(LOAD(x + i), s)));
  FOR_ROW(BODY)
#undef BODY
}

AVX2 void pdsweep_rms_backward(
    const float *dy, const float *weight, const float *x, float inverse, float shared, float *dx, size_t n) {
  const __m256 s = _mm256_set1_ps(inverse), c = _mm256_set1_ps(shared);
#define BODY(LOAD, STORE, KEEP)                                                                     \
  const __m256 direct = _mm256_mul_ps(s, _mm256_mul_ps(LOAD(weight + i), LOAD(dy + i)));            \
  STORE(dx + i, _mm256_add_ps(LOAD(dx + i), _mm256_fnmadd_ps(c, LOAD(x + i), direct)));
  FOR_ROW(BODY)
#undef BODY
}

AVX2 float pdsweep_dot3(const float *dy, const float *weight, const float *x, size_t n) {
  __m256 a = _mm256_setzero_ps();
#define BODY(LOAD, STORE, KEEP) a = _mm256_fmadd_ps(_mm256_mul_ps(LOAD(dy + i), LOAD(weight + i)), LOAD(x + i), a);
  FOR_ROW(BODY)
#undef BODY
  return horizontal_sum(a);
}

AVX2 void pdsweep_mask(const float *x, const float *mask_row, float shift, float *out, size_t n) {
  const __m256 s = _mm256_set1_ps(shift);
#define BODY(LOAD, STORE, KEEP) \
  STORE(out + i, _mm256_mul_ps(LOAD(x + i), _mm256_sub_ps(LOAD(mask_row + i), s)));
  FOR_ROW(BODY)
#undef BODY
}

AVX2 float pdsweep_mask_backward(
    float *pulled, const float *x, const float *mask_row, float shift, float *gradient, size_t n) {
  const __m256 s = _mm256_set1_ps(shift);
  __m256 total = _mm256_setzero_ps();
#define BODY(LOAD, STORE, KEEP)                                                     \
  const __m256 p = LOAD(pulled + i);                                                \
  const __m256 product = _mm256_mul_ps(p, LOAD(x + i));                             \
  total = _mm256_add_ps(total, product);                                            \
  STORE(gradient + i, _mm256_add_ps(LOAD(gradient + i), product));                  \
  STORE(pulled + i, _mm256_mul_ps(p, _mm256_sub_ps(LOAD(mask_row + i), s)));
  FOR_ROW(BODY)
#undef BODY
  return horizontal_sum(total);
}

AVX2 void pdsweep_adamw(
    float *parameter, const float *gradient, double *first, double *second, size_t n, struct pdsweep_adamw by) {
  const __m256d keep_part = _mm256_set1_pd(by.keep), clip = _mm256_set1_pd(by.clip);
  const __m256d beta1 = _mm256_set1_pd(by.beta1), rest1 = _mm256_set1_pd(1 - by.beta1);
  const __m256d beta2 = _mm256_set1_pd(by.beta2), rest2 = _mm256_set1_pd(1 - by.beta2);
  const __m256d step = _mm256_set1_pd(by.step), scale = _mm256_set1_pd(by.second_scale);
  const __m256d epsilon = _mm256_set1_pd(by.epsilon);
  size_t i = 0;
  for (; i + 4 <= n; i += 4) {
    const __m256d g = _mm256_mul_pd(_mm256_cvtps_pd(_mm_loadu_ps(gradient + i)), clip);
    const __m256d m = _mm256_fmadd_pd(beta1, _mm256_loadu_pd(first + i), _mm256_mul_pd(rest1, g));
    const __m256d v =
        _mm256_fmadd_pd(beta2, _mm256_loadu_pd(second + i), _mm256_mul_pd(rest2, _mm256_mul_pd(g, g)));
    _mm256_storeu_pd(first + i, m);
    _mm256_storeu_pd(second + i, v);
    const __m256d size = _mm256_add_pd(_mm256_sqrt_pd(_mm256_mul_pd(v, scale)), epsilon);
    const __m256d change = _mm256_div_pd(_mm256_mul_pd(step, m), size);
    const __m256d p = _mm256_cvtps_pd(_mm_loadu_ps(parameter + i));
    _mm_storeu_ps(parameter + i, _mm256_cvtpd_ps(_mm256_fmsub_pd(p, keep_part, change)));
  }
  for (; i < n; i++) {
    const double g = gradient[i] * by.clip;
    first[i] = fma(by.beta1, first[i], (1 - by.beta1) * g);
    second[i] = fma(by.beta2, second[i], (1 - by.beta2) * (g * g));
    const double change = by.step * first[i] / (sqrt(second[i] * by.second_scale) + by.epsilon);
    parameter[i] = (float)fma(parameter[i], by.keep, -change);
  }
}

AVX2 double pdsweep_sum_of_squares(const float *x, size_t n) {
  __m256d a = _mm256_setzero_pd(), b = a, c = a, d = a;
  size_t i = 0;
  for (; i + 16 <= n; i += 16) {
    const __m256d p = _mm256_cvtps_pd(_mm_loadu_ps(x + i)), q = _mm256_cvtps_pd(_mm_loadu_ps(x + i + 4));
    const __m256d r = _mm256_cvtps_pd(_mm_loadu_ps(x + i + 8)), s = _mm256_cvtps_pd(_mm_loadu_ps(x + i + 12));
    a = _mm256_fmadd_pd(p, p, a);
    b = _mm256_fmadd_pd(q, q, b);
    c = _mm256_fmadd_pd(r, r, c);
    d = _mm256_fmadd_pd(s, s, d);
  }
  double lanes[4], rest = 0;
  _mm256_storeu_pd(lanes, _mm256_add_pd(_mm256_add_pd(a, b), _mm256_add_pd(c, d)));
  for (; i < n; i++) rest += (double)x[i] * x[i];
  return (lanes[0] + lanes[1]) + (lanes[2] + lanes[3]) + rest;
}

#else

bool pdsweep_has_avx2(void) {
  return false;
}

#endif
