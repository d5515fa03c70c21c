// What Swift cannot say: row kernels, and one system call.
//
// Row kernels for x86-64 processors with AVX2 and FMA, chosen at run time.
//
// Every function works on one contiguous row of n floats. Callers check extents before they come here, and call
// only if pdsweep_has_avx2() says so; the plain Swift versions beside the callers are the oracle and the fallback.

#pragma once

#include <stdbool.h>
#include <stddef.h>

/// Whether this processor runs the kernels below.
bool pdsweep_has_avx2(void);

/// max_i x[i]; -infinity for n = 0.
float pdsweep_max(const float *x, size_t n);

/// sum_i exp(x[i] - shift).
float pdsweep_exp_sum(const float *x, size_t n, float shift);

/// x[i] = exp(x[i] - shift); returns the sum.
float pdsweep_exp_in_place(float *x, size_t n, float shift);

/// x[i] = scale x[i] + offset.
void pdsweep_scale_offset(float *x, size_t n, float scale, float offset);

/// sum_i x[i].
float pdsweep_sum(const float *x, size_t n);

/// sum_i x[i] y[i].
float pdsweep_dot(const float *x, const float *y, size_t n);

/// y[i] += scale x[i].
void pdsweep_add_scaled(float *y, const float *x, size_t n, float scale);

/// KL(base || edited) = sum_i pb[i] (log pb[i] - log pe[i]) with log p = z - lse; if gradient is not null,
/// gradient[i] = weight (pe[i] - pb[i]). gradient may be edited itself.
float pdsweep_forward_kl(
    const float *edited, float edited_lse, const float *base, float base_lse, size_t n, float weight,
    float *gradient);

/// KL(edited || base) = sum_i pe[i] (log pe[i] - log pb[i]).
float pdsweep_reverse_kl(
    const float *edited, float edited_lse, const float *base, float base_lse, size_t n);

/// edited[i] = weight pe[i] ((log pe[i] - log pb[i]) - kl): the gradient of the reverse divergence, in place.
void pdsweep_reverse_kl_gradient(
    float *edited, float edited_lse, const float *base, float base_lse, size_t n, float weight, float kl);

/// out[i] = x[i] sigmoid(2 u), u = sqrt(2 / pi) (x[i] + 0.044715 x[i]^3): tanh-GELU.
void pdsweep_gelu(const float *x, float *out, size_t n);

/// gradient[i] *= GELU'(x[i]).
void pdsweep_gelu_backward(const float *x, float *gradient, size_t n);

/// out[i] = weight[i] x[i] inverse.
void pdsweep_rms_scale(const float *x, const float *weight, float inverse, float *out, size_t n);

/// dx[i] += inverse weight[i] dy[i] - shared x[i].
void pdsweep_rms_backward(
    const float *dy, const float *weight, const float *x, float inverse, float shared, float *dx, size_t n);

/// sum_i dy[i] weight[i] x[i].
float pdsweep_dot3(const float *dy, const float *weight, const float *x, size_t n);

/// out[i] = x[i] (mask[i] - shift). out may be x itself.
void pdsweep_mask(const float *x, const float *mask, float shift, float *out, size_t n);

/// gradient[i] += pulled[i] x[i], then pulled[i] *= mask[i] - shift; returns sum_i pulled[i] x[i], of what was there.
float pdsweep_mask_backward(
    float *pulled, const float *x, const float *mask, float shift, float *gradient, size_t n);

/// sum_i x[i]^2, in double precision.
double pdsweep_sum_of_squares(const float *x, size_t n);

/// One update of AdamW: what is the same for all of its numbers.
struct pdsweep_adamw {
  /// 1 - learning rate x weight decay.
  double keep;
  /// What gradients are multiplied by.
  double clip;
  double beta1, beta2;
  /// learning rate / (1 - beta1^t).
  double step;
  /// 1 / (1 - beta2^t).
  double second_scale;
  double epsilon;
};

/// first[i] = beta1 first[i] + (1 - beta1) g, second[i] = beta2 second[i] + (1 - beta2) g^2, with g = clip gradient[i];
/// parameter[i] = keep parameter[i] - step first[i] / (sqrt(second_scale second[i]) + epsilon).
void pdsweep_adamw(
    float *parameter, const float *gradient, double *first, double *second, size_t n, struct pdsweep_adamw by);

/// Has two paths take each other's names in one step, as renameat2 with RENAME_EXCHANGE does. Returns 0, or -1 and
/// sets errno: to ENOSYS where the system knows no such call.
int pdsweep_exchange_names(const char *one, const char *other);
